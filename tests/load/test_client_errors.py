"""The native client against servers that do not behave: each error is counted, exactly."""

import gzip
import json
import os
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request

from .loads import ANYTHING, HELLO_JSON, carry_out, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer
from .test_contract import ENDLESS

RIGHT = json_answer(HELLO_JSON)


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
