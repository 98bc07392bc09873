"""Counts the requests of a load, and stores their times while it lasts.

Every request that is taken ends as successful, as failed, or in flight.
"""

from array import array
from collections import Counter
from typing import TYPE_CHECKING

from pytest_webbench.analysis.responses import Mismatch
from pytest_webbench.analysis.text import Examples
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import EXACT_MOST, MOST_UNCONFIRMED, Latencies, Load, LoadResult

if TYPE_CHECKING:
    from pytest_webbench.analysis.statistics import Buckets

__all__ = ["PIECE", "Recorder", "Tally", "prepare_to_count"]

PIECE = 4096
"""How many times are folded at once, which takes about 50 µs, while the load goes on."""

_MOST_PER_S = 250_000
"""A Python process does not reach more responses per second."""


def prepare_to_count(load: Load, exact_most: int = EXACT_MOST) -> None:
    """Import NumPy now if ``load`` may have more than ``exact_most`` responses: later it would be a pause."""
    most, duration_s = load.most_requests, load.amount.duration_s
    if duration_s is not None:
        most = min(most, int(duration_s * _MOST_PER_S))
    if most > exact_most:
        import pytest_webbench.analysis.statistics  # noqa: F401, PLC0415


class Recorder:
    """Times of one kind: stored one by one, or, once folded, counted in a histogram.

    Callers append to ``short`` the times that fit into 4 bytes, below 4.3 s; :meth:`add_long` takes longer
    ones.
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
        """How many times are stored one by one."""
        return len(self.short) + len(self._long)

    def add_long(self, time_ns: int) -> None:
        """Add a time of any length."""
        self._long.append(time_ns)

    def fold(self, most: int = PIECE) -> None:
        """Count up to ``most`` times in the histogram, and drop them.

        Order is irrelevant, so it takes the last.
        """
        if self._buckets is None:
            from pytest_webbench.analysis.statistics import Buckets  # noqa: PLC0415 - see prepare_to_count

            self._buckets = Buckets()
        for samples in (self.short, self._long):
            piece = samples[-most:]
            del samples[-most:]
            self._buckets.add(piece)

    def forget(self) -> None:
        """Drop everything and start over."""
        del self.short[:]  # in place: connections hold its bound methods
        del self._long[:]
        self._buckets = None

    def times(self) -> Latencies:
        """Return all times, the short ones first; as a histogram if any was folded."""
        if self._buckets is not None:
            while self.kept:
                self.fold(2**16)
            return self._buckets.times()
        if not self._long:
            return Latencies(self.short)
        whole = array("Q", self.short)
        whole.extend(self._long)
        return Latencies(whole)


_LOOK_S = 0.05
_FOLD_S = 0.004


class Tally:
    """Counts the requests of one load.

    A request is *taken* by incrementing ``sent``, which gives it its number, and ends once: successful (an
    entry in ``latency_ns`` and in ``ttfb_ns``, nanoseconds), failed (:meth:`fail`), or still open at
    the deadline (:meth:`leave_open`). The connections write ``sent`` and the two arrays themselves, which
    saves calls for each request; the arrays have items of 4 bytes, to save memory, and times that do
    not fit, from 4.3 s on, go through :meth:`add_long`.

    Beyond ``exact_most`` successful responses, :meth:`fold` counts times in histograms, so
    that a longer load takes no more memory. Connections write as before.
    """

    __slots__ = (
        "_changes",
        "_exact_most",
        "_recorders",
        "bytes_received",
        "connections_opened",
        "error_ns",
        "errors",
        "examples",
        "in_flight",
        "in_flight_ns",
        "lag_ns",
        "late",
        "latency_ns",
        "limit",
        "longest_in_flight_ns",
        "scheduled",
        "sent",
        "service_ns",
        "ttfb_ns",
        "unconfirmed",
        "unnamed",
    )

    def __init__(self, load: Load, *, exact_most: int = EXACT_MOST) -> None:
        prepare_to_count(load, exact_most)
        self.limit = load.most_requests
        self.sent = 0
        self._exact_most = exact_most
        self._recorders = latency, ttfb, service = Recorder(), Recorder(), Recorder()
        self.latency_ns, self.ttfb_ns, self.service_ns = latency.short, ttfb.short, service.short
        self.errors: Counter[str] = Counter()
        self.error_ns = 0
        self.in_flight = 0
        self.in_flight_ns = 0
        self.longest_in_flight_ns = 0
        self.unconfirmed = array("Q")
        self.unnamed = 0
        self.examples = Examples()
        self.connections_opened = 0
        self.bytes_received = 0
        self.scheduled = 0
        self.lag_ns = 0
        self.late = 0
        self._changes = any(one.effect for one in load.exchanges)

    def forget(self, connections: int) -> None:
        """Start counting again, with ``connections`` already open."""
        for recorder in self._recorders:
            recorder.forget()
        del self.unconfirmed[:]
        self.unnamed = 0
        self.errors.clear()
        self.examples.clear()
        self.sent = self.bytes_received = 0
        self.error_ns = self.in_flight = self.in_flight_ns = self.longest_in_flight_ns = 0
        self.connections_opened = connections

    @property
    def exhausted(self) -> bool:
        """Whether every request of the load has been taken."""
        return self.sent >= self.limit

    def take(self) -> int:
        """Take the next request and return its number."""
        number = self.sent
        self.sent = number + 1
        return number

    def add(self, latency_ns: int, ttfb_ns: int) -> None:
        """Add a successful request of a closed loop; the latency is the longer of the two."""
        try:
            self.latency_ns.append(latency_ns)
            self.ttfb_ns.append(ttfb_ns)
        except OverflowError:  # raised by the first of the two
            self.add_long(latency_ns, ttfb_ns)

    def add_long(self, latency_ns: int, ttfb_ns: int, service_ns: int | None = None) -> None:
        """Add a successful request whose latency does not fit in the arrays.

        ``service_ns`` is ``None`` in a closed loop.
        """
        for recorder, time_ns in zip(self._recorders, (latency_ns, ttfb_ns, service_ns), strict=True):
            if time_ns is not None:
                recorder.add_long(time_ns)

    def fold(self) -> float:
        """Count a batch of times in a histogram if there are more than can be stored one by one.

        Takes 50 µs, less than ten requests, or next to nothing. Returns the seconds within which it must be
        called again; so it keeps up with 340,000 successful responses a second.
        """
        if all(len(recorder) <= self._exact_most for recorder in self._recorders):
            return _LOOK_S
        fullest = max(self._recorders, key=lambda recorder: recorder.kept)
        if fullest.kept >= PIECE:
            fullest.fold()
        return _FOLD_S

    def add_scheduled(self, latency_ns: int, ttfb_ns: int, service_ns: int) -> None:
        """Add a successful request of an open loop; the latency is the longest of the three."""
        try:
            self.latency_ns.append(latency_ns)
            self.ttfb_ns.append(ttfb_ns)
            self.service_ns.append(service_ns)
        except OverflowError:
            self.add_long(latency_ns, ttfb_ns, service_ns)

    def fail(self, number: int, request: Request, fault: Mismatch, took_ns: int) -> None:
        """Add request ``number``, which ended with ``fault``, ``took_ns`` nanoseconds after it was sent."""
        self.errors[fault.error.value] += 1
        self.error_ns += took_ns
        self._leave_unconfirmed(number)
        self.examples.add(request, fault.why)

    def leave_open(self, number: int, open_ns: int) -> None:
        """Add request ``number``, still under way at the end of the load, after ``open_ns`` nanoseconds."""
        self.in_flight += 1
        self.in_flight_ns += open_ns
        self.longest_in_flight_ns = max(self.longest_in_flight_ns, open_ns)
        self._leave_unconfirmed(number)

    def _leave_unconfirmed(self, number: int) -> None:
        if not self._changes:
            return
        if len(self.unconfirmed) < MOST_UNCONFIRMED:
            self.unconfirmed.append(number)
        else:
            self.unnamed += 1

    def result(self, *, users: int, elapsed_ns: int, cpu_s: float) -> LoadResult:
        """Return the result, once nothing is under way any more."""
        latency_ns, ttfb_ns, service_ns = self._times()
        ok = len(latency_ns)
        counted = ok + self.errors.total() + self.in_flight
        if self.sent != counted or ok != len(ttfb_ns) or len(service_ns) not in {0, ok}:
            raise AssertionError(f"{self.sent} requests were sent, but {counted} are accounted for")
        return LoadResult(
            users=users,
            elapsed_s=elapsed_ns / 1e9,
            sent=self.sent,
            ok=ok,
            errors=dict(self.errors),
            in_flight=self.in_flight,
            latency_ns=latency_ns,
            ttfb_ns=ttfb_ns,
            service_ns=service_ns,
            in_flight_s=self.in_flight_ns / 1e9,
            error_s=self.error_ns / 1e9,
            unconfirmed=tuple(sorted(self.unconfirmed)),
            unnamed=self.unnamed,
            generator_cpu_s=cpu_s,
            generator_busy=cpu_s / (elapsed_ns / 1e9) if elapsed_ns else 0.0,
            connections_opened=self.connections_opened,
            bytes_received=self.bytes_received,
            scheduled=self.scheduled,
            dropped=max(0, self.scheduled - self.sent),
            lag_s=self.lag_ns / self.scheduled / 1e9 if self.scheduled else 0.0,
            late=self.late,
            examples=self.examples.texts,
            example_counts=self.examples.counts,
            longest_in_flight_s=self.longest_in_flight_ns / 1e9,
        )

    def _times(self) -> tuple[Latencies, Latencies, Latencies]:
        """Return all times of the three kinds, in the same form."""
        latency, ttfb, service = self._recorders
        if len(latency) > self._exact_most:
            for recorder in self._recorders:
                recorder.fold()
        return latency.times(), ttfb.times(), service.times() if len(service) else Latencies()
