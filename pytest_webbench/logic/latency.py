"""How response times are distributed, as far as there are enough of them to say."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_webbench.logic.statistics import percentiles
from pytest_webbench.values.latencies import Latencies

__all__ = ["Point", "latency_curve"]

SHARES = (
    *(step / 100 for step in range(0, 90, 5)),
    *(0.9 + step / 100 for step in range(10)),
    *(0.99 + step / 1000 for step in range(10)),
    0.999,
)
BEYOND = 10
"""So many samples must lie beyond a percentile, else it is about single requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A ``share`` (0.99) of the requests was answered within ``latency_s``."""

    share: float
    latency_s: float


def latency_curve(samples: Sequence[Latencies]) -> tuple[Point, ...]:
    """The percentiles up to the 99.9th that at least ten of all ``samples`` lie beyond."""
    count = sum(map(len, samples))
    shares = [share for share in SHARES if count * (1 - share) >= BEYOND - 1e-9]
    found = percentiles(samples, shares) if shares else []
    return tuple(
        Point(share=share, latency_s=value / 1e9) for share, value in zip(shares, found, strict=True)
    )
