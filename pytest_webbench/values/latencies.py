"""The times of many requests: each of them, or from a bound on how many lie in each of narrow buckets."""

import math
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

__all__ = ["BUCKET_BITS", "EXACT_MOST", "RELATIVE_ERROR", "Histogram", "Latencies", "Nanoseconds"]

if TYPE_CHECKING:
    Nanoseconds = array[int]
else:
    Nanoseconds = array  # which takes no parameters at run time before Python 3.12

EXACT_MOST = 2**20
"""Up to so many times a generator process keeps each; beyond it, a histogram of all of them."""
BUCKET_BITS = 11
"""Each doubling of a time is cut into 2 to the power of this many buckets, as in an HDR histogram."""
RELATIVE_ERROR = 2.0 ** -(BUCKET_BITS + 1)
"""How far a percentile of a histogram may lie from that of the times, as a share of it: 0.025 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many times lie in each bucket.

    ``buckets`` are the numbers of those that are not empty, ascending, and ``counts`` how many times each
    of them has. Bucket ``n`` begins at ``2**e * (1 + s / 2048)`` ns, where ``e`` and ``s`` are quotient and
    remainder of ``n`` by 2048; below 4096 ns each nanosecond has its own. ``sum_ns``, ``min_ns`` and
    ``max_ns`` are exact.
    """

    buckets: Nanoseconds
    counts: Nanoseconds
    sum_ns: int
    min_ns: int
    max_ns: int


class Latencies:
    """Times in nanoseconds, one for each request that was answered rightly.

    ``samples`` are all of them, with items of 4 bytes (``"I"``) or, where one does not fit, of 8
    (``"Q"``), if :attr:`exact`; else ``histogram`` says how they are distributed. Number, sum, smallest and
    largest are exact in either case. Not to be changed; no dataclass, for in JSON it is either a text
    (the samples) or an object (the histogram).
    """

    __slots__ = ("_samples", "histogram")

    def __init__(self, samples: Nanoseconds | None = None, *, histogram: Histogram | None = None) -> None:
        self._samples = array("I") if samples is None else samples
        self.histogram = histogram
        if histogram is not None and self._samples:
            raise ValueError("times are either samples or a histogram")

    @property
    def exact(self) -> bool:
        """Whether each single time is known."""
        return self.histogram is None

    @property
    def relative_error(self) -> float:
        """How far a percentile may lie from the true one, as a share of it; 0 if exact."""
        return 0.0 if self.histogram is None else RELATIVE_ERROR

    @property
    def samples(self) -> Nanoseconds:
        """Each single time. Raises :class:`ValueError` if there is only a histogram."""
        if self.histogram is not None:
            raise ValueError("single times are not known, only their histogram")
        return self._samples

    def __len__(self) -> int:
        return len(self._samples) if self.histogram is None else sum(self.histogram.counts)

    @property
    def sum_ns(self) -> int:
        """The sum of all times; exact."""
        return sum(self._samples) if self.histogram is None else self.histogram.sum_ns

    @property
    def mean_ns(self) -> float:
        """The mean of all times; NaN without any."""
        return self.sum_ns / len(self) if self else math.nan

    @property
    def min_ns(self) -> int:
        """The smallest time; exact. Raises :class:`ValueError` without any."""
        return min(self._samples) if self.histogram is None else self.histogram.min_ns

    @property
    def max_ns(self) -> int:
        """The largest time; exact. Raises :class:`ValueError` without any."""
        return max(self._samples) if self.histogram is None else self.histogram.max_ns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latencies):
            return NotImplemented
        return (self._samples, self.histogram) == (other._samples, other.histogram)

    __hash__ = None  # type: ignore[assignment]  # as that of the array that it is made of

    def __repr__(self) -> str:
        what = "samples" if self.exact else "in a histogram"
        return f"<Latencies: {len(self)} {what}>"
