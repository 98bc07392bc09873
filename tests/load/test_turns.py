"""A load of the native engine in slices: it pauses, keeps its connections, and resumes."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Amount, Held, Load, LoadResult, LoadSession, TurnEngine

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, answer, json_answer

RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


@pytest.fixture(params=[1, 2], ids=["one generator", "two generators"])
def engine(request: pytest.FixtureRequest) -> Iterator[NativeEngine]:
    engine = NativeEngine(generators=request.param)
    yield engine
    engine.close()


def in_turns(
    turns: int, *, users: int = 4, requests: int | None = None, duration_s: float | None = None
) -> Load:
    return replace(make_load(users=users, requests=requests, duration_s=duration_s), turns=turns)


def take_all(opened: LoadSession, turns: int) -> LoadResult:
    for _ in range(turns):
        opened.take_turn()
    return opened.result()


def test_it_takes_turns(engine: NativeEngine) -> None:
    assert isinstance(engine, TurnEngine)


def test_each_turn_has_its_part_of_the_requests_on_the_same_connections(engine: NativeEngine) -> None:
    started: list[int] = []
    with Server(say_hello) as server:
        opened = engine.begin(in_turns(3, requests=60), server.url)
        assert server.requests == 0
        after = []
        for _ in range(3):
            opened.take_turn(lambda: started.append(server.requests))
            after.append(server.requests)
        result = opened.result()
        server.wait()
    assert after == [20, 40, 60]
    assert started == [0, 20, 40]
    assert (result.ok, unaccounted(result), result.in_flight, result.turns) == (60, 0, 0, 3)
    assert result.connections_opened == server.connections == 4
    assert len(result.latency_ns) == len(result.ttfb_ns) == 60


def test_what_is_under_way_at_the_end_of_a_turn_is_waited_for_and_counted(engine: NativeEngine) -> None:
    with Server(say_hello) as server:
        result = take_all(engine.begin(in_turns(4, duration_s=0.2), server.url), 4)
        server.wait()
    assert result.in_flight == 0
    assert result.ok == result.sent == server.requests > 0
    assert result.elapsed_s >= 0.2


def test_the_pause_is_no_time_of_the_load(engine: NativeEngine) -> None:
    """The other load lasts as long as this one rests."""
    with Server(say_hello) as server:
        opened = engine.begin(in_turns(2, requests=8), server.url)
        opened.take_turn()
        other = engine.run(make_load(users=2, duration_s=0.5), server.url)
        opened.take_turn()
        result = opened.result()
    assert other.elapsed_s >= 0.5
    assert result.elapsed_s < other.elapsed_s
    assert result.latency_ns.max_ns / 1e9 < other.elapsed_s


def test_two_loads_take_turns_side_by_side(engine: NativeEngine) -> None:
    with Server(say_hello) as one, Server(say_hello) as other:
        loads = [engine.begin(in_turns(5, requests=50), server.url) for server in (one, other)]
        for turn in range(5):
            for load in loads if turn % 2 else loads[::-1]:
                load.take_turn()
        assert [load.result().ok for load in loads] == [50, 50]
        assert engine.run(make_load(requests=3), one.url).ok == 3


def test_a_connection_that_is_closed_at_rest_is_opened_again_and_no_request_is_lost(
    engine: NativeEngine,
) -> None:
    peers: list[Peer] = []
    with Server(say_hello, peers.append) as server:
        opened = engine.begin(in_turns(2, requests=40), server.url)
        opened.take_turn()
        for peer in peers:
            peer.close()
        opened.take_turn()
        result = opened.result()
    assert (result.ok, result.errors) == (40, {})
    assert server.connections == result.connections_opened == 8


def test_a_server_that_closes_after_each_answer_is_measured_to_the_end(engine: NativeEngine) -> None:
    def close(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(b'{"hello": "world"}', headers=("Connection: close",)))
        peer.close()

    with Server(close) as server:
        result = take_all(engine.begin(in_turns(3, requests=30), server.url), 3)
    assert (result.ok, result.errors) == (30, {})


def test_fewer_requests_than_turns(engine: NativeEngine) -> None:
    with Server(say_hello) as server:
        result = take_all(engine.begin(in_turns(5, users=2, requests=3), server.url), 5)
    assert (result.ok, unaccounted(result)) == (3, 0)


def test_shares_are_looked_at_once(engine: NativeEngine) -> None:
    looks = 0
    owners: dict[int, int] = {}

    def look() -> Held:
        nonlocal looks
        looks += 1
        return Held(processes=(1, 2), by_port=dict(owners))

    def greet(peer: Peer) -> None:
        owners[peer.socket.getpeername()[1]] = 1 + len(owners) % 2

    with Server(say_hello, greet) as server:
        opened = engine.begin(in_turns(3, requests=30), server.url, look)
        opened.take_turn()
        before = looks
        opened.take_turn()
        opened.take_turn()
        assert looks == before
        assert opened.result().held == (2, 2)


def test_a_load_that_is_given_up_between_two_turns_ends_with_the_engine(engine: NativeEngine) -> None:
    with Server(say_hello) as server:
        opened = engine.begin(in_turns(3, requests=30), server.url)
        opened.take_turn()
        engine.close()
        server.wait()
        with pytest.raises(LoadError, match=r"worker ended"):
            opened.take_turn()
        assert server.requests == 10


def test_one_load_that_fails_leaves_the_other_alone() -> None:
    engine = NativeEngine()
    asked = threading.Event()

    def hang(server: Server, peer: Peer, number: int) -> None:
        asked.set()
        peer.hold()

    with Server(hang) as bad, Server(say_hello) as good:
        other = engine.begin(in_turns(2, requests=20), good.url)
        other.take_turn()
        failing = engine.begin(in_turns(2, requests=20), bad.url)

        def give_up() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            failing.take_turn(give_up)
        bad.wait()
        other.take_turn()
        assert other.result().ok == 20
    engine.close()
    assert not asked.is_set()


# --- the warm-up before the first turn --------------------------------------------------------------


def test_nothing_of_a_warm_up_is_counted_and_its_connections_stay(engine: NativeEngine) -> None:
    paths: list[str] = []

    def note(server: Server, peer: Peer, number: int) -> None:
        paths.append(peer.path)
        peer.send(RIGHT)

    exchanges = tuple(
        Exchange(request=Request(path=f"/{number}"), answer=Answer(rule=BodyRule.JSON, json=HELLO_JSON))
        for number in range(12)
    )
    load = replace(in_turns(2, requests=12), exchanges=exchanges, repeat=False, warm_up=Amount(requests=8))
    with Server(note) as server:
        opened = engine.begin(load, server.url)
        opened.warm_up()
        warm, paths[:] = list(paths), []
        opened.take_turn()
        opened.take_turn()
        result = opened.result()
        server.wait()
    assert len(warm) == 8
    assert sorted(paths) == sorted(f"/{number}" for number in range(12))
    assert (result.sent, result.ok, result.errors, result.turns) == (12, 12, {}, 2)
    assert len(result.latency_ns) == 12
    assert result.connections_opened == server.connections == 4


def test_what_goes_wrong_in_a_warm_up_is_not_counted(engine: NativeEngine) -> None:
    wrong = True

    def fail_first(server: Server, peer: Peer, number: int) -> None:
        peer.send(answer(b"no", status=500) if wrong else RIGHT)

    with Server(fail_first) as server:
        opened = engine.begin(replace(in_turns(1, requests=20), warm_up=Amount(requests=10)), server.url)
        opened.warm_up()
        wrong = False
        opened.take_turn()
        result = opened.result()
    assert (result.ok, result.errors, result.examples) == (20, {}, ())


def test_the_deadline_ends_a_load_of_one_turn_though_it_was_warmed_up(engine: NativeEngine) -> None:
    """What is under way then is in flight, as in any load of one turn; in the warm-up it is waited for."""
    held: list[Peer] = []

    def answer_or_hold(server: Server, peer: Peer, number: int) -> None:
        if warm:
            peer.send(RIGHT)
        else:
            held.append(peer)
            peer.hold()

    warm = True
    with Server(answer_or_hold) as server:
        load = replace(in_turns(1, duration_s=0.2), warm_up=Amount(duration_s=0.05))
        opened = engine.begin(load, server.url)
        opened.warm_up()
        warm = False
        opened.take_turn()
        result = opened.result()
    assert (result.ok, result.in_flight, len(held)) == (0, 4, 4)
    assert 0.2 <= result.elapsed_s < 5


def test_connections_that_were_closed_after_the_warm_up_are_opened_and_shared_before_the_start(
    engine: NativeEngine,
) -> None:
    """A server closes what rests for too long, such as while its database is filled."""
    peers: list[Peer] = []
    owners: dict[int, int] = {}
    one_at_a_time = threading.Lock()

    def greet(peer: Peer) -> None:
        with one_at_a_time:
            peers.append(peer)
            owners[peer.socket.getpeername()[1]] = 1 + len(owners) % 2

    def start() -> None:
        assert server.connections == 8

    with Server(say_hello, greet) as server:
        load = replace(in_turns(1, requests=40), warm_up=Amount(requests=8))
        opened = engine.begin(load, server.url, lambda: Held(processes=(1, 2), by_port=dict(owners)))
        opened.warm_up()
        for peer in peers[:]:
            peer.close()
        opened.take_turn(start)
        result = opened.result()
    assert (result.ok, result.errors, result.held) == (40, {}, (2, 2))


def test_a_load_with_a_warm_up_can_be_made_at_once(engine: NativeEngine) -> None:
    with Server(say_hello) as server:
        result = engine.run(replace(make_load(requests=20), warm_up=Amount(requests=8)), server.url)
        server.wait()
    assert (result.ok, server.requests) == (20, 28)
