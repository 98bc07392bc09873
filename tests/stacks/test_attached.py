"""Servers that somebody else started: they are asked, and left alone."""

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from pytest_webbench.model.errors import SeedError, StartError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.measurement import LaunchRecord
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks import readiness
from pytest_webbench.stacks.attached import AttachedLauncher
from tests.load.servers import Peer, Server, answer, json_answer

HELLO = Exchange(request=Request(path="/hello"), answer=Answer(rule=BodyRule.JSON, json={"a": 1}))
STACK = Stack(name="mine", folder=Path(), command=(), ready=HELLO)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"a": 1}' if self.path.endswith("/hello") else b"other"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("suffix", ["", "/", "/prefix", "/prefix/"])
def test_a_server_is_asked_and_left_running(url: str, suffix: str) -> None:
    launcher = AttachedLauncher({"mine": url + suffix})
    launcher.prepare(STACK)
    with launcher.start(STACK) as running:
        assert running.base_url == (url + suffix).rstrip("/")
        assert running.launch == LaunchRecord(
            launcher="attached",
            startup_s=None,
            config={"workers": "-", "threads": "-", "url": running.base_url},
        )
        assert (running.server_pid, running.accounts) == (None, None)
        assert not running.reachable_inside
        assert running.log_tail() == ""
        assert running.ended() is None
    with urlopen(f"{url}/hello", timeout=60) as response:
        assert response.status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_who_holds_its_connections_is_seen_on_this_machine(url: str) -> None:
    with AttachedLauncher({"mine": f"{url}/prefix"}).start(STACK) as running:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address) as connection:
            port = connection.getsockname()[1]
            deadline = time.monotonic() + 30
            while (held := running.connections()) is None or port not in held.by_port:  # not yet accepted
                assert time.monotonic() < deadline
        assert held.processes == (os.getpid(),)
        assert held.by_port[port] == os.getpid()


def test_there_is_no_way_in(url: str) -> None:
    with AttachedLauncher({"mine": url}).start(STACK) as running:
        with pytest.raises(SeedError, match=r"^mine runs already: no file can be put beside it \(x\.db\)$"):
            running.put_file("x.db", b"")
        with pytest.raises(
            SeedError, match=r"^mine runs already: no command can be run beside it \(x\.py\)$"
        ):
            running.execute(["x.py", "load"])


def start(url: str, *, start_timeout_s: float = 0.05) -> None:
    with AttachedLauncher({"mine": url}, start_timeout_s=start_timeout_s).start(STACK):
        pass


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(StartError) as caught:
        start("http://127.0.0.1:1")
    assert re.fullmatch(
        r"mine did not become ready within \d+ s \(GET /hello failed: .*Connection refused\)",
        caught.value.message,
    )


def test_a_server_of_another_contract(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "WRONG_RESPONSE_PATIENCE_S", 0.02)
    stack = Stack(
        name="mine",
        folder=Path(),
        command=(),
        ready=Exchange(request=Request(path="/x"), answer=HELLO.answer),
    )
    with pytest.raises(StartError) as caught, AttachedLauncher({"mine": url}).start(stack):
        pass
    assert re.fullmatch(
        r"mine did not become ready within \d+ s \(GET /x: the body is not JSON "
        r"\(Expecting value: line 1 column 1 \(char 0\)\): 'other'\)",
        caught.value.message,
    )


def test_a_server_that_is_not_ready_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 503 is not a wrong response: it means "later", and is awaited for longer than those."""
    monkeypatch.setattr(readiness, "WRONG_RESPONSE_PATIENCE_S", 0.0)

    def later(server: Server, peer: Peer, number: int) -> None:
        peer.send(json_answer({"a": 1}) if number >= 3 else answer(status=503))

    with Server(later) as server:
        start(server.url, start_timeout_s=60)
        assert server.requests == 4


def test_a_first_answer_may_take_all_the_time_that_is_allowed() -> None:
    """Nothing is asked a second time while it is awaited."""

    def slow(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(0.5)
        peer.send(json_answer({"a": 1}))

    with Server(slow) as server:
        start(server.url, start_timeout_s=60)
        assert server.requests == 1


def test_a_server_that_drips_is_given_up_in_time() -> None:
    def drip(server: Server, peer: Peer, number: int) -> None:
        for byte in json_answer({"a": 1}):
            peer.send(bytes([byte]))
            server.stopping.wait(1)

    began = time.monotonic()
    with Server(drip) as server, pytest.raises(StartError) as caught:
        start(server.url, start_timeout_s=0.5)
    assert time.monotonic() - began < 30
    assert "bytes of the response, but not all, came within" in caught.value.message
    assert "--webbench-start-timeout" in caught.value.hint


def test_a_password_is_sent_and_kept_from_sight() -> None:
    seen: list[bytes] = []

    def respond(server: Server, peer: Peer, number: int) -> None:
        seen.append(peer.request)
        peer.send(json_answer({"a": 1}))

    with Server(respond) as server:
        url = server.url.replace("://", "://ann:s3cret@")
        with AttachedLauncher({"mine": url}).start(STACK) as running:
            assert running.launch.config["url"] == server.url.replace("://", "://***@")
            assert "s3cret" not in repr(running)
    assert b"\r\nAuthorization: Basic YW5uOnMzY3JldA==\r\n" in seen[0]
