"""The native client against servers that behave: what is counted, timed and sent."""

import gc
from collections import Counter

import pytest

from pytest_webbench.load.native.connection import Connection
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request

from .loads import ANYTHING, HELLO, HELLO_JSON, carry_out, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer

RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    server.count(peer.path)
    peer.send(RIGHT)


@pytest.mark.parametrize(
    ("users", "requests"), [(1, 1), (1, 250), (7, 100), (7, 7), (20, 3), (20, 1000), (3, 0)]
)
def test_users_share_exactly_the_requests(users: int, requests: int) -> None:
    with Server(say_hello) as server:
        result = carry_out(make_load(users=users, requests=requests), server.url)
    assert server.requests == requests
    assert (result.sent, result.ok, result.in_flight, result.errors) == (requests, requests, 0, {})
    assert len(result.latency_ns) == len(result.ttfb_ns) == requests
    assert result.unconfirmed == ()
    assert result.connections_opened == users


def test_exchanges_come_in_order_and_again() -> None:
    exchanges = [Exchange(request=Request(path=f"/{each}"), answer=Answer()) for each in range(7)]
    with Server(say_hello) as server:
        carry_out(make_load(*exchanges, users=3, requests=40), server.url)
    assert server.did == Counter(f"/{number % 7}" for number in range(40))


@pytest.mark.parametrize("bound", [{"requests": 100}, {"duration_s": 60.0}])
def test_without_repeat_each_exchange_is_sent_once(bound: dict[str, float]) -> None:
    exchanges = [Exchange(request=Request(path=f"/{each}"), answer=Answer()) for each in range(25)]
    with Server(say_hello) as server:
        result = carry_out(make_load(*exchanges, users=4, repeat=False, **bound), server.url)  # type: ignore[arg-type]
    assert result.sent == result.ok == 25
    assert server.did == Counter(f"/{number}" for number in range(25))
    assert result.elapsed_s < 60


def test_a_delay_is_a_lower_bound_of_every_latency() -> None:
    delay_s = 0.02

    def late(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(delay_s)
        peer.send(RIGHT)

    with Server(late) as server:
        result = carry_out(make_load(users=4, requests=40), server.url)
    assert result.ttfb_ns.min_ns >= delay_s * 1e9
    assert all(
        ttfb <= whole for ttfb, whole in zip(result.ttfb_ns.samples, result.latency_ns.samples, strict=True)
    )
    assert result.elapsed_s >= 10 * delay_s
    assert result.latency_ns.sum_ns / 1e9 <= 4 * result.elapsed_s


def test_the_first_byte_is_timed_apart_from_the_last() -> None:
    def in_two(server: Server, peer: Peer, number: int) -> None:
        peer.send(RIGHT[:-5])
        server.stopping.wait(0.02)
        peer.send(RIGHT[-5:])

    with Server(in_two) as server:
        result = carry_out(make_load(users=2, requests=4), server.url)
    assert result.ok == 4
    gaps = [
        whole - first for first, whole in zip(result.ttfb_ns.samples, result.latency_ns.samples, strict=True)
    ]
    assert min(gaps) > 0


def test_requests_open_at_the_deadline_are_in_flight() -> None:
    def ten_only(server: Server, peer: Peer, number: int) -> None:
        if number < 10:
            peer.send(RIGHT)
        else:
            peer.hold()

    with Server(ten_only) as server:
        result = carry_out(make_load(users=4, duration_s=0.3, changes=True), server.url)
        server.wait()
        assert server.requests == result.sent == 14
    assert (result.ok, result.in_flight, result.errors) == (10, 4, {})
    assert len(set(result.unconfirmed)) == 4
    assert set(result.unconfirmed) <= set(range(14))
    assert result.elapsed_s >= 0.3
    assert 0 < result.in_flight_s <= 4 * result.elapsed_s


def test_the_deadline_ends_a_load_that_goes_well() -> None:
    with Server(say_hello) as server:
        result = carry_out(make_load(users=3, duration_s=0.2), server.url)
        server.wait()
        assert server.requests == result.sent
    assert result.ok == result.sent - result.in_flight > 0
    assert result.in_flight == 3
    assert unaccounted(result) == 0
    assert result.connections_opened == 3


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
        result = carry_out(make_load(users=3, requests=30), server.url)
    assert (result.ok, result.errors) == (30, {}), result.examples
    assert result.connections_opened == 3
    assert result.bytes_received == 30 * len(sent)


@pytest.mark.parametrize(
    "sent",
    [
        answer(HELLO_BYTES, headers=("Connection: close",)),
        answer(HELLO_BYTES, version="1.0"),
        b"HTTP/1.0 200 OK\r\n\r\n" + HELLO_BYTES,
        b"HTTP/1.1 200 OK\r\n\r\n" + HELLO_BYTES,
        interim(100) + b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HELLO_BYTES,
    ],
)
def test_answers_that_end_the_connection(sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(send) as server:
        result = carry_out(make_load(users=3, requests=30), server.url)
    assert (result.ok, result.errors) == (30, {}), result.examples
    assert 30 <= result.connections_opened <= 32


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


def test_a_large_request_arrives_whole() -> None:
    body = "x" * 3_000_000

    def compare(server: Server, peer: Peer, number: int) -> None:
        server.count("whole" if peer.body == body.encode() else "spoilt")
        peer.send(answer(b"ok"))

    exchange = Exchange(request=Request(method="POST", path="/big", body=body), answer=Answer())
    with Server(compare) as server:
        result = carry_out(make_load(exchange, users=2, requests=6), server.url)
    assert result.ok == 6
    assert server.did == {"whole": 6}


def test_a_large_answer_is_judged_whole() -> None:
    items = [{"id": number, "name": "x" * 50} for number in range(5000)]
    wrong = [*items[:4321], {"id": 4321, "name": "y"}, *items[4322:]]

    def every_third_wrong(server: Server, peer: Peer, number: int) -> None:
        peer.send(json_answer(wrong if number % 3 == 2 else items))

    exchange = Exchange(request=Request(path="/items/"), answer=Answer(rule=BodyRule.JSON, json=items))
    with Server(every_third_wrong) as server:
        result = carry_out(make_load(exchange, users=1, requests=9, changes=True), server.url)
    assert (result.ok, result.errors) == (6, {"wrong_body": 3})
    assert result.unconfirmed == (2, 5, 8)
    assert 'GET /items/: item 4321: "name" is "y", expected' in result.examples[0]


def test_a_prefix_stands_before_each_path() -> None:
    with Server(say_hello) as server:
        carry_out(make_load(users=1, requests=2), f"{server.url}/api/")
    assert server.did == {"/api/hello": 2}


def test_a_host_name_is_looked_up() -> None:
    with Server(say_hello) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        result = carry_out(make_load(users=2, requests=10), url)
    assert (result.ok, result.errors) == (10, {})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://127.0.0.1:1", "https is not supported"),
        ("http://", "not of the form"),
        ("http://127.0.0.1:99999", "cannot be read"),
        ("http://127.0.0.1:1/?a", "more than host"),
        ("http://no-such-host.invalid:80", "has no address"),
    ],
)
def test_addresses_that_no_load_can_go_to(url: str, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        carry_out(make_load(requests=1), url)


def test_a_load_of_nothing_is_refused() -> None:
    with pytest.raises(LoadError, match="at least one user"):
        carry_out(make_load(users=0, requests=1), "http://127.0.0.1:1")


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
