"""``steward serve``: the function behind a local URL, with a fake cluster beside it or another API behind it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from handler.lib.clock import SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from tests.command import ROOT, steward

RESTART_HIVE = (ROOT / "events" / "request-restart-hive.json").read_bytes()
DATANODE_DOWN = (ROOT / "events" / "alertmanager-datanode-down.json").read_bytes()
SECRET = "secret-of-the-user-for-this-test"
SECRETS = {"STEWARD_SECRET_DEPLOY": SECRET, "STEWARD_SECRET_ALERTMANAGER": f"{SECRET}-2"}


@contextlib.contextmanager
def serving(cwd: Path, *options: str, rest: list[str] | None = None, env: Mapping[str, str]) -> Iterator[IO[str]]:
    """Run it, on a free port unless an option names one: its output. What is left of that is added to ``rest``."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "steward", "serve", *(options or ("--port", "0"))],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout
        finally:
            server.terminate()
            server.wait(20)
            (rest if rest is not None else []).append(server.stdout.read())


def line_with(output: IO[str], text: str) -> str:
    """The next line with this text. Fails if the output ends before."""
    seen = []
    for line in output:
        seen.append(line)
        if text in line:
            return line
    raise AssertionError(f"no line with {text!r}: {''.join(seen)}")


def url_in(line: str) -> str:
    """The function's URL in a line of the output."""
    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    assert found is not None
    return found[1]


def call(port: str, method: str = "POST", path: str = "/", body: bytes = RESTART_HIVE, secret: str = SECRET) -> Any:
    """A call of the function: its status, its content type and the JSON of its body."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    connection.request(method, path, body, {"Authorization": f"Bearer {secret}"} if secret else {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], json.loads(content) if content else None


def test_serve_is_the_function_behind_a_url(tmp_path: Path) -> None:
    """It restarts for a known caller and refuses an unknown one; a secret of the user's is not printed."""
    with serving(tmp_path, env=SECRETS) as output:
        assert output.readline() == "config   the example (there is no steward.yml here)\n"
        first = output.readline()
        assert re.search(r"listens on http://127\.0\.0\.1:\d+, a fake", first)
        offered = line_with(output, "  deploy: curl ")
        assert "Bearer $STEWARD_SECRET_DEPLOY" in offered
        assert SECRET not in offered
        named = re.search(r"-d @(\S+) ", offered)
        assert named is not None
        port, body = url_in(first), (tmp_path / named[1]).read_bytes()
        status, kind, _ = call(port, body=body, secret="")
        assert (status, kind) == (401, "application/problem+json")
        status, _, answer = call(port, body=body)
        assert status in (200, 202)
        assert answer["outcomes"][0]["outcome"] in ("done", "accepted")


def test_an_alert_is_made_true_where_it_is_accepted(tmp_path: Path) -> None:
    """It kills what it names once, however old the sample is; a call that is refused kills nothing."""
    alertmanager = SECRETS["STEWARD_SECRET_ALERTMANAGER"]
    rest: list[str] = []
    with serving(tmp_path, rest=rest, env=SECRETS) as output:
        port = url_in(line_with(output, "listens on"))
        assert call(port, body=DATANODE_DOWN, secret="")[0] == 401
        assert call(port, "PUT", body=DATANODE_DOWN, secret=alertmanager)[0] == 405
        assert call(port, body=DATANODE_DOWN, secret=alertmanager)[0] in (200, 202)
        call(port, body=DATANODE_DOWN, secret=alertmanager)
    (said,) = rest
    killed = "  given   HDFS/DataNode/172.16.0.5 died on the fake cluster"
    assert said.count(killed) == 1
    assert said.index("→ 405") < said.index(killed)
    assert said.count("  request ") == 1


def test_a_url_that_refuses_everybody_says_what_is_missing(tmp_path: Path) -> None:
    """A configuration without callers is reported before the first call."""
    (tmp_path / "steward.yml").write_text("clusters: {}\n", encoding="utf-8")
    with serving(tmp_path, env={}) as output:
        said = [output.readline() for _ in range(7)]
    assert said[0] == "config   steward.yml\n"
    assert said[5] == "Every call is refused: steward.yml has no webhook.callers. For example:\n"
    assert "bearer_env" in said[6]


def test_the_sample_of_a_curl_line_is_about_a_cluster_of_the_configuration(tmp_path: Path) -> None:
    """The demo's cluster is not listed in another configuration; on an API, no sample is offered at all."""
    (tmp_path / "steward.yml").write_text(
        "clusters: {emr-aaaaaaaa: {region: ap-guangzhou, allow: [RestartService]}}\n"
        "webhook: {callers: [{name: deploy, sources: [request], operations: [RestartService], clusters: all, services: all, bearer_env: STEWARD_SECRET_DEPLOY}]}\n",
        encoding="utf-8",
    )
    secret = {"STEWARD_SECRET_DEPLOY": SECRET}
    with serving(tmp_path, env=secret) as output:
        port = url_in(line_with(output, "listens on"))
        named = re.search(r"-d @(\S+) ", line_with(output, "  deploy: curl "))
        assert named is not None
        status, _, answer = call(port, body=(tmp_path / named[1]).read_bytes())
        assert (status in (200, 202), answer["outcomes"][0]["outcome"] in ("done", "accepted")) == (True, True), answer
    with serving(tmp_path, env={**secret, "STEWARD_EMR_ENDPOINT": "http://127.0.0.1:9"}) as output:
        assert "-d @EVENT.json " in line_with(output, "  deploy: curl ")


def test_each_call_has_its_heading_and_each_start_begins_anew(tmp_path: Path) -> None:
    """Time, method, path, caller and status, also of refused calls; the ledger of an earlier cluster is emptied."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    rest: list[str] = []
    for _ in range(2):
        with serving(tmp_path, "--port", port, rest=rest, env=SECRETS) as output:
            line_with(output, "  deploy: curl ")
            assert call(port)[0] in (200, 202)
            assert call(port, path="/x?a=1", secret="")[0] == 401
            assert call(port, "GET", body=b"")[0] == 405
            status, kind, problem = call(port, body=b" " * 7_000_000)
            assert (status, kind, problem["status"]) == (413, "application/problem+json", 413)
    said = "".join(rest)
    headings = re.findall(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  (.*)$", said, re.MULTILINE)
    assert [re.sub("202", "200", heading) for heading in headings] == 2 * [
        "POST / by deploy → 200",
        "POST /x by an unknown caller → 401",
        "GET / by deploy → 405",
        "POST / by an unknown caller → 413",
    ]
    assert said.count("\n  request ") == 2
    assert [file.name for file in (tmp_path / ".steward").glob("*.db")] == [f"serve-{port}.db"]
    history = steward("history", cwd=tmp_path, STEWARD_LEDGER=f"sqlite:///.steward/serve-{port}.db")
    assert history.stdout.count(" op-") == 1


@pytest.mark.parametrize("is_acting", [True, False])
def test_a_cluster_behind_an_endpoint_outlives_it(tmp_path: Path, is_acting: bool) -> None:
    """It is used in place of a fake of our own, keeps its ledger, and is only observed without --act."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
    with CloudServer(cloud) as server:
        env = {
            "STEWARD_EMR_ENDPOINT": server.url,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
            **SECRETS,
        }
        options = ("--port", "0", *(["--act"] if is_acting else []))
        rest: list[str] = []
        for _ in range(2):
            with serving(tmp_path, *options, rest=rest, env=env) as output:
                assert line_with(output, "target   ") == f"target   {server.url} (not the cloud itself)\n"
                assert output.readline().startswith(f"mode     {'act' if is_acting else 'observe'}, ")
                port = url_in(line_with(output, "listens on"))
                call(port)
                call(port, body=DATANODE_DOWN, secret=SECRETS["STEWARD_SECRET_ALERTMANAGER"])
    assert "died on the fake cluster" not in "".join(rest)
    assert [one.params["OpType"] for one in cloud.operations] == ["RestartService"] * is_acting
    place = server.url.removeprefix("http://").replace(":", "-")
    assert [file.name for file in (tmp_path / ".steward").glob("*.db")] == [f"{place}.db"]
