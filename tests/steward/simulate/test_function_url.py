"""The local URL speaks HTTP/1.1 as clients do, and answers whatever they send."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from steward.simulate.function_url import MAX_BYTES, FunctionUrl, listen


class Function:
    """Answers each event with its body's length, and notes how many it serves at once."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.refused: list[tuple[str, str, int]] = []
        self.busy = self.max_busy = 0

    def handle(self, event: Any) -> Any:
        self.busy += 1
        self.max_busy = max(self.max_busy, self.busy)
        self.events.append(event)
        time.sleep(0.02)
        self.busy -= 1
        if event.get("body") == "boom":
            raise RuntimeError("an error of ours")
        length = len(event.get("body") or "")
        return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(length)}

    def refuse(self, *call: Any) -> None:
        self.refused.append(call)


@contextlib.contextmanager
def serving(function: Function, body_seconds: float = 5.0) -> Iterator[int]:
    """The port of the function's URL."""
    url = FunctionUrl(function.handle, listen(0), function.refuse, body_seconds=body_seconds)
    thread = threading.Thread(target=url.serve_forever)
    port = url.port
    thread.start()
    try:
        yield port
    finally:
        url.stop()
        thread.join()


def exchange(port: int, sent: bytes) -> bytes:
    """Everything that the server answers to these bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def problem(answer: bytes) -> tuple[bytes, Any]:
    """The status line and the problem of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    return head.partition(b"\r\n")[0], json.loads(body)


def test_one_connection_takes_several_calls_and_chunked_bodies() -> None:
    """HTTP/1.1 with keep-alive; the event has the method, the path and the query."""
    function = Function()
    with serving(function) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/a%20b?x=1", b"12345")
        assert connection.getresponse().read() == b"5"
        first = connection.sock
        connection.request("PUT", "/", iter([b"123", b"4567"]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        assert connection.getresponse().read() == b"7"
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert connection.sock is first
        connection.close()
    assert [(event["httpMethod"], event["path"]) for event in function.events] == [
        ("POST", "/a%20b"),
        ("PUT", "/"),
        ("HEAD", "/"),
    ]
    assert function.events[0]["queryString"] == {"x": "1"}


def test_a_client_that_expects_100_continue_is_told_to_go_on() -> None:
    """It sends its body only then."""
    with serving(Function()) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(b"1234")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_6_mb_gets_413(is_chunked: bool) -> None:
    """By its declared length, and by what arrives; the client sees the answer although it was still sending."""
    function, size = Function(), MAX_BYTES + 1
    with serving(function) as port:
        if is_chunked:
            head, body = b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
        else:
            head, body = b"Content-Length: %d" % size, b" " * size
        answer = exchange(port, b"POST /x HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s" % (head, body))
    status, body_of_problem = problem(answer)
    assert status.startswith(b"HTTP/1.1 413")
    assert body_of_problem["detail"] == "the body is larger than 6,291,456 bytes"
    assert function.refused == [("POST", "/x", 413)]
    assert not function.events


def test_a_slow_body_gets_408() -> None:
    """The function is not called."""
    function = Function()
    with serving(function, body_seconds=0.2) as port:
        answer = exchange(port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123")
    status, body_of_problem = problem(answer)
    assert status.startswith(b"HTTP/1.1 408")
    assert body_of_problem["detail"] == "the body did not arrive within 0.2 s"
    assert not function.events


def test_clients_that_leave_change_nothing() -> None:
    """In the middle of a body, or before the answer; the next one is served."""
    function = Function()
    with serving(function) as port:
        for sent in (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n123",
            b"POST / HT",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(sent)
        connection_2 = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection_2.request("POST", "/", b"1")
        assert connection_2.getresponse().read() == b"1"
        connection_2.close()


def test_one_event_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    """As an instance of the function; what it raises is a problem too, and the next call is served."""
    function = Function()
    with serving(function) as port:
        request = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: exchange(port, request % (1, b"1")), range(16)))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert problem(exchange(port, request % (4, b"boom")))[0].startswith(b"HTTP/1.1 500")
        assert exchange(port, request % (1, b"1")).startswith(b"HTTP/1.1 200")
    assert function.max_busy == 1
    assert "an error of ours" in capsys.readouterr().err
