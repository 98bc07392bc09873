"""The native client against servers that behave: what is counted, timed and sent."""

import gc

import pytest

from pytest_webbench.load.native.connection import Connection
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request

from .loads import ANYTHING, HELLO, HELLO_JSON, carry_out, make_load
from .servers import Peer, Server, answer, json_answer

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
    """An answer equal to one that was right is not parsed again; one that differs is."""

    def vary(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(HELLO_BYTES, headers=(f"X-Number: {number // 5}",)))

    with Server(vary) as server:
        result = carry_out(make_load(exchange, users=1, requests=50), server.url)
    assert (result.ok, result.errors) == (50, {})
