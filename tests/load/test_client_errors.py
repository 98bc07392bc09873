"""The native client against servers that do not behave: each error is counted, exactly."""

import gzip
import json
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import ErrorClass

from .codings import check_codings
from .loads import ANYTHING, HELLO_JSON, carry_out, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer

RIGHT = json_answer(HELLO_JSON)
WRONG = json_answer({"hello": "moon"})


def misbehave(server: Server, peer: Peer, number: int) -> None:
    """Reset every 50th request, truncate every 70th answer, fail every 7th, lie from 600 to 700."""
    if number % 50 == 49:
        server.count("reset")
        peer.reset()
    elif number % 70 == 69:
        server.count("truncated")
        peer.send(RIGHT[:-3])
        peer.close()
    elif number % 7 == 6:
        server.count("wrong_status")
        peer.send(json_answer({"detail": "no"}, status=500))
    elif 600 <= number < 700:
        server.count("wrong_body")
        peer.send(WRONG)
    else:
        server.count("ok")
        peer.send(RIGHT)


@pytest.mark.parametrize("users", [1, 10])
def test_every_error_is_counted_as_often_as_it_was_made(users: int) -> None:
    with Server(misbehave) as server:
        result = carry_out(make_load(users=users, requests=1400, changes=True), server.url)
    assert {"ok": result.ok, **result.errors} == server.did
    assert (result.sent, server.requests, unaccounted(result)) == (1400, 1400, 0)
    assert len(result.unconfirmed) == 1400 - result.ok
    assert result.error_s > 0
    assert len(result.examples) == 3
    assert all(example.startswith("GET /hello: ") for example in result.examples)
    lost = server.did["reset"] + server.did["truncated"]
    assert lost <= result.connections_opened <= users + lost


def test_the_numbers_of_failed_requests_are_known() -> None:
    with Server(misbehave) as server:
        result = carry_out(make_load(users=1, requests=150, changes=True), server.url)
    bad = [n for n in range(150) if n % 50 == 49 or n % 70 == 69 or n % 7 == 6]
    assert result.unconfirmed == tuple(bad)


def test_a_connection_that_was_closed_unannounced_is_stale() -> None:
    """The server answers five requests on each connection, says no more, and reads on."""

    def five(server: Server, peer: Peer, number: int) -> None:
        if peer.served >= 5:
            server.count("unanswered")
            return
        server.count("answered")
        peer.send(RIGHT)
        if peer.served == 4:
            peer.socket.shutdown(socket.SHUT_WR)

    with Server(five) as server:
        result = carry_out(make_load(users=4, requests=200), server.url)
        server.wait()
    assert result.errors == {"stale_connection": server.did["unanswered"]}
    assert result.ok == server.did["answered"]
    assert result.sent == server.requests == 200


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("users", "requests"), [(1, 3), (5, 5), (10, 4), (3, 12)])
def test_refused_connections_are_requests_lost(users: int, requests: int) -> None:
    result = carry_out(make_load(users=users, requests=requests), closed_port())
    assert (result.sent, result.ok, result.errors) == (requests, 0, {"connect_refused": requests})
    assert result.connections_opened == 0
    assert "Connection refused" in result.examples[0]


def test_a_user_without_server_does_not_spin() -> None:
    """In 0.3 s: 1 + 2 + 4 + ... + 64 ms, then 100 ms each, with room for coarse timers."""
    result = carry_out(make_load(users=1, duration_s=0.3), closed_port())
    assert 1 <= result.sent <= 20
    assert result.errors == {"connect_refused": result.sent}


@pytest.mark.skipif(sys.platform != "linux", reason="how full a backlog is, is the kernel's affair")
def test_a_connect_that_nobody_accepts_times_out() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = carry_out(make_load(users=2, requests=4, timeout_s=0.2), url)
    assert result.errors == {"connect_timeout": 4}
    assert result.sent == 4


def test_a_mute_server_runs_into_the_timeout() -> None:
    with Server(lambda server, peer, number: peer.hold()) as server:
        result = carry_out(make_load(users=3, requests=6, timeout_s=0.2), server.url)
        server.wait()
        assert server.requests == 6
    assert result.errors == {"response_timeout": 6}
    assert result.error_s >= 6 * 0.2
    assert "no answer came within" in result.examples[0]


@pytest.mark.parametrize("dripping", [RIGHT, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6])
def test_a_dripping_answer_runs_into_the_timeout(dripping: bytes) -> None:
    def drip(server: Server, peer: Peer, number: int) -> None:
        for each in range(len(dripping)):
            peer.send(dripping[each : each + 1])
            server.stopping.wait(0.02)

    with Server(drip) as server:
        result = carry_out(make_load(users=2, requests=2, timeout_s=0.3), server.url)
    assert result.errors == {"response_timeout": 2}
    assert result.error_s >= 2 * 0.3
    assert "but not all" in result.examples[0]


def test_a_timeout_is_for_each_request() -> None:
    """Requests that are in time go on for longer than the timeout in all."""

    def late(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(0.05)
        peer.send(RIGHT)

    with Server(late) as server:
        result = carry_out(make_load(users=2, requests=20, timeout_s=0.4), server.url)
    assert (result.ok, result.errors) == (20, {})
    assert result.elapsed_s > 0.4


CUT = [
    b"HTTP/1.1 200 OK\r\nContent-Le",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nabcde\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
]


@pytest.mark.parametrize("sent", CUT)
def test_an_answer_that_is_cut_off_is_truncated(sent: bytes) -> None:
    def cut(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(cut) as server:
        result = carry_out(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"truncated": 6}
    assert server.requests == 6


MALFORMED = {
    "garbage": b"I am no web server\r\n",
    "binary": bytes(range(256)),
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "another version": answer(b"{}", version="2.0"),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "a bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "another protocol": b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "surplus bytes": answer(b"{}") + b"x",
    "two answers": answer(b"{}") + answer(b"{}"),
    "surplus after the last": answer(b"{}", headers=("Connection: close",)) + b"x",
    "a body with 204": b"HTTP/1.1 204 No Content\r\n\r\nabc",
    "a long header in one piece": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 10_000 + b"\r\n",
    "many interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000,
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_malformed(sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.hold()

    with Server(send) as server:
        result = carry_out(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}
    assert server.requests == 6
    assert max(len(example) for example in result.examples) < 400


@pytest.mark.parametrize("body", [b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n"])
def test_a_body_in_answer_to_head_is_malformed(body: bytes) -> None:
    framing = b"Transfer-Encoding: chunked" if b"\r\n" in body else b"Content-Length: 3"

    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)
        peer.hold()

    exchange = Exchange(request=Request(method="HEAD"), answer=Answer())
    with Server(send) as server:
        result = carry_out(make_load(exchange, users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}


def test_the_longest_header_that_is_allowed() -> None:
    fixed = len(b"HTTP/1.1 200 OK\r\nX: \r\nContent-Length: 0\r\n\r\n")
    sent = b"HTTP/1.1 200 OK\r\nX: " + b"y" * (65536 - fixed) + b"\r\nContent-Length: 0\r\n\r\n"
    with Server(lambda server, peer, number: peer.send(sent)) as server:
        result = carry_out(make_load(ANYTHING, users=2, requests=6), server.url)
    assert (result.ok, result.errors) == (6, {}), result.examples


ENDLESS = {
    "garbage": (b"", b"abc" * 1000, ErrorClass.MALFORMED),
    "newlines": (b"", b"\r\n" * 1000, ErrorClass.MALFORMED),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n" * 100, ErrorClass.MALFORMED),
    "interim": (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100, ErrorClass.MALFORMED),
    "body": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100_000, ErrorClass.WRONG_BODY),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n" + b"x" * 65536 + b"\r\n",
        ErrorClass.WRONG_BODY,
    ),
    "failure": (b"HTTP/1.1 500 No\r\n\r\n", b"x" * 100_000, ErrorClass.WRONG_STATUS),
}


@pytest.mark.parametrize(("head", "repeated", "error"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("rule", list(BodyRule))
def test_an_answer_without_end_is_given_up(
    head: bytes, repeated: bytes, error: ErrorClass, rule: BodyRule
) -> None:
    def send_for_ever(server: Server, peer: Peer, number: int) -> None:
        peer.send(head)
        while True:
            peer.send(repeated)

    exchange = Exchange(request=Request(), answer=Answer(rule=rule, json=HELLO_JSON))
    with Server(send_for_ever) as server:
        result = carry_out(make_load(exchange, users=2, requests=2), server.url)
    assert result.errors == {error: 2}
    assert result.bytes_received < 2 * 65 * 2**20


def test_bytes_before_the_request_are_malformed() -> None:
    def never(server: Server, peer: Peer, number: int) -> None:
        server.count("asked")

    with Server(never, greeting=lambda peer: peer.send(b"220 welcome\r\n")) as server:
        result = carry_out(make_load(users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}


def test_connections_closed_at_once_are_requests_lost() -> None:
    def shut(peer: Peer) -> None:
        peer.close()

    with Server(lambda server, peer, number: None, greeting=shut) as server:
        result = carry_out(make_load(users=2, requests=6), server.url)
    assert result.errors == {"reset": 6}


def test_a_server_that_ends_loses_requests_and_no_more() -> None:
    """The server answers 100 requests, then cuts its connections and listens no more."""

    def end(server: Server, peer: Peer, number: int) -> None:
        if number < 100:
            peer.send(RIGHT)
            return
        if server.count("cut") == 0:
            server.refuse()
        peer.reset()

    with Server(end) as server:
        result = carry_out(make_load(users=4, requests=120, changes=True), server.url)
    assert (result.sent, result.ok, unaccounted(result)) == (120, 100, 0)
    assert result.errors.keys() == {"reset", "connect_refused"}
    assert result.errors["reset"] >= server.did["cut"]
    assert len(result.unconfirmed) == 20


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


def test_bodies_with_a_content_encoding_are_unpacked_and_judged() -> None:
    check_codings(carry_out)


def test_the_same_bytes_are_right_only_with_the_same_content_encoding() -> None:
    """What is remembered of a right answer holds for what it said of its encoding, too."""
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
