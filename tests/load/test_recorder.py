"""The times of a load are kept one by one up to a bound, and beyond it in the memory of a histogram."""

import asyncio
from array import array

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.load import tally as tally_module
from pytest_webbench.load.native.client import run_load
from pytest_webbench.load.tally import PIECE, Recorder, Tally
from pytest_webbench.model.load import RELATIVE_ERROR, Latencies, LoadResult, Schedule

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, json_answer

LONG = 5_000_000_000


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(json_answer(HELLO_JSON))


def recorded(short: list[int], long: list[int]) -> Recorder:
    recorder = Recorder()
    recorder.short.extend(short)
    for each in long:
        recorder.add_long(each)
    return recorder


@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=30),
    st.lists(st.integers(2**32, 2**36), max_size=5),
    st.integers(1, 50),
    st.integers(0, 9),
)
def test_folding_loses_nothing(short: list[int], long: list[int], most: int, times: int) -> None:
    recorder = recorded(short, long)
    for _ in range(times):
        recorder.fold(most)
        assert len(recorder) == len(short) + len(long)
    found = recorder.times()
    assert len(found) == len(short) + len(long)
    assert found.sum_ns == sum(short + long)
    assert found.exact == (times == 0)
    if times == 0:
        assert sorted(found.samples) == sorted(short + long)


def test_what_is_forgotten_is_not_counted() -> None:
    recorder = recorded([1, 2, 3], [LONG])
    recorder.fold(2)
    recorder.forget()
    recorder.short.append(7)
    assert recorder.times() == Latencies(array("I", [7]))


def counted(answers: int, *, exact_most: int, fold: bool) -> LoadResult:
    tally = Tally(make_load(requests=answers), exact_most=exact_most)
    for number in range(answers):
        tally.take()
        tally.add_scheduled(
            LONG + number if number % 10 == 0 else 2000 + number, 1000 + number, 1500 + number
        )
        if fold:
            tally.fold()
    tally.scheduled = answers
    return tally.result(users=1, elapsed_ns=10**9, cpu_s=0.1)


@pytest.mark.parametrize("fold", [True, False])
def test_at_the_bound_times_are_exact_and_one_beyond_it_they_are_counted(fold: bool) -> None:
    most = PIECE + 10
    exact, beyond = (counted(answers, exact_most=most, fold=fold) for answers in (most, most + 1))
    for name in ("latency_ns", "ttfb_ns", "service_ns"):
        before, after = getattr(exact, name), getattr(beyond, name)
        assert (before.exact, after.exact) == (True, False)
        assert (len(before), len(after)) == (most, most + 1)
        assert after.min_ns == before.min_ns
        assert after.mean_ns == pytest.approx(before.mean_ns, rel=0.001)


def test_times_that_are_folded_meanwhile_leave_room_for_the_next() -> None:
    tally = Tally(make_load(requests=20 * PIECE), exact_most=2 * PIECE)
    for number in range(20 * PIECE):
        tally.take()
        tally.latency_ns.append(5_000_000 + number)
        tally.ttfb_ns.append(4_000_000 + number)
        if number % 100 == 0:
            tally.fold()
        assert len(tally.latency_ns) <= 3 * PIECE
    result = tally.result(users=1, elapsed_ns=10**9, cpu_s=0.1)
    assert result.ok == len(result.ttfb_ns) == 20 * PIECE
    assert result.latency_ns.sum_ns - result.ttfb_ns.sum_ns == 1_000_000 * 20 * PIECE


@pytest.mark.parametrize("schedule", [None, Schedule(rate=5000.0)])
def test_a_load_of_more_requests_than_are_kept(
    monkeypatch: pytest.MonkeyPatch, schedule: Schedule | None
) -> None:
    monkeypatch.setattr(tally_module.Tally.__init__, "__kwdefaults__", {"exact_most": PIECE})
    kept = []
    fold = tally_module.Tally.fold

    def look(tally: Tally) -> float:
        wait_s = fold(tally)
        kept.append(len(tally.latency_ns))
        return wait_s

    monkeypatch.setattr(tally_module.Tally, "fold", look)
    requests = 6 * PIECE
    with Server(say_hello) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        load = make_load(users=8, requests=requests, schedule=schedule)
        result = runner.run(run_load(load, server.url))
    assert (result.ok, unaccounted(result)) == (requests, 0)
    assert not result.latency_ns.exact
    assert len(result.latency_ns) == len(result.ttfb_ns) == requests
    assert len(result.service_ns) == (0 if schedule is None else requests)
    assert max(kept) < requests / 2
    assert 0 < result.ttfb_ns.min_ns <= result.latency_ns.max_ns
    assert result.latency_ns.relative_error == RELATIVE_ERROR


def test_unconfirmed_requests_are_named_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "MOST_UNCONFIRMED", 3)
    tally = Tally(make_load(requests=5, changes=True))
    for _ in range(5):
        tally.leave_open(tally.take(), 1)
    result = tally.result(users=1, elapsed_ns=10**9, cpu_s=0.1)
    assert (result.unconfirmed, result.unnamed) == ((0, 1, 2), 2)
