"""The answers: every field of the SDK's response models, filled as in the API's samples.

Sources: the samples of DescribeInstances, DescribeInstancesList and DescribeServiceNodeInfos (EMR API 2019-01-03), and
of AssumeRole (STS API 2018-08-13). What no sample shows is a plausible constant: nothing may be concluded from it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from harness.fake_cloud.cloud import REGIONS
from harness.fake_cloud.state.codes import GOOD, HEALTH_TEXT, STATUS_TEXT
from harness.fake_cloud.state.process import local_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.fake_cloud.state.cluster import Cluster
    from harness.fake_cloud.state.process import Process
    from harness.fake_cloud.sts import Session

_FLAGS: Final[Mapping[str, int]] = {"common": 0, "master": 1, "core": 2, "task": 3}
#: Of these the samples show HIVE's three; the others are numbered here.
_NODE_TYPES: Final[Mapping[str, int]] = {"HiveMetaStore": 30, "HiveServer2": 31, "HiveWebHcat": 32}
_NODE_FLAGS: Final = ("master", "core", "task", "common", "router")
_ALIASES: Final = "eyJjb21tb24iOiJjb21tb24iLCJjb3JlIjoiY29yZSIsIm1hc3RlciI6Im1hc3RlciIsInRhc2siOiJ0YXNrIn0="
_APP_ID: Final = 1_250_000_000


def assumed(session: Session) -> dict[str, Any]:
    """AssumeRole's answer."""
    return {
        "Credentials": {
            "Token": session.token,
            "TmpSecretId": session.secret_id,
            "TmpSecretKey": session.secret_key,
        },
        "ExpiredTime": int(session.until),
        "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(session.until)),
    }


def service_node(process: Process, *, english: bool) -> dict[str, Any]:
    """ServiceNodeDetailInfo."""
    health = process.health
    return {
        "Ip": process.ip,
        "NodeType": _NODE_TYPES.get(process.component, 100 + sum(process.component.encode()) % 900),
        "NodeName": process.component,
        "ServiceStatus": process.service_status,
        "MonitorStatus": process.monitor_status,
        "Status": process.service_status,
        "PortsInfo": "",
        "LastRestartTime": process.last_restart,
        "Flag": _FLAGS[process.node],
        "ConfGroupId": 623383,
        "ConfGroupName": f"{process.service.lower()}-{process.node}-defaultGroup",
        "ConfStatus": 1,
        "ServiceDetectionInfo": [],
        "NodeFlagFilter": process.node,
        "HealthStatus": {
            "Code": health,
            "Text": HEALTH_TEXT[health][english],
            "Desc": "端口探测在5s内响应" if health == GOOD and not english else "",
        },
        "IsSupportRoleMonitor": True,
        "StopPolicies": None,
        "HAState": process.ha_state,
        "NameService": "",
        "IsFederation": False,
        "DataNodeMaintenanceState": 0,
    }


def service_nodes(total: int, page: list[dict[str, Any]]) -> dict[str, Any]:
    """DescribeServiceNodeInfos. The list "may be null" where there is nothing, and so it is."""
    return {
        "TotalCnt": total,
        "ServiceNodeList": page or None,
        "AliasInfo": _ALIASES,
        "SupportNodeFlagFilterList": list(_NODE_FLAGS),
    }


def cluster_info(cluster: Cluster, number: int, now: float) -> dict[str, Any]:
    """ClusterInstancesInfo; ``number``: the cluster's ``Id``."""
    status = cluster.status
    return {
        **_whereabouts(cluster, number, now),
        "Ftitle": STATUS_TEXT.get(status, ""),
        "ClusterTitle": STATUS_TEXT.get(status, ""),
        "Uin": cluster.uin,
        "Status": status,
        "Config": _hardware(cluster),
        "ConfigDetail": _hardware(cluster),
        "TradeVersion": 1,
        "ResourceOrderId": 0,
        "IsTradeCluster": 0,
        "MetaDb": "",
        "HiveMetaDb": "",
        "ServiceClass": "HADOOP",
        "AliasInfo": _ALIASES,
        "SceneName": "Hadoop-Default",
        "SceneServiceClass": "Hadoop",
        "SceneEmrVersion": "EMR-V3.5.0",
        "DisplayName": "默认场景",
        "ClusterExternalServiceInfo": None,
        "TopologyInfoList": [
            {
                "ZoneId": _zone_id(cluster),
                "Zone": f"{cluster.region}-3",
                "SubnetInfoList": [{"SubnetId": "subnet-ax8z9f1u", "SubnetName": "default"}],
                "NodeInfoList": [
                    {"NodeType": node.capitalize(), "NodeSize": _nodes(cluster, node)} for node in _NODE_FLAGS
                ],
            }
        ],
        "IsCvmReplace": False,
        "BindFileSystemNum": 0,
        "ClusterRelationInfoList": None,
        "RedisId": "",
        "IsIOHungSelfRecovery": False,
        "MetaDBGroupInfo": None,
    }


def clusters(total: int, page: list[dict[str, Any]]) -> dict[str, Any]:
    """DescribeInstances."""
    return {"TotalCnt": total, "ClusterList": page or None, "TagKeys": []}


def list_entry(cluster: Cluster, number: int, now: float) -> dict[str, Any]:
    """EmrListInstance; ``number``: the cluster's ``Id``."""
    status = cluster.status
    return {
        **_whereabouts(cluster, number, now),
        "StatusDesc": STATUS_TEXT.get(status, ""),
        "Status": status,
        "ClusterClass": "Hadoop",
        "IsHandsCluster": False,
        "OutSideSoftInfo": [],
        "IsSupportOutsideCluster": True,
        "IsDedicatedCluster": False,
        "IsSupportClone": True,
    }


def instances_list(total: int, page: list[dict[str, Any]]) -> dict[str, Any]:
    """DescribeInstancesList."""
    return {"TotalCnt": total, "InstancesList": page or None}


def _whereabouts(cluster: Cluster, number: int, now: float) -> dict[str, Any]:
    masters = [process.ip for process in cluster.processes() if process.node == "master"]
    return {
        "Id": number,
        "ClusterId": cluster.id,
        "ClusterName": cluster.name,
        "RegionId": REGIONS[cluster.region],
        "ZoneId": _zone_id(cluster),
        "Zone": f"{cluster.region}-3",
        "AppId": _APP_ID,
        "ProjectId": cluster.project_id,
        "VpcId": 10_421_586,
        "VpcName": "default",
        "UniqVpcId": "vpc-r2g15ki3",
        "SubnetId": 6_131_299,
        "SubnetName": "default",
        "UniqSubnetId": "subnet-ax8z9f1u",
        "AddTime": local_time(cluster.created_at),
        "RunTime": _duration(now - cluster.created_at),
        "MasterIp": masters[0] if masters else "--",
        "EmrVersion": "EMR-V3.5.0",
        "ChargeType": 0,
        "ProductId": 44,
        "AlarmInfo": "",
        "IsWoodpeckerCluster": 1,
        "IsMultiZoneCluster": False,
        "Tags": [],
    }


def _zone_id(cluster: Cluster) -> int:
    return REGIONS[cluster.region] * 100_000 + 3


def _nodes(cluster: Cluster, node: str) -> int:
    return len({process.ip for process in cluster.processes() if process.node == node})


def _hardware(cluster: Cluster) -> dict[str, Any]:
    """EmrProductConfigOutter, and EmrProductConfigDetail, which has the same fields."""
    sizes = {node: _nodes(cluster, node) for node in _NODE_FLAGS}
    return {
        "SoftInfo": [f"{service.lower()}-3" for service in cluster.services],
        "MasterNodeSize": sizes["master"],
        "CoreNodeSize": sizes["core"],
        "TaskNodeSize": sizes["task"],
        "ComNodeSize": sizes["common"],
        "RouterNodeSize": sizes["router"],
        "MasterResource": _resource(sizes["master"]),
        "CoreResource": _resource(sizes["core"]),
        "TaskResource": _resource(sizes["task"]),
        "ComResource": _resource(sizes["common"]),
        "OnCos": False,
        "ChargeType": 0,
        "SupportHA": sizes["master"] > 1,
        "SecurityOn": False,
        "SecurityGroup": "sg-jfluz1nt",
        "SecurityGroups": ["sg-jfluz1nt"],
        "CbsEncrypt": 0,
        "ApplicationRole": "",
        "PublicKeyId": "",
    }


def _resource(nodes: int) -> dict[str, Any]:
    here = nodes > 0
    return {
        "Spec": "CVM.S5" if here else "",
        "SpecName": "EMR标准型S5" if here else "",
        "StorageType": 4 if here else 0,
        "DiskType": "CLOUD_SSD" if here else "",
        "RootSize": 70 if here else 0,
        "MemSize": 16_384 if here else 0,
        "Cpu": 8 if here else 0,
        "DiskSize": 200 if here else 0,
        "InstanceType": "",
    }


def _duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}天{hour}小时{minute}分钟{second}秒"
