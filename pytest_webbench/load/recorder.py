"""Where the times of a load's requests are kept while it lasts."""

from array import array
from typing import TYPE_CHECKING

from pytest_webbench.values.latencies import EXACT_MOST, Latencies
from pytest_webbench.values.load import Load

if TYPE_CHECKING:
    from pytest_webbench.logic.histogram import Buckets

__all__ = ["PIECE", "Recorder", "prepare_to_count"]

PIECE = 4096
"""How many times are counted at once, which takes about 50 µs: a load goes on meanwhile."""

_MOST_PER_S = 250_000
"""More right answers than that a process of Python does not get."""


def prepare_to_count(load: Load) -> None:
    """Import NumPy if ``load`` may have more right answers than are kept: it would be a pause of the load."""
    most, duration_s = load.most_requests, load.amount.duration_s
    if duration_s is not None:
        most = min(most, int(duration_s * _MOST_PER_S))
    if most > EXACT_MOST:
        import pytest_webbench.logic.histogram  # noqa: F401, PLC0415


class Recorder:
    """Times of one kind: as they are, or, those that were folded, counted in a histogram.

    ``short`` takes those that fit into 4 bytes, below 4.3 s, and is written to by whoever has them;
    :meth:`add_long` takes the others.
    """

    __slots__ = ("_buckets", "_long", "short")

    def __init__(self) -> None:
        self.short = array("I")
        self._long = array("Q")
        self._buckets: Buckets | None = None

    def __len__(self) -> int:
        return self.kept + (0 if self._buckets is None else self._buckets.count)

    @property
    def kept(self) -> int:
        """How many times are there as they are."""
        return len(self.short) + len(self._long)

    def add_long(self, time_ns: int) -> None:
        """One more time, of any length."""
        self._long.append(time_ns)

    def fold(self, most: int = PIECE) -> None:
        """Count up to so many times, and forget them. Their order means nothing, so it takes the last."""
        if self._buckets is None:
            from pytest_webbench.logic.histogram import Buckets  # noqa: PLC0415 - see prepare_to_count

            self._buckets = Buckets()
        for samples in (self.short, self._long):
            piece = samples[-most:]
            del samples[-most:]
            self._buckets.add(piece)

    def forget(self) -> None:
        """Begin again."""
        del self.short[:]  # whose methods the connections have at hand
        del self._long[:]
        self._buckets = None

    def times(self) -> Latencies:
        """All times, the short ones first; in a histogram if any was folded."""
        if self._buckets is not None:
            while self.kept:
                self.fold(2**16)
            return self._buckets.times()
        if not self._long:
            return Latencies(self.short)
        whole = array("Q", self.short)
        whole.extend(self._long)
        return Latencies(whole)
