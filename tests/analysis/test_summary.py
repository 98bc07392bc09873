"""Summaries of a cell's rounds, and rankings of cells."""

import math
from array import array
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.metrics import time_per_request_s
from pytest_webbench.analysis.statistics import mean_interval
from pytest_webbench.analysis.summary import rank, summarise
from pytest_webbench.model.load import Latencies
from pytest_webbench.model.measurement import LaunchRecord, ServerUsage
from pytest_webbench.model.results import RoundSummary, Validity
from pytest_webbench.model.suite import Unit
from tests.builders import GET_ITEM, make_result, make_round, make_rounds, make_summary

NOTHING = make_result(requests=0, elapsed_s=1.0, sent=4, in_flight=4, in_flight_s=4.0)


def test_the_figure_of_a_round_is_elapsed_time_per_completed_request() -> None:
    load = make_result(users=4, requests=100, latency_s=0.02)
    assert time_per_request_s(make_round(load)) == pytest.approx(0.02 / 4)
    half = replace(load, ok=50, errors={"reset": 50})
    assert time_per_request_s(make_round(half)) == pytest.approx(0.02 / 2)
    assert time_per_request_s(make_round(NOTHING)) == math.inf


def test_the_figures_of_a_cell() -> None:
    rounds = [
        make_round(
            make_result(users=4, requests=100, latency_s=latency_s),
            round_=number,
            server=ServerUsage(cpu_s=cpu_s, peak_rss_bytes=memory),
            launch=LaunchRecord(launcher="process", startup_s=startup_s),
        )
        for number, (latency_s, cpu_s, memory, startup_s) in enumerate(
            [(0.010, 0.3, 50, 0.4), (0.012, 0.5, 70, 0.9), (0.011, 0.1, 60, 0.5)]
        )
    ]
    summary = summarise(rounds, unit=Unit.TIME, planned=3)
    assert summary.cell == GET_ITEM
    assert summary.time_per_request_s == pytest.approx((0.0025, 0.003, 0.00275))
    assert summary.mean_response_time_s == pytest.approx((0.010, 0.012, 0.011))
    assert summary.figure == mean_interval(summary.mean_response_time_s).scaled(1000)
    assert (summary.p50_s, summary.p95_s, summary.p99_s) == (0.011, 0.012, 0.012)
    assert summary.ttfb_p50_s == 0.0055
    assert (summary.requests_sent, summary.requests_ok, summary.in_flight) == (300, 300, 0)
    assert summary.server_cpu_s_per_request == pytest.approx(0.9 / 300)
    assert summary.server_peak_rss_bytes == 70
    assert summary.startup_s == 0.5
    assert summary.generator_cpu_fraction == pytest.approx(0.1)
    assert (summary.users, summary.records, summary.engine) == (4, 1500, "fake")
    assert summary.errors == {}
    assert summary.validity == Validity(warnings=("unstable: the interval is ±23% wide",))


def test_each_round_with_a_right_answer_keeps_its_own_figures() -> None:
    latencies_ns = [int(each * 1e6) for each in range(1, 101)]
    first = make_round(
        make_result(latency_ns=Latencies(array("Q", latencies_ns))), server=ServerUsage(cpu_s=0.2)
    )
    unseen = make_round(make_result(latency_s=0.02), round_=2, server=ServerUsage())
    summary = summarise([first, make_round(NOTHING, round_=1), unseen], unit=Unit.TIME, planned=3)
    assert summary.rounds == (
        RoundSummary(
            round=0,
            values={
                "time_per_request": 0.0025,
                "mean": 0.0505,
                "p50": 0.05,
                "p95": 0.095,
                "p99": 0.099,
                "cpu": 0.002,
            },
        ),
        RoundSummary(
            round=2,
            values={"time_per_request": 0.005, "mean": 0.02, "p50": 0.02, "p95": 0.02, "p99": 0.02},
        ),
    )


def test_a_rate_is_shown_in_completed_requests_per_second() -> None:
    summary = summarise(make_rounds([0.010, 0.011]), unit=Unit.RATE, planned=2)
    assert summary.figure.estimate == pytest.approx(4 / math.sqrt(0.010 * 0.011))
    assert summary.figure.low < 4 / 0.011 < 4 / 0.010 < summary.figure.high


def test_errors_and_examples_are_gathered_over_the_rounds() -> None:
    rounds = [
        make_round(make_result(errors={"reset": 1}, sent=101, examples=("a", "b"))),
        make_round(make_result(errors={"reset": 2, "truncated": 1}, sent=103, examples=("c", "d"))),
    ]
    summary = summarise(rounds, unit=Unit.TIME, planned=2)
    assert summary.errors == {"reset": 3, "truncated": 1}
    assert summary.examples == ("a", "b", "c")
    assert (summary.requests_sent, summary.requests_ok) == (204, 200)


def test_percentiles_are_over_all_requests_and_not_means_of_rounds() -> None:
    loads = [
        make_result(requests=90, latency_s=0.001),
        make_result(requests=10, latency_s=0.1),
    ]
    summary = summarise([make_round(load) for load in loads], unit=Unit.TIME, planned=2)
    assert (summary.p50_s, summary.p95_s) == (0.001, 0.1)


def test_a_cell_without_a_single_right_answer_has_no_figure() -> None:
    summary = summarise([make_round(NOTHING)], unit=Unit.RATE, planned=1)
    assert summary.time_per_request_s == ()
    assert math.isnan(summary.figure.estimate)
    assert math.isnan(summary.p50_s)
    assert summary.server_cpu_s_per_request is None
    assert summary.validity.reasons == ("no request was completed",)


def test_a_round_without_answers_is_no_figure_but_a_reason() -> None:
    summary = summarise([*make_rounds([0.01, 0.01]), make_round(NOTHING)], unit=Unit.TIME, planned=3)
    assert len(summary.time_per_request_s) == 2
    assert summary.validity.reasons == ("no request was completed",)


def test_processor_time_that_was_not_seen_in_each_round_is_not_told() -> None:
    unseen = ServerUsage(cpu_s=None, peak_rss_bytes=None)
    rounds = [make_round(), make_round(server=unseen)]
    assert summarise(rounds, unit=Unit.TIME, planned=2).server_cpu_s_per_request is None
    assert summarise([make_round(server=unseen)], unit=Unit.TIME, planned=1).server_peak_rss_bytes is None


def test_a_server_that_ran_already_has_no_start_up_time() -> None:
    attached = LaunchRecord(launcher="attached", startup_s=None)
    assert summarise([make_round(launch=attached)], unit=Unit.TIME, planned=1).startup_s is None


# --- ranks ------------------------------------------------------------------------------------------

FAST = [0.0100, 0.0101, 0.0099, 0.0100, 0.0102]


def times(factor: float, wobble: float = 0.0) -> list[float]:
    return [
        value * factor * (1 + wobble * sign) for value, sign in zip(FAST, (1, -1, 1, -1, 0.5), strict=True)
    ]


def ranks(**latencies_s: list[float]) -> dict[str, int | None]:
    summaries = [make_summary(values, stack=stack) for stack, values in latencies_s.items()]
    return {each.summary.cell.stack: each.rank for each in rank(summaries)}


def test_clear_differences_are_ranked_the_fastest_first() -> None:
    found = ranks(slow=times(3.0), fast=FAST, middle=times(1.5))
    assert list(found.items()) == [("fast", 1), ("middle", 2), ("slow", 3)]


def test_what_the_rounds_do_not_tell_apart_shares_a_rank() -> None:
    found = ranks(a=FAST, b=times(1.002, 0.02), c=times(2.0), d=times(2.01, 0.03))
    assert found == {"a": 1, "b": 1, "c": 3, "d": 3}


def test_the_rank_after_a_tie_counts_those_before() -> None:
    assert ranks(a=FAST, b=times(1.001, 0.02), c=times(2.0)) == {"a": 1, "b": 1, "c": 3}


def test_rounds_are_paired_block_by_block() -> None:
    blocks = (1.0, 1.3, 0.8, 1.1, 0.9)  # a slow minute of the machine hits both alike
    fast = [0.0100 * block for block in blocks]
    slow = [
        0.0103 * block * (1 + wobble)
        for block, wobble in zip(blocks, (0, 0.002, -0.002, 0.001, 0), strict=True)
    ]
    assert ranks(fast=fast, slow=slow) == {"fast": 1, "slow": 2}
    assert ranks(fast=fast, slow=slow[1:] + slow[:1]) == {"fast": 1, "slow": 1}


def test_one_round_tells_nothing_apart() -> None:
    assert ranks(a=[0.01], b=[1.0]) == {"a": 1, "b": 1}


def test_the_ratio_says_how_many_times_as_long_as_the_fastest() -> None:
    first, second = rank([make_summary(times(2.0, 0.01), stack="slow"), make_summary(FAST, stack="fast")])
    assert first.ratio is not None
    assert (first.ratio.estimate, first.ratio.low, first.ratio.high) == (1, 1, 1)
    assert second.ratio is not None
    assert 2.0 in second.ratio
    assert second.ratio.estimate == pytest.approx(2.0, rel=0.01)


def test_a_rate_is_ranked_by_time_per_request_and_a_time_by_response_time() -> None:
    """With other users, the same requests per second mean other response times."""
    few = summarise(make_rounds(FAST, cell=replace(GET_ITEM, stack="few")), unit=Unit.RATE, planned=5)
    many_rounds = [
        make_round(make_result(users=8, latency_s=latency_s), cell=replace(GET_ITEM, stack="many"))
        for latency_s in times(1.5)
    ]
    many = summarise(many_rounds, unit=Unit.RATE, planned=5)
    assert [each.summary.cell.stack for each in rank([few, many])] == ["many", "few"]
    by_time = [replace(each, unit=Unit.TIME) for each in (many, few)]
    assert [each.summary.cell.stack for each in rank(by_time)] == ["few", "many"]


def test_invalid_cells_come_last_without_a_rank_or_a_ratio() -> None:
    invalid = make_summary(times(0.1), stack="cheat", validity=Validity(reasons=("it answered wrongly",)))
    *valid, last = rank([invalid, make_summary(FAST, stack="honest")])
    assert [(each.summary.cell.stack, each.rank) for each in valid] == [("honest", 1)]
    assert (last.summary.cell.stack, last.rank, last.ratio) == ("cheat", None, None)


def test_nothing_valid_is_ranked_without_an_error() -> None:
    invalid = make_summary([0.01], validity=Validity(reasons=("why",)))
    assert [each.rank for each in rank([invalid])] == [None]
    assert rank([]) == []


@given(st.lists(st.lists(st.floats(0.001, 1.0), min_size=3, max_size=3), min_size=1, max_size=5))
def test_ranks_grow_and_begin_with_one(cells: list[list[float]]) -> None:
    standings = rank(
        [make_summary(values, stack=str(n), validity=Validity()) for n, values in enumerate(cells)]
    )
    found = [each.rank or 0 for each in standings]
    assert min(found) == 1
    assert all(1 <= number <= len(cells) for number in found)
    assert {each.summary.cell.stack for each in standings} == {str(n) for n in range(len(cells))}


def test_latencies_may_be_of_any_length() -> None:
    load = make_result(
        requests=2,
        latency_ns=Latencies(array("Q", [1, 3])),
        ttfb_ns=Latencies(array("Q", [1, 2])),
        elapsed_s=1e-9,
    )
    assert summarise([make_round(load)], unit=Unit.TIME, planned=1).mean_response_time_s == (2e-9,)


def test_throttling_and_kills_are_summed_and_unknown_if_a_round_does_not_know() -> None:
    seen = make_round(server=ServerUsage(throttled_s=0.25, oom_kills=1))
    summary = summarise([seen, seen], unit=Unit.TIME, planned=2)
    assert (summary.server_throttled_s, summary.server_oom_kills) == (0.5, 2)
    summary = summarise([seen, make_round()], unit=Unit.TIME, planned=2)
    assert (summary.server_throttled_s, summary.server_oom_kills) == (None, None)
