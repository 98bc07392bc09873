"""The Locust engine: real workers of Locust against servers that count what they answered."""

import subprocess
import sys
from contextlib import closing

import pytest

from pytest_webbench.load import generator
from pytest_webbench.load.locust import LocustEngine
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Arrivals, LoadEngine, Schedule

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, json_answer

RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


@pytest.fixture(name="engine")
def _engine(locust_engine: LocustEngine) -> LocustEngine:
    return locust_engine


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
    """The first response on each of two connections takes 0.4 s, in which 20 requests a second are due."""

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
    """The server announces nothing and closes after each response; nothing is due for 0.1 s then."""

    def once(server: Server, peer: Peer, number: int) -> None:
        peer.send(RIGHT)
        peer.close()

    with Server(once) as server:
        load = make_load(users=2, requests=8, schedule=Schedule(rate=20))
        result = engine.run(load, server.url)
    assert (result.ok, result.errors) == (8, {})
    assert server.connections >= 8


# Invalid loads.


def test_what_makes_no_sense_is_said_and_the_engine_goes_on(engine: LocustEngine) -> None:
    bad = Exchange(request=Request(path="no slash"), answer=Answer())
    with pytest.raises(LoadError, match="cannot be sent as it stands") as caught:
        engine.run(make_load(bad, requests=1), "http://127.0.0.1:9")
    assert "percent-encoded" in caught.value.hint
    pids = engine.pids
    with Server(say_hello) as server:
        assert engine.run(make_load(requests=3), server.url).ok == 3
    assert len(pids) == 3
    assert engine.pids == pids


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


def test_a_load_that_takes_too_much_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "_BASE_BYTES", 2**20)
    monkeypatch.setattr(generator, "MAX_RESPONSE", 0)
    with Server(lambda server, peer, number: peer.send(RIGHT)) as server, closing(LocustEngine()) as engine:
        with pytest.raises(
            LoadError, match=r"Locust was ended: it took .* MiB of memory, and may take 1 MiB"
        ):
            engine.run(make_load(duration_s=60.0), server.url)
        assert engine.pids == ()
