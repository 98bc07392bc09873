"""Times in a histogram: what it says of them is within its bound, and what is summed is exact."""

import math
from array import array
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pytest_webbench.analysis.statistics import Buckets, join_latencies, percentiles
from pytest_webbench.model.load import RELATIVE_ERROR, Latencies

SHARES = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0)
MOST = 100 * 10**9
"""100 s: no request takes longer."""

times_ns = st.lists(
    st.one_of(
        st.integers(min_value=0, max_value=MOST),
        st.integers(min_value=0, max_value=36).map(lambda power: 2**power),
        st.integers(min_value=1, max_value=36).map(lambda power: 2**power - 1),
        st.sampled_from([1, 4095, 4096, 4097, 8191, 1_000_000]),
    ),
    min_size=1,
    max_size=60,
)


def counted(samples: Sequence[int]) -> Latencies:
    buckets = Buckets()
    buckets.add(array("Q", samples))
    return buckets.times()


@given(times_ns, st.floats(min_value=0, max_value=1))
def test_a_percentile_is_within_the_bound_of_the_exact_one(samples: list[int], share: float) -> None:
    (exact,) = percentiles([Latencies(array("Q", samples))], (share,))
    (found,) = percentiles([counted(samples)], (share,))
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR, abs=0)


@given(times_ns)
def test_number_sum_and_ends_are_exact(samples: list[int]) -> None:
    times = counted(samples)
    assert len(times) == len(samples)
    assert times.sum_ns == sum(samples)
    assert (times.min_ns, times.max_ns) == (min(samples), max(samples))
    assert times.mean_ns == sum(samples) / len(samples)


@given(st.lists(times_ns, min_size=1, max_size=4))
def test_merged_histograms_are_the_histogram_of_what_was_merged(parts: list[list[int]]) -> None:
    whole = counted([each for part in parts for each in part])
    assert join_latencies(map(counted, parts)) == whole
    mixed = [Latencies(array("Q", parts[0])), *map(counted, parts[1:])]
    assert join_latencies(mixed) == (whole if len(parts) > 1 else mixed[0])


def lognormal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.lognormal(math.log(2e6), 1.5, count)


def spiky(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.choice(np.array([1e3, 1e6, 1.001e6, 4e9, 9.9e10]), count, p=[0.01, 0.9, 0.08, 0.009, 0.001])


def uniform(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return np.exp(rng.uniform(math.log(1e3), math.log(1e11), count))


@pytest.mark.parametrize("shape", [lognormal, spiky, uniform])
def test_of_many_times_all_percentiles_are_right_to_a_thousandth(
    shape: Callable[[np.random.Generator, int], NDArray[np.float64]],
) -> None:
    samples = np.clip(shape(np.random.default_rng(7), 200_000), 1e3, 1e11).astype(np.uint64)
    exact = percentiles([Latencies(array("Q", samples.tobytes()))], SHARES)
    found = percentiles([counted(samples.tolist())], SHARES)
    assert found == pytest.approx(exact, rel=0.001, abs=0)
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR, abs=0)


def test_up_to_four_microseconds_each_nanosecond_has_its_own_bucket() -> None:
    samples = range(1, 4096)
    assert percentiles([counted(samples)], [each / 4095 for each in samples]) == list(map(float, samples))


def test_times_that_no_request_takes_are_no_error() -> None:
    times = counted([2**64 - 1, 2**53, 0])
    assert percentiles([times], (0.0, 1.0)) == [0.0, float(2**64 - 1)]


def test_a_histogram_has_no_single_times() -> None:
    times = counted([1, 2, 3])
    assert not times.exact
    assert times.relative_error < 0.001
    with pytest.raises(ValueError, match="single times are not known"):
        _ = times.samples


def test_it_takes_no_more_memory_for_more_times() -> None:
    buckets = Buckets()
    piece = array(
        "Q", np.random.default_rng(3).integers(10**6, 2 * 10**6, 100_000).astype(np.uint64).tobytes()
    )
    for _ in range(20):
        buckets.add(piece)
    found = buckets.times().histogram
    assert found is not None
    assert len(found.buckets) <= 2049
    assert sum(found.counts) == 2_000_000
