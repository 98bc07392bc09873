"""Intervals, ratios and percentiles.

Numbers come from NumPy and SciPy; this module says which method is used for which question. Both are
imported where they are needed, for a pytest run without benchmarks must not pay for them.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from pytest_webbench.values.latencies import Latencies
from pytest_webbench.values.summary import Interval

__all__ = ["CONFIDENCE", "mean_interval", "percentiles", "ratio_interval", "relative_spread", "slowest_share"]

CONFIDENCE = 0.95
"""The confidence level of every interval that is printed."""


def mean_interval(values: Sequence[float]) -> Interval:
    """The geometric mean of positive ``values`` with Student's t interval of its logarithm.

    One value is one launch: what varies between launches is in the interval. Logarithms, because times
    are positive and vary by factors; so the interval of a rate is the inverse of that of a time.
    """
    centre, half = _t_interval([math.log(value) for value in values])
    return Interval(estimate=math.exp(centre), low=math.exp(centre - half), high=_exp(centre + half))


def ratio_interval(values: Sequence[float], base: Sequence[float]) -> Interval:
    """How many times ``base`` the ``values`` are, from pairs (same block), with an interval.

    The geometric mean of the pairs' ratios with Student's t interval of its logarithm: what a block
    has in common, such as a slow minute of the machine, falls out of each pair's ratio.
    """
    return mean_interval([value / other for value, other in zip(values, base, strict=True)])


def relative_spread(values: Sequence[float]) -> float:
    """The standard deviation as a share of the mean; 0 for a single value."""
    return stdev(values) / fmean(values) if len(values) > 1 else 0.0


def percentiles(times: Sequence[Latencies], shares: Sequence[float]) -> list[float]:
    """The values below which the given shares of all ``times`` together lie (NaN without any).

    The smallest sample that at least the share lies at or below (``inverted_cdf`` of NumPy, type 1 of
    Hyndman and Fan 1996), so that each figure is a latency which was really seen. The items may be of 4
    bytes in one part and of 8 in another. All samples are copied once, and no more than that. If one part
    is a histogram, what is said is within
    :data:`~pytest_webbench.values.latencies.RELATIVE_ERROR` of that.
    """
    import numpy as np  # noqa: PLC0415

    from pytest_webbench.logic.histogram import join_latencies, quantiles  # noqa: PLC0415

    if not all(part.exact for part in times):
        return quantiles(join_latencies(times), shares)
    parts = [np.frombuffer(part.samples, dtype=part.samples.typecode) for part in times if part]
    if not parts:
        return [math.nan] * len(shares)
    merged = np.concatenate(parts)
    found = np.quantile(merged, shares, method="inverted_cdf", overwrite_input=True)
    return [float(value) for value in found]


def _t_interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean of ``values`` and half of the width of its interval."""
    centre = fmean(values)
    if len(values) < 2:
        return centre, math.inf
    from scipy.special import stdtrit  # noqa: PLC0415

    quantile = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2))
    return centre, quantile * stdev(values) / math.sqrt(len(values))


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)


def slowest_share(rates: Sequence[float]) -> float:
    """The smallest of ``rates`` as a share of the largest; 1 if there are not two."""
    return min(rates) / max(rates) if len(rates) > 1 and max(rates) > 0 else 1.0
