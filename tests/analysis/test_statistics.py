"""Intervals and percentiles, against SciPy, against counting, and against what they promise."""

import math
import statistics
import tracemalloc
from array import array
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.statistics import mean_interval, percentiles, ratio_interval, relative_spread
from pytest_webbench.model.load import Latencies
from pytest_webbench.model.results import Interval

times = st.floats(1e-6, 1e3)
samples_of_times = st.lists(times, min_size=2, max_size=8)


def close(one: Interval, other: Interval) -> bool:
    pairs = ((one.estimate, other.estimate), (one.low, other.low), (one.high, other.high))
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in pairs)


@given(samples_of_times)
def test_the_interval_of_a_mean_is_students_of_the_logarithms(values: list[float]) -> None:
    logs = [math.log(value) for value in values]
    low, high = scipy.stats.t.interval(
        0.95, df=len(values) - 1, loc=np.mean(logs), scale=scipy.stats.sem(logs) or 1e-300
    )
    expected = Interval(estimate=scipy.stats.gmean(values), low=math.exp(low), high=_exp(high))
    assert close(mean_interval(values), expected)


def _exp(value: float) -> float:
    """``math.exp``, but infinite where that is too large for it."""
    return math.exp(value) if value < 700 else math.inf


def test_a_worked_example() -> None:
    # ln: 0, 0.6931, 1.3863; mean 0.6931, s 0.6931; t(0.975, 2) = 4.3027; half-width 1.7219
    interval = mean_interval([1.0, 2.0, 4.0])
    assert interval.estimate == pytest.approx(2.0)
    assert interval.low == pytest.approx(0.3574, abs=1e-4)
    assert interval.high == pytest.approx(11.190, abs=1e-3)


def test_a_single_value_has_no_upper_bound() -> None:
    assert mean_interval([0.25]) == Interval(estimate=0.25, low=0.0, high=math.inf)


@given(samples_of_times)
def test_the_interval_of_a_rate_is_the_inverse_of_that_of_the_time(values: list[float]) -> None:
    interval = mean_interval(values)
    rates = mean_interval([1 / value for value in values])
    if interval.low > 1e-300 and interval.high < 1e300:
        assert close(rates, interval.inverse())


def test_the_inverse_of_an_unbounded_interval_is_unbounded() -> None:
    assert mean_interval([0.25]).inverse() == Interval(estimate=4.0, low=0.0, high=math.inf)


@given(samples_of_times, st.floats(1e-3, 1e3))
def test_a_unit_does_not_change_what_an_interval_says(values: list[float], factor: float) -> None:
    interval = mean_interval(values)
    if interval.low > 1e-200 and interval.high < 1e200:
        assert close(mean_interval([value * factor for value in values]), interval.scaled(factor))


def test_intervals_cover_the_truth_as_often_as_they_promise() -> None:
    rng = np.random.default_rng(20261121)
    for rounds in (3, 5, 10):
        runs = np.exp(rng.normal(math.log(0.01), 0.2, size=(3000, rounds)))
        covered = sum(0.01 in mean_interval(run.tolist()) for run in runs)
        assert covered / 3000 == pytest.approx(0.95, abs=0.012)  # three standard errors


@given(st.lists(st.tuples(times, times), min_size=2, max_size=6), st.data())
def test_what_a_block_has_in_common_falls_out_of_a_paired_ratio(
    pairs: list[tuple[float, float]], data: st.DataObject
) -> None:
    slowdowns = data.draw(st.lists(st.floats(0.1, 10), min_size=len(pairs), max_size=len(pairs)))
    ratio = ratio_interval([a for a, _ in pairs], [b for _, b in pairs])
    slowed = ratio_interval(
        [a * s for (a, _), s in zip(pairs, slowdowns, strict=True)],
        [b * s for (_, b), s in zip(pairs, slowdowns, strict=True)],
    )
    if ratio.low > 1e-200 and ratio.high < 1e200:
        assert close(slowed, ratio)


def test_pairs_show_a_difference_that_the_noise_of_blocks_hides() -> None:
    blocks = (1.0, 1.8, 0.7, 1.3, 2.2)
    base = [0.010 * block for block in blocks]
    slower = [0.011 * block * wobble for block, wobble in zip(blocks, (1, 1.01, 0.99, 1, 1.005), strict=True)]
    assert mean_interval(slower).low < mean_interval(base).high
    ratio = ratio_interval(slower, base)
    assert 1 not in ratio
    assert 1.1 in ratio


def test_a_stack_against_itself_is_exactly_one() -> None:
    values = [0.01, 0.013, 0.011]
    assert ratio_interval(values, values) == Interval(estimate=1.0, low=1.0, high=1.0)


def test_only_pairs_have_a_ratio() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio_interval([1.0, 2.0], [1.0])


@given(samples_of_times)
def test_the_spread_is_the_coefficient_of_variation(values: list[float]) -> None:
    expected = statistics.stdev(values) / statistics.mean(values)
    assert relative_spread(values) == pytest.approx(expected, abs=1e-12)


def test_a_single_round_has_no_spread() -> None:
    assert relative_spread([0.3]) == 0


# --- percentiles ------------------------------------------------------------------------------------

parts_of_latencies = st.lists(
    st.lists(st.integers(0, 2**53), max_size=40).map(lambda values: array("Q", values)), max_size=4
)


def nearest_rank(values: Sequence[int], share: float) -> int:
    """The smallest value that at least ``share`` of all lie at or below, by counting."""
    ordered = sorted(values)
    return next(each for each in ordered if sum(other <= each for other in ordered) >= share * len(ordered))


@given(parts_of_latencies.filter(any), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_a_percentile_is_a_value_that_was_seen(parts: list["array[int]"], share: float) -> None:
    merged = [value for part in parts for value in part]
    assert percentiles(list(map(Latencies, parts)), (share,)) == [nearest_rank(merged, share)]


def test_percentiles_of_a_hundred_values_over_several_rounds() -> None:
    rounds = [Latencies(array("Q", each)) for each in (range(1, 31), (), range(31, 101))]
    assert percentiles(rounds, (0.5, 0.95, 0.99)) == [50.0, 95.0, 99.0]


def test_percentiles_agree_with_numpy() -> None:
    values = np.random.default_rng(5).integers(1, 10**9, size=1237)
    shares = (0.01, 0.5, 0.9, 0.95, 0.99, 0.999)
    expected = [np.quantile(values, share, method="inverted_cdf") for share in shares]
    assert percentiles([Latencies(array("Q", values.tolist()))], shares) == expected


def test_items_of_four_and_of_eight_bytes_are_taken_together() -> None:
    short, long = array("I", [3, 1, 2**32 - 1]), array("Q", [2**40, 2])
    both = [Latencies(short), Latencies(long), Latencies()]
    assert percentiles(both, (0.2, 0.4, 0.6, 0.8, 1.0)) == [1, 2, 3, 2**32 - 1, 2**40]
    assert percentiles([Latencies(short)], (0.0, 1.0)) == [1, 2**32 - 1]
    assert (short, long) == (array("I", [3, 1, 2**32 - 1]), array("Q", [2**40, 2]))


def test_percentiles_take_the_memory_of_one_copy() -> None:
    """Of many rounds they may be hundreds of MB: a second copy would be dear."""
    parts = [Latencies(array("I", range(500_000))), Latencies(array("I", range(500_000)))]
    percentiles(parts, (0.5,))  # imports and caches
    tracemalloc.start()
    try:
        percentiles(parts, (0.5, 0.99, 1.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.1 * 4 * 1_000_000


@pytest.mark.parametrize("parts", [[], [array("Q")], [array("Q"), array("Q")]])
def test_no_values_have_no_percentile(parts: list["array[int]"]) -> None:
    assert all(math.isnan(value) for value in percentiles(list(map(Latencies, parts)), (0.5, 0.99)))
