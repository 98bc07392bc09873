"""Verdicts on a head against its base, on samples whose truth is known."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_webbench.analysis.gate import (
    ALPHA,
    GROWTH,
    PairedSamples,
    holm,
    judge_family,
    pairs_missing,
    parse_threshold,
)
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Comparison, Verdict

CELL = Cell(scenario="hello", stack="flask-sqlite3")


def ask(base: Sequence[float], head: Sequence[float], threshold: str = "time: 5%") -> PairedSamples:
    return PairedSamples(
        cell=CELL, base_stack="base", threshold=parse_threshold(threshold), base=tuple(base), head=tuple(head)
    )


def judge(
    base: Sequence[float], head: Sequence[float], threshold: str = "time: 5%", *, look: int = 1
) -> Comparison:
    (comparison,) = judge_family([ask(base, head, threshold)], look=look)
    return comparison


def pairs(
    chance: random.Random, count: int, *, factor: float, spread: float
) -> tuple[list[float], list[float]]:
    """A base around 10 ms, and a head ``factor`` times that; each launch is off by ``spread``."""
    base = [0.01 * math.exp(chance.gauss(0, spread)) for _ in range(count)]
    return base, [0.01 * factor * math.exp(chance.gauss(0, spread)) for _ in range(count)]


BASE = [0.0100, 0.0101, 0.0099, 0.0100, 0.0102]


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (1.2, Verdict.SLOWER),
        (1 / 1.2, Verdict.FASTER),
        (1.0, Verdict.NO_CHANGE),
        (1.01, Verdict.NO_CHANGE),
        (1.05, Verdict.INCONCLUSIVE),
    ],
)
def test_the_four_verdicts(factor: float, verdict: Verdict) -> None:
    wobble = [1.002, 0.998, 1.001, 0.999, 1.003]
    comparison = judge(BASE, [each * factor * by for each, by in zip(BASE, wobble, strict=True)])
    assert comparison.verdict is verdict
    assert comparison.fails == (verdict is Verdict.SLOWER)
    assert comparison.ratio.low < comparison.ratio.estimate < comparison.ratio.high
    assert comparison.ratio.estimate == pytest.approx(factor, rel=0.01)
    assert comparison.pairs == 5


def test_what_a_block_has_in_common_does_not_count() -> None:
    """A machine that gets slower and slower: paired, the ratio stays."""
    slower = [0.01, 0.013, 0.017, 0.022, 0.03]
    head = [each * by for each, by in zip(slower, (1.201, 1.199, 1.2, 1.202, 1.198), strict=True)]
    assert judge(slower, head).verdict is Verdict.SLOWER


def test_a_growth_below_the_floor_is_no_regression() -> None:
    head = [each * 1.5 for each in BASE]
    assert judge(BASE, head, "time: 5% and 4ms").verdict is Verdict.SLOWER
    assert judge(BASE, head, "time: 5% and 6ms").verdict is Verdict.NO_CHANGE


def test_the_same_rounds_are_no_change() -> None:
    assert judge(BASE, BASE).verdict is Verdict.NO_CHANGE


def test_few_pairs_are_not_judged() -> None:
    comparison = judge(BASE[:2], BASE[:2])
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.why == "only 2 pairs of rounds can be compared; at least 3 are needed"


def test_a_value_of_nothing_has_no_ratio() -> None:
    assert "no ratio" in judge([0.0, 1.0, 1.0], [1.0, 1.0, 1.0], "cpu: 3%").why


@pytest.mark.parametrize(("allowed", "verdict"), [(0, Verdict.SLOWER), (1, Verdict.NO_CHANGE)])
def test_errors_are_counted(allowed: int, verdict: Verdict) -> None:
    comparison = judge([0, 0, 1], [1, 1, 1], f"errors: {allowed}")
    assert (comparison.verdict, comparison.base, comparison.head) == (verdict, 1, 3)


def test_fewer_errors_than_the_base_has_are_no_lack_of_change() -> None:
    assert judge([1, 1, 1], [0, 0, 0], "errors: 0").verdict is Verdict.FASTER
    assert judge([1, 1, 1], [0, 1, 1], "errors: 1").verdict is Verdict.NO_CHANGE


@pytest.mark.parametrize("threshold", ["errors: 0", "time: 5%", "cpu: 3%", "p99: 10%", "memory: 5% and 8m"])
def test_without_a_pair_there_is_no_verdict(threshold: str) -> None:
    comparison = judge([], [], threshold)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.why
    assert math.isnan(comparison.base)
    assert math.isnan(comparison.head)


@pytest.mark.parametrize("threshold", ["errors: 0", "time: 5%"])
def test_what_keeps_it_from_being_judged_is_told_whatever_the_pairs_say(threshold: str) -> None:
    samples = replace(ask(BASE, [2 * each for each in BASE], threshold), why="the base failed")
    (comparison,) = judge_family([samples], look=1)
    assert (comparison.verdict, comparison.why, comparison.pairs) == (
        Verdict.INCONCLUSIVE,
        "the base failed",
        5,
    )


def test_an_inconclusive_one_says_how_many_pairs_would_decide() -> None:
    chance = random.Random(1)
    base, head = pairs(chance, 5, factor=1.08, spread=0.015)
    comparison = judge(base, head)
    assert comparison.verdict is Verdict.INCONCLUSIVE
    assert comparison.pairs_needed is not None
    assert 6 <= comparison.pairs_needed <= 100


def test_the_pairs_that_were_said_to_be_needed_do_decide_as_a_rule() -> None:
    chance = random.Random(2)
    decided, asked = 0, 0
    for _ in range(200):
        base, head = pairs(chance, 6, factor=1.1, spread=0.02)
        first = judge(base, head)
        if first.verdict is Verdict.INCONCLUSIVE and first.pairs_needed and first.pairs_needed < 200:
            asked += 1
            more = pairs(chance, first.pairs_needed - 6, factor=1.1, spread=0.02)
            second = judge([*base, *more[0]], [*head, *more[1]])
            decided += second.verdict is not Verdict.INCONCLUSIVE
    assert asked > 30
    assert decided / asked > 0.6


def test_they_decide_nine_times_in_ten_in_a_run_of_its_own_that_looks_as_often() -> None:
    """Whatever the first, undecided one happened to see: the truth is the same for all."""
    chance = random.Random(5)
    asked = decided = 0
    for _ in range(400):
        first = judge(*pairs(chance, 9, factor=1.05, spread=0.016), "cpu: 3%", look=2)
        if first.verdict is Verdict.INCONCLUSIVE and first.pairs_needed:
            asked += 1
            look = 2 + math.ceil(math.log(first.pairs_needed / 9, GROWTH))
            own = pairs(chance, first.pairs_needed, factor=1.05, spread=0.016)
            decided += judge(*own, "cpu: 3%", look=look).verdict is Verdict.SLOWER
    assert asked > 100
    assert decided / asked > 0.9


def test_a_cell_needs_the_pairs_of_the_metric_that_shows_it_to_be_worse_first() -> None:
    def undecided(factor: float, spread: float) -> Comparison:
        comparison = judge(*pairs(random.Random(1), 5, factor=factor, spread=spread), "cpu: 3%")
        assert comparison.verdict is Verdict.INCONCLUSIVE
        return comparison

    worse, close = undecided(1.06, 0.01), undecided(1.07, 0.02)
    within = undecided(1.01, 0.02)
    needed = {id(each): (each.pairs_needed or 0) - 5 for each in (worse, close, within)}
    assert 0 < needed[id(worse)] < needed[id(close)]
    assert pairs_missing([close, worse, within]) == needed[id(worse)]
    assert pairs_missing([within]) == needed[id(within)]
    other = replace(within, pairs_needed=1000)
    assert pairs_missing([within, other]) == 995


def test_the_smallest_effect_is_found_in_four_of_five_runs() -> None:
    chance = random.Random(3)
    base, head = pairs(random.Random(7), 400, factor=1.0, spread=0.015)
    sigma = 0.015 * math.sqrt(2)
    smallest = judge(base[:10], head[:10]).smallest_effect
    assert smallest is not None
    # The reference takes the spread that is known here, where the run has to estimate it.
    reference = math.expm1(math.log(1.05) + (2.685 + 0.883) * sigma / math.sqrt(10))
    found = sum(
        judge(*pairs(chance, 10, factor=1 + reference, spread=0.015)).verdict is Verdict.SLOWER
        for _ in range(500)
    )
    assert 0.72 <= found / 500 <= 0.92
    assert smallest == pytest.approx(reference, rel=0.5)


def test_repeated_looks_at_an_unchanged_stack_give_no_alarm() -> None:
    """Even at the very threshold the chance is bounded; here the truth is no change, 300 runs of 20 looks."""
    chance = random.Random(4)
    verdicts: Counter[Verdict] = Counter()
    for _ in range(300):
        base, head = pairs(chance, 4, factor=1.0, spread=0.03)
        for look in range(1, 21):
            verdict = judge(base, head, "time: 1%", look=look).verdict
            if verdict is not Verdict.INCONCLUSIVE:
                break
            more = pairs(chance, 2, factor=1.0, spread=0.03)
            base, head = [*base, *more[0]], [*head, *more[1]]
        verdicts[verdict] += 1
    assert verdicts[Verdict.SLOWER] + verdicts[Verdict.FASTER] <= 6


def test_at_the_threshold_itself_false_alarms_are_as_rare_as_allowed() -> None:
    chance = random.Random(5)
    alarms = 0
    for _ in range(1000):
        base, head = pairs(chance, 6, factor=1.05, spread=0.02)
        alarms += judge(base, head).verdict is Verdict.SLOWER
    assert alarms / 1000 <= ALPHA


def test_a_family_is_corrected_for_its_number() -> None:
    """42 unchanged stacks: hardly ever is one of them called changed; uncorrected, it would be often."""
    chance = random.Random(6)
    families_with_an_alarm = 0
    for _ in range(100):
        family = [ask(*pairs(chance, 5, factor=1.0, spread=0.02), "time: 0%") for _ in range(42)]
        verdicts = {each.verdict for each in judge_family(family, look=1)}
        families_with_an_alarm += bool(verdicts & {Verdict.SLOWER, Verdict.FASTER})
    assert families_with_an_alarm <= 9


def test_holms_adjustment() -> None:
    """The example of Wright 1992, "Adjusted P-values for simultaneous inference", computed by hand."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7, 0.9]) == [1.0, 1.0]
