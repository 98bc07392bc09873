"""The native client, beyond what every engine must do (``test_contract.py``)."""

import asyncio
import gc
import gzip
import json
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.judging import PreparedRequest, PreparedRequests
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.load.native.connection import Connection
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request

from .loads import ANYTHING, HELLO, HELLO_JSON, carry_out, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer
from .test_contract import ENDLESS

# Servers that behave.


RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    server.count(peer.path)
    peer.send(RIGHT)


@pytest.mark.parametrize(("users", "requests"), [(7, 100), (7, 7), (20, 3), (3, 0)])
def test_each_user_has_one_connection(users: int, requests: int) -> None:
    with Server(say_hello) as server:
        result = carry_out(make_load(users=users, requests=requests), server.url)
    assert result.ok == server.requests == requests
    assert result.connections_opened == users


def chunked(*chunks: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed


def interim(status: int) -> bytes:
    return b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n" % status


HELLO_BYTES = b'{"hello": "world"}'


@pytest.mark.parametrize(
    "sent",
    [
        answer(HELLO_BYTES),
        chunked(HELLO_BYTES),
        chunked(HELLO_BYTES[:3], HELLO_BYTES[3:]),
        interim(100) + answer(HELLO_BYTES),
        interim(103) + interim(103) + chunked(HELLO_BYTES),
        answer(HELLO_BYTES, headers=("Connection: keep-alive",), version="1.0"),
        answer(b'\n{"hello":\t"\\u0077orld"} '),
    ],
)
@pytest.mark.parametrize("piecewise", [False, True])
def test_answers_that_keep_the_connection(sent: bytes, piecewise: bool) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        for piece in (sent[i : i + 1] for i in range(len(sent))) if piecewise else (sent,):
            peer.send(piece)

    with Server(send) as server:
        result = carry_out(make_load(users=3, requests=9), server.url)
    assert (result.ok, result.errors) == (9, {}), result.examples
    assert result.connections_opened == 3
    assert result.bytes_received == 9 * len(sent)


def no_body(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    ("method", "status", "sent", "keeps"),
    [
        ("HEAD", 200, no_body(200, "Content-Length: 1234"), True),
        ("HEAD", 200, no_body(200, "Transfer-Encoding: chunked"), True),
        ("HEAD", 200, no_body(200), True),
        ("HEAD", 200, no_body(200, "Content-Length: 0"), True),
        ("HEAD", 200, no_body(200, "Content-Length: 5", "Connection: close"), False),
        ("HEAD", 304, no_body(304, "Content-Length: 5"), True),
        ("GET", 204, no_body(204), True),
        ("GET", 304, no_body(304, "Content-Length: 99"), True),
        ("DELETE", 204, no_body(204, "Connection: close"), False),
        ("GET", 200, no_body(200, "Content-Length: 0"), True),
    ],
)
def test_answers_without_body(method: str, status: int, sent: bytes, keeps: bool) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        if not keeps:
            peer.close()

    exchange = Exchange(request=Request(method=method), answer=Answer(status=status, rule=BodyRule.EMPTY))
    with Server(send) as server:
        result = carry_out(make_load(exchange, users=2, requests=20), server.url)
    assert (result.ok, result.errors) == (20, {}), result.examples
    assert (result.connections_opened == 2) is keeps


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://", "not of the form"),
        ("http://127.0.0.1:99999", "cannot be read"),
        ("http://127.0.0.1:1/?a", "more than host"),
    ],
)
def test_addresses_that_no_load_can_go_to(url: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        carry_out(make_load(requests=1), url)


def test_connections_leave_nothing_for_the_collector() -> None:
    """It is off during a load, so that a server that closes each connection must not fill the memory."""

    def close_or_cut(server: Server, peer: Peer, number: int) -> None:
        if number % 10 == 0:
            peer.reset()
            return
        peer.send(answer(HELLO_BYTES, headers=("Connection: close",)))
        peer.close()

    gc.collect()
    gc.disable()
    try:
        with Server(close_or_cut) as server:
            result = carry_out(make_load(users=5, requests=500), server.url)
        left = [each for each in gc.get_objects() if isinstance(each, Connection)]
    finally:
        gc.enable()
    assert result.connections_opened >= 500
    assert len(left) <= 5


def test_the_collector_is_as_it_was() -> None:
    with Server(say_hello) as server:
        carry_out(make_load(requests=5), server.url)
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("exchange", [HELLO, ANYTHING])
def test_the_same_bytes_and_other_bytes_are_judged_alike(exchange: Exchange) -> None:
    """A response equal to a successful one is not parsed again; one that differs is."""

    def vary(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(HELLO_BYTES, headers=(f"X-Number: {number // 5}",)))

    with Server(vary) as server:
        result = carry_out(make_load(exchange, users=1, requests=50), server.url)
    assert (result.ok, result.errors) == (50, {})


# Servers that do not.


def test_a_timeout_is_for_each_request() -> None:
    """Requests that are in time go on for longer than the timeout in all."""

    def late(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(0.05)
        peer.send(RIGHT)

    with Server(late) as server:
        result = carry_out(make_load(users=2, requests=20, timeout_s=0.4), server.url)
    assert (result.ok, result.errors) == (20, {})
    assert result.elapsed_s > 0.4


def test_the_longest_header_that_is_allowed() -> None:
    fixed = len(b"HTTP/1.1 200 OK\r\nX: \r\nContent-Length: 0\r\n\r\n")
    sent = b"HTTP/1.1 200 OK\r\nX: " + b"y" * (65536 - fixed) + b"\r\nContent-Length: 0\r\n\r\n"
    with Server(lambda server, peer, number: peer.send(sent)) as server:
        result = carry_out(make_load(ANYTHING, users=2, requests=6), server.url)
    assert (result.ok, result.errors) == (6, {}), result.examples


@pytest.mark.parametrize("rule", [BodyRule.TEXT, BodyRule.EMPTY, BodyRule.ANY])
def test_a_body_without_end_is_given_up_whatever_is_expected(rule: BodyRule) -> None:
    head, repeated, error = ENDLESS["body"]

    def send_for_ever(server: Server, peer: Peer, number: int) -> None:
        peer.send(head)
        while True:
            peer.send(repeated)

    exchange = Exchange(request=Request(), answer=Answer(rule=rule, json=HELLO_JSON))
    with Server(send_for_ever) as server:
        result = carry_out(make_load(exchange, users=2, requests=2), server.url)
    assert result.errors == {error: 2}
    assert result.bytes_received < 2 * 65 * 2**20


def test_connections_closed_at_once_are_requests_lost() -> None:
    def shut(peer: Peer) -> None:
        peer.close()

    with Server(lambda server, peer, number: None, greeting=shut) as server:
        result = carry_out(make_load(users=2, requests=6), server.url)
    assert result.errors == {"reset": 6}


@contextmanager
def open_files(more: int) -> Iterator[None]:
    """Let this process open ``more`` files than it has open, no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208 - there is no path to walk
    free = [number for number in range(len(taken) + more) if number not in taken]
    try:  # the limit is on the number of a file, and the low ones are given out first
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[more - 1] + 1, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="what else opens files differs")
def test_without_files_left_the_client_is_exhausted() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with open_files(20):
            result = carry_out(make_load(users=60, duration_s=0.2, timeout_s=5), url)
    assert result.errors.keys() == {"client_exhausted"}
    assert result.in_flight > 0
    assert unaccounted(result) == 0


def test_the_same_bytes_are_right_only_with_the_same_content_encoding() -> None:
    """A remembered response is only equal if its encoding is, too."""
    packed = gzip.compress(json.dumps(HELLO_JSON).encode())

    def lie(server: Server, peer: Peer, number: int) -> None:
        headers = ("Content-Encoding: gzip",) if number % 2 == 0 else ()
        peer.send(answer(packed, headers=headers))

    with Server(lie) as server:
        result = carry_out(make_load(users=1, requests=20), server.url)
    assert (result.ok, result.errors) == (10, {"wrong_body": 10})


def test_an_encoding_that_is_not_known_is_named() -> None:
    with Server(
        lambda server, peer, number: peer.send(answer(b"x", headers=("content-encoding: br",)))
    ) as server:
        result = carry_out(make_load(users=1, requests=2), server.url)
    assert result.errors == {"wrong_body": 2}
    assert "encoded with 'br'" in result.examples[0]


def test_a_bomb_is_a_wrong_body() -> None:
    bomb = gzip.compress(bytes(64 * 2**20))
    with Server(lambda s, peer, n: peer.send(answer(bomb, headers=("Content-Encoding: gzip",)))) as server:
        result = carry_out(make_load(users=2, requests=4), server.url)
    assert result.errors == {"wrong_body": 4}
    assert "once it is decoded (gzip)" in result.examples[0]


def test_no_example_shows_a_token() -> None:
    asked = Exchange(request=Request(path="/a?page=2&api_key=s3cret&x=1"), answer=Answer())
    with Server(lambda server, peer, number: peer.send(answer(status=500))) as server:
        result = carry_out(make_load(asked, users=1, requests=1), server.url)
    assert result.examples[0].startswith("GET /a?page=2&api_key=***&x=1: ")


# What no server of a test can bring about.


class Nobody:
    """Owns a connection and does nothing."""

    def connection_opened(self) -> None: ...

    def connection_rested(self, now: int) -> None:
        pass

    def connection_ended(self, now: int, *, served: bool, failed: bool) -> None: ...

    def connection_closed(self) -> None: ...


@pytest.mark.parametrize("itself", [False, True])
def test_a_connection_with_itself_is_none(itself: bool) -> None:
    with socket.socket() as sock:
        here, there = ("127.0.0.1", 50000), ("127.0.0.1", 50000 if itself else 8000)
        transport = asyncio.Transport({"socket": sock, "sockname": here, "peername": there})
        wire = encode(HELLO.request, Target(host="127.0.0.1", port=8000))
        connection = Connection(
            PreparedRequests([PreparedRequest(HELLO, wire)]), Tally(make_load(requests=1)), Nobody()
        )
        connection.connection_made(transport)
        if itself:
            with pytest.raises(ConnectionRefusedError):
                connection.refuse_itself()
        else:
            connection.refuse_itself()
