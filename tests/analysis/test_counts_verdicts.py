"""Verdicts on counts: decided from two launches where these repeat, and by their interval where not."""

from collections.abc import Sequence

import pytest

from pytest_webbench.analysis.gate import PairedSamples, judge_family, threshold_of
from pytest_webbench.analysis.metrics import find_metric
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Comparison, Threshold, Verdict

CELL = Cell(scenario="hello", stack="flask-sqlite3")


def judge(base: Sequence[float], head: Sequence[float], limit: float = 0.01) -> Comparison:
    threshold = Threshold(metric="instructions", limit=limit)
    samples = PairedSamples(
        cell=CELL, base_stack="base", threshold=threshold, base=tuple(base), head=tuple(head)
    )
    (comparison,) = judge_family([samples], look=1)
    return comparison


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (1.0, Verdict.NO_CHANGE),
        (1.005, Verdict.NO_CHANGE),
        (1.02, Verdict.SLOWER),
        (0.98, Verdict.FASTER),
    ],
)
def test_two_launches_decide(factor: float, verdict: Verdict) -> None:
    found = judge([981_000, 981_300], [981_200 * factor, 981_100 * factor])
    assert found.verdict is verdict
    assert found.fails == (verdict is Verdict.SLOWER)
    assert found.ratio.low <= factor <= found.ratio.high


def test_one_launch_does_not() -> None:
    assert judge([981_000], [999_000]).verdict is Verdict.INCONCLUSIVE


def test_what_does_not_repeat_is_judged_by_its_interval() -> None:
    assert judge([981_000, 990_000, 985_000], [1_000_000, 996_000, 985_000]).verdict is Verdict.INCONCLUSIVE
    steps = [0, 7_000, 3_000, 1_000, 6_000, 2_000, 4_000, 5_000]
    base, head = [980_000 + each for each in steps], [1_470_000 + each for each in reversed(steps)]
    assert judge(base, head).verdict is Verdict.SLOWER


def test_a_growth_below_the_floor_is_no_regression() -> None:
    threshold = Threshold(metric="instructions", limit=0.01, floor=50_000)
    samples = PairedSamples(
        cell=CELL, base_stack="base", threshold=threshold, base=(981e3, 981e3), head=(1001e3, 1001e3)
    )
    (found,) = judge_family([samples], look=1)
    assert found.verdict is Verdict.NO_CHANGE


@pytest.mark.parametrize(
    ("base", "head", "verdict"),
    [
        ([980_000, 987_000], [988_000, 981_000], Verdict.NO_CHANGE),
        ([980_000, 987_000], [1_470_000, 1_480_000], Verdict.INCONCLUSIVE),
        ([980_000, 987_000, 980_000], [1_470_000, 1_480_000, 1_470_000], Verdict.SLOWER),
        ([1_470_000, 1_480_000, 1_475_000], [980_000, 987_000, 981_000], Verdict.FASTER),
        ([980_000, 987_000], [988_000, 991_000], Verdict.INCONCLUSIVE),
    ],
)
def test_launches_that_differ_decide_where_all_of_them_say_the_same(
    base: Sequence[float], head: Sequence[float], verdict: Verdict
) -> None:
    assert judge(base, head).verdict is verdict


def test_a_few_system_calls_more_are_a_matter_of_timing() -> None:
    threshold = threshold_of([], find_metric("syscalls"), CELL)
    assert threshold is not None
    for head, verdict in (((104, 101, 103), Verdict.NO_CHANGE), ((110, 112, 111), Verdict.SLOWER)):
        samples = PairedSamples(
            cell=CELL, base_stack="base", threshold=threshold, base=(100, 103, 101), head=head
        )
        (found,) = judge_family([samples], look=1)
        assert found.verdict is verdict


def test_a_launch_that_collects_all_garbage_does_not_keep_the_others_from_deciding() -> None:
    base, head = [3526.4, 3597.4, 3526.5, 3526.6], [4549.1, 3526.9, 3527.3, 3526.5]
    found = judge(base, head)
    assert found.verdict is Verdict.NO_CHANGE
    assert found.spread == pytest.approx(4549.1 / 3526.5 - 1)
    assert judge(base, [4549.1, *(1.02 * each for each in head[1:])]).verdict is Verdict.SLOWER
    assert judge(base[:2], head[:2]).verdict is Verdict.INCONCLUSIVE
    assert judge(base, [4549.1, 4550, *head[2:]]).verdict is Verdict.INCONCLUSIVE
