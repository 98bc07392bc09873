"""What k6 wrote, read: recorded output, and lines made up for what is rare."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.load.k6 import summary
from pytest_webbench.load.k6.faults import Loss, loss_fault
from pytest_webbench.load.k6.load_script import make_script
from pytest_webbench.load.k6.summary import arrival_numbers, read_result
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import Load, LoadResult, Schedule

from .loads import make_load, unaccounted

RECORDED = Path(__file__).with_name("recorded")
URL = "http://127.0.0.1:8000"


def read(load: Load, lines: list[str], metrics: dict[str, Any] | None = None, **more: Any) -> LoadResult:
    """The result of ``lines``, by default of as many iterations."""
    count = sum(not line.startswith("B") for line in lines)
    counted = {"iterations": {"values": {"count": count}}, **(metrics or {})}
    return read_result(load, make_script(load, URL), lines, counted, **more)


def recorded(name: str) -> dict[str, Any]:
    return dict(json.loads((RECORDED / name).read_text(encoding="utf-8")))


CLOSED = make_load(users=3, duration_s=0.4, changes=True)
"""The load of the recording; its server failed every 7th request and so on, then fell silent."""


def test_a_closed_loop_that_was_recorded() -> None:
    kept = recorded("k6-closed-loop.json")
    result = read(CLOSED, kept["lines"], kept["metrics"], cpu_s=0.1, processors=2)
    assert {"ok": result.ok, "held": result.in_flight, **result.errors} == kept["server"]
    assert (result.sent, unaccounted(result)) == (153, 0)
    assert len(result.latency_ns) == len(result.ttfb_ns) == result.ok
    assert len(result.unconfirmed) == len(set(result.unconfirmed)) == 153 - result.ok
    assert set(result.unconfirmed) < set(range(153))
    assert result.elapsed_s == 0.4
    assert 0 < result.in_flight_s < 3 * 0.4
    assert result.bytes_received == kept["metrics"]["data_received"]["values"]["count"] > 0
    assert result.generator_busy == pytest.approx(0.1 / 0.4 / 2)
    assert "the status is 500, expected 200" in result.examples[0]
    assert (result.scheduled, result.dropped, len(result.service_ns)) == (0, 0, 0)


def test_an_open_loop_that_was_recorded() -> None:
    kept = recorded("k6-open-loop.json")
    load = make_load(users=2, duration_s=1.0, schedule=Schedule(rate=80.0))
    result = read(load, kept["lines"], kept["metrics"])
    assert result.sent == result.ok + result.in_flight == kept["server"]["ok"]
    assert result.scheduled == 80 == result.sent + result.dropped
    # k6 may count the one, too, that is due at the very end.
    assert kept["metrics"]["dropped_iterations"]["values"]["count"] - result.dropped in {0, 1}
    assert len(result.latency_ns) == len(result.service_ns) == result.ok
    waits = [
        whole - service
        for whole, service in zip(result.latency_ns.samples, result.service_ns.samples, strict=True)
    ]
    # A user is free or the request is dropped: none waited for as long as it takes for the next to be due.
    assert 0 <= min(waits) <= max(waits) < 1e9 / 80


@pytest.mark.parametrize("name", ["k6-closed-loop.json", "k6-open-loop.json"])
def test_a_record_that_is_lost_is_noticed(name: str) -> None:
    kept = recorded(name)
    load = CLOSED if "closed" in name else make_load(users=2, duration_s=1.0, schedule=Schedule(rate=80.0))
    lines = kept["lines"]
    for lost in (1, len(lines) // 2, len(lines) - 1):
        with pytest.raises(LoadError, match="records of k6 are incomplete"):
            read_result(load, make_script(load, URL), lines[:lost] + lines[lost + 1 :], kept["metrics"])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Killed",
        "R 1 2 3",
        "R 0 0 1 1 x",
        "R 0 0 1 1 -5",
        "N 0 0 1 1 1 1 1",
        "F 0 0 1 0 {",
        'F 0 0 1 0 {"code":1000}',
        "F 0 0 1 0 []",
        "S x",
        "X 1",
    ],
)
def test_a_line_that_is_none_of_the_scripts_is_an_error(line: str) -> None:
    with pytest.raises(LoadError, match="k6 wrote a line that cannot be read"):
        read(make_load(requests=1), [line])


def test_of_a_number_of_requests_the_time_is_that_from_the_first_to_the_last() -> None:
    lines = ["N 1 5000 90000 10 20 2000\n", "R 0 8000 50000 30 40\n", "R 2 60000 95000 50 60\n"]
    result = read(make_load(users=2, requests=3), lines)
    assert result.elapsed_s == pytest.approx((95_000 - 7_000) / 1e9)
    assert (list(result.latency_ns.samples), list(result.ttfb_ns.samples)) == ([20, 40, 60], [10, 30, 50])
    assert (result.sent, result.ok, result.connections_opened) == (3, 3, 1)


def test_who_was_done_before_the_deadline_did_not_wait_for_it() -> None:
    load = make_load(users=1, duration_s=60, repeat=False)
    assert read(load, ["R 0 0 5000 10 20"]).elapsed_s == pytest.approx(5e-6)
    assert read(load, ["O 0 0 60000000000 1"]).elapsed_s == 60


def test_what_was_taken_before_one_that_was_sent_counts_as_in_flight() -> None:
    """A result speaks of the first so many numbers; those at the end that were not sent are not in it."""
    lines = ["R 0 0 5 1 2", "S 1", "R 2 0 6 1 2", "S 4", "S 3"]
    result = read(make_load(users=5, duration_s=1.0, changes=True), lines)
    assert (result.sent, result.ok, result.in_flight) == (3, 2, 1)
    assert result.unconfirmed == (1,)
    assert result.in_flight_s == 0


def test_latencies_that_do_not_fit_have_more_room() -> None:
    result = read(make_load(requests=2), ["R 0 0 5 4294967295 4294967296", "R 1 0 5 1 2"])
    assert list(result.latency_ns.samples) == [4294967296, 2]
    assert (result.latency_ns.samples.typecode, result.ttfb_ns.samples.typecode) == ("Q", "I")


def test_of_very_many_requests_times_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "EXACT_MOST", 10)
    monkeypatch.setattr(summary, "_PIECE", 4)
    lines = [f"R {number} 0 {number} {1000 + number} {2000 + number}" for number in range(20)]
    exact = read(make_load(requests=10), lines[:10])
    assert (exact.latency_ns.exact, len(exact.latency_ns)) == (True, 10)
    result = read(make_load(requests=20), lines)
    assert (result.ok, len(result.latency_ns), len(result.ttfb_ns)) == (20, 20, 20)
    assert not result.latency_ns.exact
    assert result.latency_ns.sum_ns == sum(range(2000, 2020))
    assert (result.ttfb_ns.min_ns, result.ttfb_ns.max_ns) == (1000, 1019)
    load = make_load(users=2, requests=20, schedule=Schedule(rate=1e9))
    opened = read(load, ["B 0", *lines])
    assert (opened.ok, opened.sent, len(opened.latency_ns), len(opened.service_ns)) == (20, 20, 20, 20)
    assert opened.service_ns.sum_ns == sum(range(2000, 2020))


def test_a_line_that_comes_twice_is_noticed() -> None:
    lines = ["R 0 0 5 1 2", "R 2 0 5 1 2", "R 0 0 5 1 2"]
    with pytest.raises(LoadError, match="records of k6 are incomplete"):
        read(make_load(requests=3), lines)


def test_an_open_loop_of_too_many_requests_is_refused_before_it_begins() -> None:
    load = make_load(users=2, duration_s=3600, schedule=Schedule(rate=5000.0))
    with pytest.raises(LoadError, match="4,194,304 requests at most; here 18,000,000 are due") as caught:
        make_script(load, URL)
    assert "use the native engine" in caught.value.hint


def test_the_busiest_k6_is_busy_all_the_time() -> None:
    """Its CPU time is that of a little more than the load."""
    result = read(make_load(requests=1), ["R 0 0 1000000000 1 2"], cpu_s=2.1, processors=2)
    assert (result.generator_cpu_s, result.generator_busy) == (2.1, 1.0)


# When requests were due.


def test_without_drops_it_is_known_when_each_request_was_due() -> None:
    """Due every 10 ms from 5 ms on; number 2 is handed out before number 1, and both are late."""
    ms = 1_000_000
    lines = [
        f"B {5 * ms}",
        f"N 0 {5 * ms} {9 * ms} {2 * ms} {3 * ms} {1 * ms}",
        f"R 1 {28 * ms} {30 * ms} {1 * ms} {2 * ms}",
        f"R 2 {27 * ms} {30 * ms} {1 * ms} {3 * ms}",
    ]
    load = make_load(users=2, requests=3, schedule=Schedule(rate=100.0, offset_s=0.005))
    result = read(load, lines)
    assert list(result.service_ns.samples) == [3 * ms, 2 * ms, 3 * ms]
    assert list(result.latency_ns.samples) == [(0 + 1 + 3) * ms, (3 + 2) * ms, (12 + 3) * ms]
    assert (result.scheduled, result.dropped, result.late) == (3, 0, 2)
    assert result.lag_s == pytest.approx(0.005)


@pytest.mark.parametrize(
    ("starts", "dropped", "numbers"),
    [
        ([], 0, []),
        ([1, 11, 21], 0, [0, 1, 2]),
        ([1, 31, 32, 33], 0, [0, 1, 2, 3]),  # k6 was late, and caught up
        ([1, 31, 41], 2, [0, 3, 4]),
        ([1, 31, 41], 1, [0, 2, 3]),
        ([9, 19, 29], 0, [0, 1, 2]),
        ([35, 36, 37], 3, [1, 2, 3]),  # which were dropped cannot be known: the latest
        ([-1, 9, 19], 0, [0, 1, 2]),  # two clocks, not read at once
    ],
)
def test_which_arrival_a_start_belongs_to(starts: list[int], dropped: int, numbers: list[int]) -> None:
    assert arrival_numbers(starts, 10, dropped) == numbers


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=50))
def test_arrivals_that_start_in_time_are_known_whatever_is_dropped(arrivals: list[tuple[bool, int]]) -> None:
    started = [number for number, (free, _) in enumerate(arrivals) if free]
    starts = [100 * number + arrivals[number][1] for number in started]
    assert arrival_numbers(starts, 100, len(arrivals) - len(started)) == started


@given(st.lists(st.integers(0, 10_000), max_size=50), st.integers(0, 50))
def test_no_arrival_is_counted_twice(starts: list[int], dropped: int) -> None:
    numbers = arrival_numbers(sorted(starts), 100, dropped)
    assert numbers == sorted(set(numbers))
    assert max(numbers, default=-1) < len(starts) + dropped


# What k6 says of failures; what it says when is seen in test_k6.py.


def lost(code: int, error: str, so_far: str = "") -> Loss:
    """A request lost; ``so_far`` holds ``connected``, ``new`` (the connection) and ``begun`` (the answer)."""
    had = so_far.split()
    return Loss(
        code=code, error=error, connected="connected" in had, is_new="new" in had, begun="begun" in had
    )


NO_ADDRESS = "dial: unknown errno 99 error with msg `cannot assign requested address`"
NO_FILES = "dial: unknown errno 24 error with msg `too many open files`"


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (lost(1212, "dial: connection refused"), "connect_refused"),
        (lost(1101, "lookup: no such host"), "connect_refused"),
        (lost(1211, "dial: i/o timeout"), "connect_timeout"),
        (lost(1050, "request timeout"), "connect_timeout"),
        (lost(1050, "request timeout", "connected"), "response_timeout"),
        (lost(1050, "request timeout", "connected new begun"), "response_timeout"),
        (lost(1213, NO_ADDRESS), "client_exhausted"),
        (lost(1213, NO_FILES), "client_exhausted"),
        (lost(1220, "read: connection reset by peer", "connected new"), "reset"),
        (lost(1220, "read: connection reset by peer", "connected"), "reset"),
        (lost(1220, "read: connection reset by peer", "connected begun"), "truncated"),
        (lost(1000, "EOF", "connected new"), "reset"),
        (lost(1000, "EOF", "connected"), "stale_connection"),
        (lost(1201, "write: broken pipe", "connected"), "stale_connection"),
        (lost(1000, "http: server closed idle connection", "connected"), "stale_connection"),
        (lost(1000, "unexpected EOF", "connected begun"), "truncated"),
        (lost(1000, 'malformed HTTP response "x"', "connected new begun"), "malformed"),
        (lost(1701, "gzip: invalid header", "connected begun"), "malformed"),
    ],
)
def test_losses_are_told_apart(loss: Loss, expected: str) -> None:
    fault = loss_fault(loss)
    assert fault.error == expected
    assert loss.error in fault.why
