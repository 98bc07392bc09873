"""What every engine must do, tried on all three: each error is counted as often as the server made it.

What one of them cannot do stands in :data:`CANNOT`, with the reason. It is tried all the same, and must fail.
"""

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest

from pytest_webbench.load.k6 import K6Engine
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import ErrorClass, LoadEngine

from .codings import check_codings
from .loads import ANYTHING, HELLO, HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, answer, closed_port, json_answer

RIGHT = json_answer(HELLO_JSON)
POST_HELLO = replace(HELLO, request=Request(method="POST", path="/hello", body="{}"))
"""Go's client sends a GET again on its own; a POST it does not."""
ENGINES = ("native", "k6", "locust")
_SURPLUS = "Go's client does not notice bytes after the end of a response"
CANNOT: dict[str, dict[str, str]] = {
    "k6": {
        "half a header": "Go calls it malformed",
        **dict.fromkeys(("surplus bytes", "two answers", "surplus after the last"), _SURPLUS),
        **dict.fromkeys(("a body with 204", "a body with HEAD"), _SURPLUS),
        **dict.fromkeys(("a last chunk with HEAD", "chunks with HEAD"), _SURPLUS),
        "another version": "Go reads HTTP/2.0 as it does HTTP/1.1",
        "a long header in one piece": "Go reads up to 10 MiB of headers",
        "many headers": "Go reads up to 10 MiB of headers",
        "many interim answers": "Go reads up to 10 MiB of headers",
    },
}


@pytest.fixture(scope="module", params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(name: str, request: pytest.FixtureRequest) -> Iterator[LoadEngine]:
    """Serves all tests of its kind."""
    if name == "locust":
        yield request.getfixturevalue("locust_engine")
        return
    with closing(NativeEngine() if name == "native" else K6Engine()) as made:
        yield made


@pytest.fixture
def case(request: pytest.FixtureRequest, name: str) -> None:
    """A case by its id. What an engine cannot do has to fail, else docs/engines.md says too little of it."""
    reason = CANNOT.get(name, {}).get(request.node.callspec.id.partition("-")[2])
    if reason is not None:
        request.applymarker(pytest.mark.xfail(strict=True, reason=reason))


def misbehave(server: Server, peer: Peer, number: int) -> None:
    """Reset every 50th request, truncate every 70th response, fail every 7th, lie from 600 to 700."""
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
        peer.send(json_answer({"hello": "moon"}))
    else:
        server.count("ok")
        peer.send(RIGHT)


# Accounts.


@pytest.mark.parametrize("users", [1, 10])
def test_every_error_is_counted_as_often_as_it_was_made(engine: LoadEngine, users: int) -> None:
    with Server(misbehave) as server:
        result = engine.run(make_load(POST_HELLO, users=users, requests=1400, changes=True), server.url)
    assert {"ok": result.ok, **result.errors} == server.did
    assert (result.sent, server.requests, unaccounted(result)) == (1400, 1400, 0)
    assert len(result.unconfirmed) == 1400 - result.ok
    assert result.error_s > 0
    assert all(example.startswith("POST /hello: ") for example in result.examples)
    lost = server.did["reset"] + server.did["truncated"]
    assert lost <= result.connections_opened <= server.connections


def test_the_numbers_of_failed_requests_are_those_of_the_load(engine: LoadEngine) -> None:
    def fail_some(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(status=500 if int(peer.path[1:]) % 7 == 3 else 200))

    exchanges = [Exchange(request=Request(path=f"/{n}"), answer=Answer()) for n in range(150)]
    with Server(fail_some) as server:
        result = engine.run(make_load(*exchanges, users=3, requests=150, changes=True), server.url)
    assert result.unconfirmed == tuple(n for n in range(150) if n % 7 == 3)


def count_paths(server: Server, peer: Peer, number: int) -> None:
    server.count(peer.path)
    peer.send(answer())


@pytest.mark.parametrize(("requests", "duration_s"), [(500, None), (None, 60.0)])
def test_without_repetition_each_exchange_is_sent_once(
    engine: LoadEngine, requests: int | None, duration_s: float | None
) -> None:
    exchanges = [Exchange(request=Request(path=f"/{n}"), answer=Answer()) for n in range(41)]
    load = make_load(*exchanges, users=3, requests=requests, duration_s=duration_s, repeat=False)
    with Server(count_paths) as server:
        result = engine.run(load, server.url)
    assert server.did == Counter(f"/{n}" for n in range(41))
    assert (result.sent, result.ok) == (41, 41)
    assert 0 < result.elapsed_s < 60


@pytest.mark.parametrize(("users", "requests"), [(1, 1), (7, 100), (20, 3), (3, 0)])
def test_users_share_exactly_the_requests(engine: LoadEngine, users: int, requests: int) -> None:
    with Server(count_paths) as server:
        result = engine.run(make_load(ANYTHING, users=users, requests=requests), server.url)
        assert server.requests == requests
    assert (result.sent, result.ok, result.in_flight, result.errors) == (requests, requests, 0, {})
    assert len(result.latency_ns) == len(result.ttfb_ns) == requests
    assert len(result.service_ns) == 0
    assert result.unconfirmed == ()
    assert result.bytes_received == requests * len(answer())


def test_exchanges_come_in_order_and_again(engine: LoadEngine) -> None:
    exchanges = [Exchange(request=Request(path=f"/{n}"), answer=Answer()) for n in range(7)]
    with Server(count_paths) as server:
        engine.run(make_load(*exchanges, users=3, requests=40), server.url)
    assert server.did == Counter(f"/{n % 7}" for n in range(40))


def test_a_host_name_is_looked_up_and_a_prefix_kept(engine: LoadEngine) -> None:
    with Server(count_paths) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        result = engine.run(make_load(ANYTHING, users=2, requests=10), f"{url}/api/")
    assert (result.ok, result.errors, server.did) == (10, {}, {"/api/any": 10})


def test_a_large_request_arrives_whole(engine: LoadEngine) -> None:
    body = "x" * 3_000_000

    def compare(server: Server, peer: Peer, number: int) -> None:
        server.count("whole" if peer.body == body.encode() else "spoilt")
        peer.send(answer(b"ok"))

    exchange = Exchange(request=Request(method="POST", path="/big", body=body), answer=Answer())
    with Server(compare) as server:
        result = engine.run(make_load(exchange, users=2, requests=4), server.url)
    assert (result.ok, server.did) == (4, {"whole": 4})


def test_a_large_response_is_judged_whole(engine: LoadEngine) -> None:
    items = [{"id": number, "name": "x" * 120} for number in range(1000)]
    wrong = [*items[:321], {"id": 321, "name": "y"}, *items[322:]]

    def every_third_wrong(server: Server, peer: Peer, number: int) -> None:
        peer.send(json_answer(wrong if number % 3 == 2 else items))

    exchange = Exchange(request=Request(path="/items/"), answer=Answer(rule=BodyRule.JSON, json=items))
    with Server(every_third_wrong) as server:
        result = engine.run(make_load(exchange, users=1, requests=12, changes=True), server.url)
    assert (result.ok, result.errors) == (8, {"wrong_body": 4})
    assert result.unconfirmed == (2, 5, 8, 11)
    assert 'GET /items/: item 321: "name" is "y", expected' in result.examples[0]
    assert sum(result.example_counts) == 4


def test_a_delay_is_a_lower_bound_of_every_latency(engine: LoadEngine) -> None:
    delay_s = 0.02

    def late(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(delay_s)
        peer.send(RIGHT[:-5])
        server.stopping.wait(delay_s)
        peer.send(RIGHT[-5:])

    with Server(late) as server:
        result = engine.run(make_load(users=4, requests=20), server.url)
    assert result.ttfb_ns.min_ns >= delay_s * 1e9
    pairs = zip(result.ttfb_ns.samples, result.latency_ns.samples, strict=True)
    assert all(first < last for first, last in pairs)
    assert result.elapsed_s >= 5 * 2 * delay_s
    assert result.latency_ns.sum_ns / 1e9 <= 4 * result.elapsed_s
    assert result.generator_cpu_s > 0
    assert 0 < result.generator_busy <= 1


def test_the_deadline_ends_a_load_that_goes_well(engine: LoadEngine) -> None:
    with Server(count_paths) as server:
        result = engine.run(make_load(ANYTHING, users=3, duration_s=0.3), server.url)
        server.wait()
        # A user of k6 that noticed the deadline before it had sent what it had taken counts as in flight.
        assert result.sent - 3 <= server.requests <= result.sent
    assert result.ok == result.sent - result.in_flight > 0
    assert result.in_flight <= 3
    assert unaccounted(result) == 0


@pytest.mark.parametrize(
    ("url", "users", "message"),
    [
        ("https://127.0.0.1:1", 5, "https is not supported"),
        ("http://no-such-host.invalid:80", 5, "has no address"),
        ("http://127.0.0.1:1", 0, "at least one user"),
    ],
)
def test_what_is_no_load_is_refused(engine: LoadEngine, url: str, users: int, message: str) -> None:
    with pytest.raises(LoadError, match=message):
        engine.run(make_load(users=users, requests=1), url)


def test_requests_open_at_the_deadline_are_in_flight(engine: LoadEngine) -> None:
    def hold_every_tenth(server: Server, peer: Peer, number: int) -> None:
        if number % 10 == 9:
            server.count("held")
            peer.hold()
        else:
            server.count("ok")
            peer.send(RIGHT)

    with Server(hold_every_tenth) as server:
        result = engine.run(make_load(users=4, duration_s=0.5, changes=True), server.url)
        server.wait()
    assert result.in_flight == server.did["held"] == 4
    assert result.ok == server.did["ok"]
    assert (result.sent, unaccounted(result)) == (server.requests, 0)
    assert len(result.unconfirmed) == 4
    assert 0 < result.in_flight_s <= 4 * result.elapsed_s
    assert result.elapsed_s >= 0.5


# Connections that fail.


@pytest.mark.parametrize(("users", "requests"), [(1, 3), (10, 4), (3, 12)])
def test_refused_connections_are_requests_lost(engine: LoadEngine, users: int, requests: int) -> None:
    result = engine.run(make_load(users=users, requests=requests), closed_port())
    assert (result.sent, result.ok, result.errors) == (requests, 0, {"connect_refused": requests})
    assert result.connections_opened == 0
    assert "connection refused" in result.examples[0].lower()


def test_a_user_without_server_does_not_spin(engine: LoadEngine) -> None:
    """In 0.3 s: 1 + 2 + 4 + ... + 64 ms, then 100 ms each, with room for coarse timers."""
    result = engine.run(make_load(users=1, duration_s=0.3), closed_port())
    assert 1 <= result.sent <= 20
    assert {"connect_refused": result.sent - result.in_flight} == result.errors


@pytest.mark.skipif(sys.platform != "linux", reason="how full a backlog is, is the kernel's affair")
def test_a_connect_that_nobody_accepts_times_out(engine: LoadEngine) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = engine.run(make_load(users=2, requests=4, timeout_s=0.2), url)
    assert result.errors == {"connect_timeout": 4}
    assert result.sent == 4


def test_a_mute_server_runs_into_the_timeout(engine: LoadEngine) -> None:
    with Server(lambda server, peer, number: peer.hold()) as server:
        result = engine.run(make_load(users=3, requests=6, timeout_s=0.2), server.url)
        server.wait()
        assert server.requests == 6
    assert result.errors == {"response_timeout": 6}
    assert result.error_s >= 6 * 0.2


@pytest.mark.parametrize("dripping", [RIGHT, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10**6], ids=["body", "head"])
def test_a_dripping_answer_runs_into_the_timeout(engine: LoadEngine, dripping: bytes) -> None:
    def drip(server: Server, peer: Peer, number: int) -> None:
        for each in range(len(dripping)):
            peer.send(dripping[each : each + 1])
            server.stopping.wait(0.02)

    with Server(drip) as server:
        result = engine.run(make_load(users=2, requests=2, timeout_s=0.3), server.url)
    assert result.errors == {"response_timeout": 2}
    assert result.error_s >= 2 * 0.3


def test_a_connection_that_was_closed_unannounced_is_stale(engine: LoadEngine, name: str) -> None:
    """The server responds to five requests on each connection, then stays silent, and reads on.

    What was sent on it is lost, and never sent again unseen. Only the native engine always sends before it
    looks; Go's and Locust's may find a connection closed in time, and replace it.
    """

    def five(server: Server, peer: Peer, number: int) -> None:
        if peer.served >= 5:
            server.count("unanswered")
            return
        server.count("answered")
        peer.send(RIGHT)
        if peer.served == 4:
            peer.socket.shutdown(socket.SHUT_WR)

    with Server(five) as server:
        result = engine.run(make_load(POST_HELLO, users=4, requests=200), server.url)
        server.wait()
    assert result.errors.get("stale_connection", 0) == server.did["unanswered"] == sum(result.errors.values())
    assert result.ok == server.did["answered"]
    assert result.sent == server.requests == 200
    assert result.errors or name != "native"


def test_a_connection_that_was_closed_without_an_answer_is_stale(engine: LoadEngine) -> None:
    def five(server: Server, peer: Peer, number: int) -> None:
        if peer.served >= 5:
            server.count("unanswered")
            peer.close()
        else:
            peer.send(RIGHT)

    with Server(five) as server:
        result = engine.run(make_load(POST_HELLO, users=4, requests=200), server.url)
    assert result.errors == {"stale_connection": server.did["unanswered"]}
    assert result.sent == server.requests == 200


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_fresh_connection_that_ends_is_a_request_lost(engine: LoadEngine, *, reset: bool) -> None:
    def end(server: Server, peer: Peer, number: int) -> None:
        peer.reset() if reset else peer.close()

    with Server(end) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"reset": 6}
    assert server.requests == 6


def test_a_server_that_ends_loses_requests_and_no_more(engine: LoadEngine) -> None:
    """The server responds to 100 requests, then cuts its connections and stops listening."""

    def end(server: Server, peer: Peer, number: int) -> None:
        if number < 100:
            peer.send(RIGHT)
            return
        if server.count("cut") == 0:
            server.refuse()
        peer.reset()

    with Server(end) as server:
        result = engine.run(make_load(POST_HELLO, users=4, requests=120, changes=True), server.url)
    assert (result.sent, result.ok, unaccounted(result)) == (120, 100, 0)
    assert result.errors.keys() == {"reset", "connect_refused"}
    assert len(result.unconfirmed) == 20


# Responses that are none.

CUT = {
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "half a last body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc",
    "half an old body": b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nabc",
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b"5\r\nabcde\r\n",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.usefixtures("case")
@pytest.mark.parametrize("sent", CUT.values(), ids=CUT)
def test_an_answer_that_is_cut_off_is_truncated(engine: LoadEngine, sent: bytes) -> None:
    def cut(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(cut) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
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
    "a body with HEAD": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a last chunk with HEAD": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks with HEAD": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.usefixtures("case")
@pytest.mark.parametrize(("kind", "sent"), MALFORMED.items(), ids=MALFORMED)
def test_what_is_no_http_is_malformed(engine: LoadEngine, kind: str, sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.hold()

    method = "HEAD" if "HEAD" in kind else "GET"
    exchange = Exchange(request=Request(method=method, path="/any"), answer=Answer())
    with Server(send) as server:
        result = engine.run(make_load(exchange, users=2, requests=2, timeout_s=3.0), server.url)
    assert result.errors == {"malformed": 2}, result.examples
    assert server.requests == 2
    assert max(map(len, result.examples)) < 400
    if kind == "a body with 204":
        assert "a 204 has no body, but 3 bytes followed" in result.examples[0]


def test_bytes_before_the_request_are_malformed(engine: LoadEngine) -> None:
    if engine.name == "k6":
        pytest.skip("Go's client takes them for the response, or drops the connection unseen")

    def never(server: Server, peer: Peer, number: int) -> None:
        server.count("asked")

    with Server(never, greeting=lambda peer: peer.send(b"220 welcome\r\n")) as server:
        result = engine.run(make_load(users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}


def test_a_change_of_protocol_is_called_one(engine: LoadEngine) -> None:
    if engine.name == "k6":
        pytest.skip("k6 says it in the words of Go")

    def change(server: Server, peer: Peer, number: int) -> None:
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        peer.hold()

    with Server(change) as server:
        result = engine.run(make_load(ANYTHING, users=1, requests=2), server.url)
    assert result.errors == {"malformed": 2}
    assert "the server changed to another protocol" in result.examples[0]


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
def test_an_answer_without_end_is_given_up(
    engine: LoadEngine, head: bytes, repeated: bytes, error: ErrorClass
) -> None:
    if engine.name == "k6":
        pytest.skip("k6 has no bound on a response but its memory, which another test is about")

    def send_for_ever(server: Server, peer: Peer, number: int) -> None:
        peer.send(head)
        while True:
            peer.send(repeated)

    exchange = Exchange(request=Request(), answer=Answer(rule=BodyRule.JSON, json=HELLO_JSON))
    with Server(send_for_ever) as server:
        result = engine.run(make_load(exchange, users=2, requests=2), server.url)
    assert result.errors == {error: 2}
    assert result.bytes_received < 2 * 65 * 2**20


# Responses that are right.

ENDINGS = {
    "with the connection": b"HTTP/1.1 200 OK\r\n\r\n" + b'{"hello": "world"}',
    "announced": answer(b'{"hello": "world"}', headers=("Connection: close",)),
    "HTTP/1.0": answer(b'{"hello": "world"}', version="1.0"),
    "after interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3
    + answer(b'{"hello": "world"}', headers=("Connection: close",)),
    "with the connection of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + b'{"hello": "world"}',
    "with the connection after an interim answer": b"HTTP/1.1 100 Wait\r\nLink: </a>\r\n\r\n"
    b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"hello": "world"}',
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b'5\r\n{"hel\r\nd\r\nlo": "world"}\r\n0\r\n\r\n',
}


@pytest.mark.parametrize("sent", ENDINGS.values(), ids=ENDINGS)
def test_a_right_answer_may_end_in_many_ways(engine: LoadEngine, sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(send) as server:
        result = engine.run(make_load(users=2, requests=6), server.url)
    assert (result.ok, result.errors) == (6, {}), result.examples
    assert 6 <= result.connections_opened <= 7


def test_bodies_with_a_content_encoding_are_unpacked_and_judged(engine: LoadEngine) -> None:
    check_codings(engine.run)


def test_a_redirect_is_not_followed_and_a_cookie_not_kept(engine: LoadEngine) -> None:
    def redirect(server: Server, peer: Peer, number: int) -> None:
        server.count("cookie" if b"ookie" in peer.request else "plain")
        peer.send(answer(status=302, headers=("Location: /other", "Set-Cookie: a=b; Path=/")))

    with Server(redirect) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"wrong_status": 6}
    assert server.did == {"plain": 6}
