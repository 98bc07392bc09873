"""The native engine gives each process of a server as many connections."""

from collections.abc import Iterator

import pytest

from pytest_webbench.load.native import engine as native
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.load import Held

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, json_answer

RIGHT = json_answer(HELLO_JSON)


class Shared:
    """A server of which somebody says that it has two processes.

    The first ``greedy`` connections belong to process 1, those after them to process 2.
    """

    def __init__(self, greedy: int) -> None:
        self._greedy = greedy
        self._owners: dict[int, int] = {}
        self.looks = 0
        self.server = Server(self._answer, self._greet)

    def _greet(self, peer: Peer) -> None:
        self._owners[peer.socket.getpeername()[1]] = 1 if self.server.count("greeted") < self._greedy else 2

    def _answer(self, server: Server, peer: Peer, number: int) -> None:
        server.count(f"of {self._owners[peer.socket.getpeername()[1]]}")
        peer.send(RIGHT)

    def look(self) -> Held:
        self.looks += 1
        return Held(processes=(1, 2), by_port=dict(self._owners))


@pytest.fixture(params=[1, 2], ids=["one generator", "two generators"])
def engine(request: pytest.FixtureRequest) -> Iterator[NativeEngine]:
    engine = NativeEngine(generators=request.param)
    yield engine
    engine.close()


def test_the_surplus_is_opened_anew(engine: NativeEngine) -> None:
    shared = Shared(greedy=6)
    with shared.server as server:
        result = engine.run(make_load(users=6, requests=60), server.url, shared.look)
        assert (result.ok, unaccounted(result), result.errors) == (60, 0, {})
        server.wait()
    assert result.held == (3, 3)
    assert result.connections_opened == 6  # of the load; those that were given up are none of it
    assert server.connections == 9
    assert server.did["of 1"]
    assert server.did["of 2"]
    assert server.requests == 60


def test_what_is_even_stays(engine: NativeEngine) -> None:
    shared = Shared(greedy=2)
    with shared.server as server:
        result = engine.run(make_load(users=4, requests=8), server.url, shared.look)
        server.wait()
    assert result.held == (2, 2)
    assert server.connections == 4


def test_a_server_that_never_shares_is_measured_as_it_is(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "_BALANCING_S", 0.05)
    shared = Shared(greedy=10**6)
    with shared.server as server:
        result = engine.run(make_load(users=4, requests=20), server.url, shared.look)
        server.wait()
    assert (result.ok, result.held, result.connections_opened) == (20, (4, 0), 4)


def test_connections_that_nobody_takes_are_not_waited_for(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "_TAKING_S", 0.01)
    shared = Shared(greedy=1)
    with shared.server as server:
        result = engine.run(
            make_load(users=2, requests=4), server.url, lambda: Held(processes=(1, 2), by_port={})
        )
    assert (result.ok, result.held) == (4, ())


def test_nothing_is_said_where_nothing_is_seen(engine: NativeEngine) -> None:
    with Shared(greedy=1).server as server:
        assert engine.run(make_load(users=2, requests=4), server.url, lambda: None).held == ()
        assert engine.run(make_load(users=2, requests=4), server.url).held == ()
