"""The official SDK's clients, pointed at the fake cloud."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.server import CloudServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.fake_cloud.cloud import Cloud

KEY: Final = (SECRET_ID, SECRET_KEY, None)


@contextmanager
def common_client(
    where: CloudServer | Cloud | CloudAdapter,
    *,
    key: tuple[str, str, str | None] = KEY,
    region: str = "ap-guangzhou",
    service: str = "emr",
    version: str = "2019-01-03",
    timeout: float = 5,
) -> Iterator[Any]:
    """A ``CommonClient``: over sockets to a server, or in process.

    ``key`` is secret id, secret key and token; ``timeout`` is in seconds.
    """
    from tencentcloud.common.common_client import CommonClient

    client = CommonClient(service, version, _credential(key), region, _profile(where, timeout))
    with _connected(client, where):
        yield client


@contextmanager
def typed_client(where: CloudServer | Cloud | CloudAdapter, *, region: str = "ap-guangzhou") -> Iterator[Any]:
    """The generated ``EmrClient``, whose models deserialize the answers."""
    from tencentcloud.emr.v20190103.emr_client import EmrClient

    client = EmrClient(_credential(KEY), region, _profile(where, 5))
    with _connected(client, where):
        yield client


def _credential(key: tuple[str, str, str | None]) -> Any:
    from tencentcloud.common.credential import Credential

    return Credential(*key)


def _profile(where: CloudServer | Cloud | CloudAdapter, timeout: float) -> Any:
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    if isinstance(where, CloudServer):
        return ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=where.endpoint, reqTimeout=timeout))
    return ClientProfile(httpProfile=HttpProfile(reqTimeout=timeout))


@contextmanager
def _connected(client: Any, where: CloudServer | Cloud | CloudAdapter) -> Iterator[None]:
    session = client.request.conn._session
    if not isinstance(where, CloudServer):
        session.mount("https://", where if isinstance(where, CloudAdapter) else CloudAdapter(where))
    try:
        yield
    finally:
        session.close()
