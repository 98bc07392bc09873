"""The Locust engine: real workers of Locust against servers that count what they answered."""

import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from pytest_webbench.load import limits
from pytest_webbench.load.http1.bounds import MAX_HEAD
from pytest_webbench.load.locust import LocustEngine
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Arrivals, ErrorClass, LoadEngine, Schedule

from .codings import check_codings
from .loads import ANYTHING, HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer
from .test_client_errors import CUT, ENDLESS, MALFORMED, closed_port, misbehave

RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


def numbered(count: int) -> tuple[Exchange, ...]:
    return tuple(Exchange(request=Request(path=f"/{n}"), answer=Answer()) for n in range(count))


@pytest.fixture(scope="module")
def engine() -> Iterator[LocustEngine]:
    """Two workers, which serve all the tests that leave them alive."""
    engine = LocustEngine(workers=2)
    yield engine
    engine.close()


def test_it_is_an_engine() -> None:
    as_engine: LoadEngine = LocustEngine()
    assert as_engine.name == "locust"
    as_engine.close()


def test_nothing_of_locust_comes_into_the_process_of_the_tests() -> None:
    code = (
        "import sys; from pytest_webbench.load.locust import LocustEngine; LocustEngine(workers=2);"
        "print([name for name in ('locust', 'gevent', 'zmq') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_two_workers_carry_out_load_after_load(engine: LocustEngine) -> None:
    pids = set()
    with Server(say_hello) as server:
        for requests in (2, 101, 37):
            result = engine.run(make_load(users=4, requests=requests), server.url)
            assert (result.sent, result.ok, unaccounted(result)) == (requests, requests, 0)
            assert len(result.latency_ns) == len(result.ttfb_ns) == requests
            assert result.ttfb_ns.min_ns > 0
            assert result.users == 4
            pids.add(engine.pids)
        assert server.requests == 140
    assert {len(each) for each in pids} == {3}
    assert len(pids) == 1


@pytest.mark.parametrize("users", [1, 10])
def test_every_error_is_counted_as_often_as_it_was_made(engine: LocustEngine, users: int) -> None:
    with Server(misbehave) as server:
        result = engine.run(make_load(users=users, requests=1400, changes=True), server.url)
    assert {"ok": result.ok, **result.errors} == server.did
    assert (result.sent, server.requests, unaccounted(result)) == (1400, 1400, 0)
    assert len(result.unconfirmed) == 1400 - result.ok
    assert len(result.examples) == 3
    lost = server.did["reset"] + server.did["truncated"]
    assert lost <= result.connections_opened <= users + lost


def test_the_numbers_of_failed_requests_are_those_of_the_whole_load(engine: LocustEngine) -> None:
    def fail_some(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(status=500 if int(peer.path[1:]) % 7 == 3 else 200))

    with Server(fail_some) as server:
        result = engine.run(make_load(*numbered(150), users=3, requests=150, changes=True), server.url)
    assert result.unconfirmed == tuple(n for n in range(150) if n % 7 == 3)


def count_paths(server: Server, peer: Peer, number: int) -> None:
    server.count(peer.path)
    peer.send(answer())


def test_requests_are_shared_without_a_gap_and_without_a_double(engine: LocustEngine) -> None:
    with Server(count_paths) as server:
        result = engine.run(make_load(*numbered(7), users=3, requests=150), server.url)
    assert result.ok == 150
    assert server.did == Counter(f"/{n % 7}" for n in range(150))


@pytest.mark.parametrize("duration_s", [None, 60])
def test_without_repetition_each_exchange_is_sent_once_by_all_workers_together(
    engine: LocustEngine, duration_s: float | None
) -> None:
    requests = 500 if duration_s is None else None
    load = make_load(*numbered(41), users=3, requests=requests, duration_s=duration_s, repeat=False)
    with Server(count_paths) as server:
        result = engine.run(load, server.url)
    assert server.did == Counter(f"/{n}" for n in range(41))
    assert (result.sent, result.ok) == (41, 41)


def test_a_duration_ends_with_requests_in_flight(engine: LocustEngine) -> None:
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
    assert result.in_flight_s > 0
    assert result.elapsed_s >= 0.5


def test_a_latency_is_what_the_server_took(engine: LocustEngine) -> None:
    def late(server: Server, peer: Peer, number: int) -> None:
        server.stopping.wait(0.02)
        peer.send(RIGHT[:20])
        server.stopping.wait(0.02)
        peer.send(RIGHT[20:])

    with Server(late) as server:
        result = engine.run(make_load(users=4, requests=20), server.url)
    assert result.ttfb_ns.min_ns >= 20e6
    assert result.latency_ns.min_ns >= 40e6
    assert all(
        first < last for first, last in zip(result.ttfb_ns.samples, result.latency_ns.samples, strict=True)
    )
    assert result.elapsed_s >= 5 * 0.04
    assert result.generator_cpu_s > 0
    assert 0 < result.generator_busy < 1


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_an_open_loop_sends_what_is_due(engine: LocustEngine, arrivals: Arrivals) -> None:
    schedule = Schedule(rate=400, arrivals=arrivals, seed=7)
    with Server(say_hello) as server:
        result = engine.run(make_load(users=8, requests=200, schedule=schedule), server.url)
    assert (result.scheduled, result.sent, result.ok, result.dropped) == (200, 200, 200, 0)
    assert server.requests == 200
    assert len(result.service_ns) == 200
    pairs = zip(result.latency_ns.samples, result.service_ns.samples, strict=True)
    assert all(latency >= service for latency, service in pairs)
    assert result.lag_s > 0


def test_the_wait_for_a_stalled_server_is_latency(engine: LocustEngine) -> None:
    """The first answer of each of the two connections takes 0.4 s, in which 20 requests a second are due."""

    def stall(server: Server, peer: Peer, number: int) -> None:
        if peer.served == 0:
            server.stopping.wait(0.4)
        peer.send(RIGHT)

    with Server(stall) as server:
        load = make_load(users=2, duration_s=1.0, schedule=Schedule(rate=20))
        result = engine.run(load, server.url)
    assert result.scheduled == result.sent + result.dropped == 20
    assert result.ok + result.in_flight == result.sent
    assert sum(service >= 0.4e9 for service in result.service_ns.samples) == 2
    assert sum(latency >= 0.1e9 for latency in result.latency_ns.samples) >= 6


def test_what_could_not_be_sent_in_time_was_dropped(engine: LocustEngine) -> None:
    with Server(lambda server, peer, number: peer.hold()) as server:
        load = make_load(users=2, duration_s=0.5, schedule=Schedule(rate=100))
        result = engine.run(load, server.url)
        server.wait()
        assert server.requests == 2
    assert (result.scheduled, result.sent, result.in_flight, result.dropped) == (50, 2, 2, 48)


def test_an_idle_connection_may_be_closed_in_an_open_loop(engine: LocustEngine) -> None:
    """The server announces nothing and closes after each answer; nothing is due for 0.1 s then."""

    def once(server: Server, peer: Peer, number: int) -> None:
        peer.send(RIGHT)
        peer.close()

    with Server(once) as server:
        load = make_load(users=2, requests=8, schedule=Schedule(rate=20))
        result = engine.run(load, server.url)
    assert (result.ok, result.errors) == (8, {})
    assert server.connections >= 8


# What a server can do wrong: as the native engine says it.


def test_a_connection_that_was_closed_unannounced_is_stale(engine: LocustEngine) -> None:
    """The server answers five requests on each connection, says no more, and reads on: the client of
    Locust would ask again on another connection, and say nothing of it. Here what was sent is lost, and a
    connection that was seen to be closed is replaced before anything is sent on it."""

    def five(server: Server, peer: Peer, number: int) -> None:
        if peer.served >= 5:
            server.count("unanswered")
            return
        server.count("answered")
        peer.send(RIGHT)
        if peer.served == 4:
            peer.socket.shutdown(socket.SHUT_WR)

    with Server(five) as server:
        result = engine.run(make_load(users=4, requests=200), server.url)
        server.wait()
    assert result.errors.get("stale_connection", 0) == server.did["unanswered"]
    assert result.ok == server.did["answered"]
    assert result.sent == server.requests == 200


def test_refused_connections_are_requests_lost(engine: LocustEngine) -> None:
    result = engine.run(make_load(users=3, requests=12), closed_port())
    assert (result.sent, result.ok, result.errors) == (12, 0, {"connect_refused": 12})
    assert result.connections_opened == 0


def test_a_mute_server_runs_into_the_timeout(engine: LocustEngine) -> None:
    with Server(lambda server, peer, number: peer.hold()) as server:
        result = engine.run(make_load(users=3, requests=6, timeout_s=0.2), server.url)
        server.wait()
        assert server.requests == 6
    assert result.errors == {"response_timeout": 6}
    assert result.error_s >= 6 * 0.2


def test_a_dripping_answer_runs_into_the_timeout(engine: LocustEngine) -> None:
    def drip(server: Server, peer: Peer, number: int) -> None:
        for each in range(len(RIGHT)):
            peer.send(RIGHT[each : each + 1])
            server.stopping.wait(0.02)

    with Server(drip) as server:
        result = engine.run(make_load(users=2, requests=2, timeout_s=0.3), server.url)
    assert result.errors == {"response_timeout": 2}
    assert "but not all" in result.examples[0]


@pytest.mark.parametrize("sent", CUT)
def test_an_answer_that_is_cut_off_is_truncated(engine: LocustEngine, sent: bytes) -> None:
    def cut(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(cut) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"truncated": 6}
    assert server.requests == 6


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_malformed(engine: LocustEngine, sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.hold()

    with Server(send) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}
    assert server.requests == 6
    if b" 204 " in sent:
        assert "a 204 has no body, but 3 bytes followed" in result.examples[0]


@pytest.mark.parametrize("body", [b"abc", b"3\r\nabc\r\n0\r\n\r\n"])
def test_a_body_in_answer_to_head_is_malformed(engine: LocustEngine, body: bytes) -> None:
    framing = b"Transfer-Encoding: chunked" if b"\r\n" in body else b"Content-Length: 3"

    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body)
        peer.hold()

    exchange = Exchange(request=Request(method="HEAD"), answer=Answer())
    with Server(send) as server:
        result = engine.run(make_load(exchange, users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}


@pytest.mark.parametrize("extra", [0, 1])
def test_headers_as_long_as_may_be_are_not_taken_for_the_end(engine: LocustEngine, extra: int) -> None:
    """What follows comes in a piece of its own, of which nothing may be a header any more."""
    begin = b"HTTP/1.1 200 OK\r\nX-A: "

    def send_in_pieces(server: Server, peer: Peer, number: int) -> None:
        peer.send(begin + b"a" * (MAX_HEAD - len(begin) - extra))
        for _ in range(100):
            peer.send(b"a" * MAX_HEAD)

    with Server(send_in_pieces) as server:
        result = engine.run(make_load(ANYTHING, users=1, requests=2), server.url)
    assert result.errors == {"malformed": 2}
    assert f"the headers are longer than {MAX_HEAD} bytes" in result.examples[0]


def test_a_change_of_protocol_is_called_one(engine: LocustEngine) -> None:
    def change(server: Server, peer: Peer, number: int) -> None:
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
        peer.hold()

    with Server(change) as server:
        result = engine.run(make_load(ANYTHING, users=1, requests=2), server.url)
    assert result.errors == {"malformed": 2}
    assert "the server changed to another protocol" in result.examples[0]


@pytest.mark.parametrize(("head", "repeated", "error"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_without_end_is_given_up(
    engine: LocustEngine, head: bytes, repeated: bytes, error: ErrorClass
) -> None:
    def send_for_ever(server: Server, peer: Peer, number: int) -> None:
        peer.send(head)
        while True:
            peer.send(repeated)

    exchange = Exchange(request=Request(), answer=Answer(rule=BodyRule.JSON, json=HELLO_JSON))
    with Server(send_for_ever) as server:
        result = engine.run(make_load(exchange, users=2, requests=2), server.url)
    assert result.errors == {error: 2}
    assert result.bytes_received < 2 * 65 * 2**20


RIGHT_ENDINGS = {
    "with the connection": b"HTTP/1.1 200 OK\r\n\r\n" + b'{"hello": "world"}',
    "announced": answer(b'{"hello": "world"}', headers=("Connection: close",)),
    "HTTP/1.0": answer(b'{"hello": "world"}', version="1.0"),
    "after interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + answer(b'{"hello": "world"}'),
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    b'5\r\n{"hel\r\nd\r\nlo": "world"}\r\n0\r\n\r\n',
}


@pytest.mark.parametrize("sent", RIGHT_ENDINGS.values(), ids=RIGHT_ENDINGS)
def test_a_right_answer_may_end_in_many_ways(engine: LocustEngine, sent: bytes) -> None:
    def send(server: Server, peer: Peer, number: int) -> None:
        peer.send(sent)
        peer.close()

    with Server(send) as server:
        result = engine.run(make_load(users=1, requests=1), server.url)
    assert (result.ok, result.errors) == (1, {}), result.examples


def test_bytes_before_the_request_are_malformed(engine: LocustEngine) -> None:
    def never(server: Server, peer: Peer, number: int) -> None:
        server.count("asked")

    with Server(never, greeting=lambda peer: peer.send(b"220 welcome\r\n")) as server:
        result = engine.run(make_load(users=2, requests=6), server.url)
    assert result.errors == {"malformed": 6}


def test_a_redirect_is_not_followed_and_a_cookie_not_kept(engine: LocustEngine) -> None:
    def redirect(server: Server, peer: Peer, number: int) -> None:
        server.count("cookie" if b"ookie" in peer.request else "plain")
        peer.send(answer(status=302, headers=("Location: /other", "Set-Cookie: a=b")))

    with Server(redirect) as server:
        result = engine.run(make_load(ANYTHING, users=2, requests=6), server.url)
    assert result.errors == {"wrong_status": 6}
    assert server.did == {"plain": 6}


# What is no load at all.


def test_what_makes_no_sense_is_said_and_the_engine_goes_on(engine: LocustEngine) -> None:
    bad = Exchange(request=Request(path="no slash"), answer=Answer())
    with pytest.raises(LoadError, match="cannot be sent as it stands") as caught:
        engine.run(make_load(bad, requests=1), "http://127.0.0.1:9")
    assert "percent-encoded" in caught.value.hint
    with Server(say_hello) as server:
        assert engine.run(make_load(requests=3), server.url).ok == 3


def test_an_address_that_makes_no_sense_starts_nothing() -> None:
    engine = LocustEngine()
    with pytest.raises(LoadError, match="https is not supported"):
        engine.run(make_load(requests=1), "https://127.0.0.1:9")
    assert engine.pids == ()


def test_without_locust_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "locust", None)  # for the import system it is not there then
    with pytest.raises(LoadError, match="not installed") as caught:
        LocustEngine().run(make_load(requests=1), "http://127.0.0.1:9")
    assert caught.value.hint == 'pip install "pytest-webbench[locust]"'


@pytest.mark.parametrize(
    ("workers", "bind", "master"),
    [(0, None, None), (1, "nowhere", None), (1, None, "127.0.0.1:"), (1, "127.0.0.1:1", "127.0.0.1:2")],
)
def test_mistakes_in_what_is_wanted(workers: int, bind: str | None, master: str | None) -> None:
    with pytest.raises(UsageError):
        LocustEngine(workers, bind=bind, master=master)


def test_bodies_with_a_content_encoding_are_unpacked_and_judged(engine: LocustEngine) -> None:
    check_codings(engine.run)


def test_a_load_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_BASE_BYTES", 2**20)
    monkeypatch.setattr(limits, "MAX_RESPONSE", 0)
    with Server(lambda server, peer, number: peer.send(RIGHT)) as server, closing(LocustEngine()) as engine:
        with pytest.raises(
            LoadError, match=r"Locust was ended: it took .* MiB of memory, and may take 1 MiB"
        ):
            engine.run(make_load(duration_s=60.0), server.url)
        assert engine.pids == ()
