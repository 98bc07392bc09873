"""Percentiles, as far as there are samples enough."""

from array import array

import pytest

from pytest_webbench.analysis.summary import latency_curve
from pytest_webbench.model.load import Latencies


def samples(count: int) -> Latencies:
    return Latencies(array("Q", (1_000_000 * number for number in range(1, count + 1))))


@pytest.mark.parametrize(
    ("count", "last"),
    [(9, None), (10, 0.0), (20, 0.5), (100, 0.9), (1000, 0.99), (10_000, 0.999), (10**5, 0.999)],
)
def test_ten_samples_at_least_lie_beyond_the_last_percentile(count: int, last: float | None) -> None:
    curve = latency_curve([samples(count)])
    assert (curve[-1].share if curve else None) == (pytest.approx(last) if last is not None else None)


def test_rounds_are_merged_before_percentiles_are_taken() -> None:
    curve = {round(each.share, 6): each.latency_s for each in latency_curve([samples(1000), samples(1000)])}
    assert curve[0.5] == pytest.approx(0.5)
    assert curve[0.99] == pytest.approx(0.99)


def test_no_samples_have_no_curve() -> None:
    assert latency_curve([]) == ()
    assert latency_curve([Latencies()]) == ()
