"""Intervals, ratios and percentiles, and times counted in buckets where memory does not suffice for each.

This module defines which method is used for which question. The buckets are those of an HDR histogram: each
doubling of a time is divided into 2048 of the same width. The bits of a 64-bit floating-point number already
contain them: its exponent, and the first 11 bits of the mantissa. So NumPy counts many samples by one
conversion, one shift and one addition.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from pytest_webbench.model.load import BUCKET_BITS, Histogram, Latencies, Nanoseconds
from pytest_webbench.model.results import Interval

__all__ = [
    "CONFIDENCE",
    "Buckets",
    "deviation",
    "join_latencies",
    "mean_interval",
    "percentiles",
    "quantiles",
    "ratio_interval",
    "relative_spread",
    "slowest_share",
]

CONFIDENCE = 0.95
"""The confidence level of every interval that is printed."""


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the geometric mean of positive ``values`` with Student's t interval of its logarithm.

    One value is one launch: variation between launches is in the interval. Logarithms, because times
    are positive and vary by factors; so the interval of a rate is the inverse of that of a time.
    """
    centre, half = _t_interval([math.log(value) for value in values])
    return Interval(estimate=math.exp(centre), low=math.exp(centre - half), high=_exp(centre + half))


def ratio_interval(values: Sequence[float], base: Sequence[float]) -> Interval:
    """Return how many times ``base`` the ``values`` are, from pairs (same block), with an interval.

    The geometric mean of the pairs' ratios with Student's t interval of its logarithm: whatever affects a
    whole block, such as a slow minute of the machine, cancels out of each pair's ratio.
    """
    return mean_interval([value / other for value, other in zip(values, base, strict=True)])


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of at least two ``values`` as a sample; 0 if they are the same.

    In two passes with exact sums: a hundred times as fast as :func:`statistics.stdev`, which uses fractions.
    """
    if min(values) == max(values):
        return 0.0
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def relative_spread(values: Sequence[float]) -> float:
    """Return the standard deviation as a share of the mean; 0 for a single value."""
    return deviation(values) / fmean(values) if len(values) > 1 else 0.0


def percentiles(times: Sequence[Latencies], shares: Sequence[float]) -> list[float]:
    """Return the values below which the given shares of all ``times`` together lie (NaN without any).

    The smallest sample that at least the share lies at or below (``inverted_cdf`` of NumPy, type 1 of
    Hyndman and Fan 1996), so that each value is a latency that was observed. The items may be of 4
    bytes in one part and of 8 in another. All samples are copied once, and no more than that. If one part
    bytes in one part and of 8 in another. All samples are copied only once. If one part
    :data:`~pytest_webbench.model.load.RELATIVE_ERROR` of that.
    """
    if not all(part.exact for part in times):
        return quantiles(join_latencies(times), shares)
    parts = [np.frombuffer(part.samples, dtype=part.samples.typecode) for part in times if part]
    if not parts:
        return [math.nan] * len(shares)
    merged = np.concatenate(parts)
    found = np.quantile(merged, shares, method="inverted_cdf", overwrite_input=True)
    return [float(value) for value in found]


def _t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of ``values`` and half of the width of its interval."""
    centre = fmean(values)
    if len(values) < 2:
        return centre, math.inf
    from scipy.special import stdtrit  # noqa: PLC0415

    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return centre, quantile * deviation(values) / math.sqrt(len(values))


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)


def slowest_share(rates: Sequence[float]) -> float:
    """Return the smallest of ``rates`` as a share of the largest; 1 if there are not two."""
    return min(rates) / max(rates) if len(rates) > 1 and max(rates) > 0 else 1.0


_MANTISSA_BITS = 52
_SHIFT = _MANTISSA_BITS - BUCKET_BITS
_OF_ONE = 1023 << BUCKET_BITS
"""The exponent of 1.0, at its position in the bits."""
_LARGEST = 2**_MANTISSA_BITS
"""Times from 52 days on, which no request takes, are counted as this."""
_BUCKETS = (_MANTISSA_BITS + 1) << BUCKET_BITS


class Buckets:
    """A histogram that grows."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, dtype=np.uint64)
        self._sum_ns = 0
        self._min_ns = _LARGEST
        self._max_ns = 0
        self.count = 0

    def add(self, samples: Nanoseconds) -> None:
        """Count ``samples``: 4096 of them in about 50 µs."""
        if not samples:
            return
        values = np.frombuffer(samples, dtype=samples.typecode)
        np.add.at(self._counts, _buckets_of(values), np.uint64(1))
        self._sum_ns += int(values.sum(dtype=np.uint64))
        self._min_ns = min(self._min_ns, int(values.min()))
        self._max_ns = max(self._max_ns, int(values.max()))
        self.count += len(samples)

    def add_all(self, times: Latencies) -> None:
        """Count ``times``, in either form."""
        histogram = times.histogram
        if histogram is None:
            self.add(times.samples)
            return
        counts = np.frombuffer(histogram.counts, dtype=np.uint64)
        self._counts[np.frombuffer(histogram.buckets, dtype=np.uint32)] += counts
        self._sum_ns += histogram.sum_ns
        self._min_ns = min(self._min_ns, histogram.min_ns)
        self._max_ns = max(self._max_ns, histogram.max_ns)
        self.count += int(counts.sum())

    def times(self) -> Latencies:
        """Return the counts as a histogram."""
        found = np.flatnonzero(self._counts)
        histogram = Histogram(
            buckets=Nanoseconds("I", found.astype(np.uint32).tobytes()),
            counts=Nanoseconds("Q", self._counts[found].tobytes()),
            sum_ns=self._sum_ns,
            min_ns=self._min_ns,
            max_ns=self._max_ns,
        )
        return Latencies(histogram=histogram)


def join_latencies(pieces: Iterable[Latencies]) -> Latencies:
    """Return all times of ``pieces``: exact if all of these are."""
    kept = list(pieces)
    if not all(piece.exact for piece in kept):
        buckets = Buckets()
        for piece in kept:
            buckets.add_all(piece)
        return buckets.times()
    arrays = [piece.samples for piece in kept]
    whole = Nanoseconds("Q" if any(each.typecode == "Q" for each in arrays) else "I")
    for each in arrays:
        whole.extend(each if each.typecode == whole.typecode else Nanoseconds(whole.typecode, each))
    return Latencies(whole)


def quantiles(times: Latencies, shares: Iterable[float]) -> list[float]:
    """Return the times below which the ``shares`` of all ``times`` lie, of a histogram that is not empty.

    The middle of the bucket in which the smallest time lies that at least the share lies at or below; no
    less than the smallest time of all, and no more than the largest.
    """
    histogram = times.histogram
    assert histogram is not None
    below = np.cumsum(np.frombuffer(histogram.counts, dtype=np.uint64))
    middles = _middles(np.frombuffer(histogram.buckets, dtype=np.uint32))
    ranks = np.maximum(np.ceil(float(below[-1]) * np.asarray(list(shares))), 1)
    found = middles[np.searchsorted(below, ranks.astype(np.uint64))]
    values = np.clip(found, histogram.min_ns, histogram.max_ns)
    values = np.where(ranks <= 1, histogram.min_ns, np.where(ranks >= below[-1], histogram.max_ns, values))
    return [float(value) for value in values]


def _buckets_of(values: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    floats = np.clip(values.astype(np.float64), 1, _LARGEST)
    return (floats.view(np.int64) >> _SHIFT) - _OF_ONE


def _middles(buckets: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return the middle of the whole numbers of nanoseconds in each of ``buckets``."""
    begins: NDArray[np.float64] = ((buckets.astype(np.int64) + _OF_ONE) << _SHIFT).view(np.float64)
    widths = np.exp2((buckets >> BUCKET_BITS).astype(np.float64) - BUCKET_BITS)
    middles: NDArray[np.float64] = begins + np.maximum(widths - 1, 0) / 2
    return middles
