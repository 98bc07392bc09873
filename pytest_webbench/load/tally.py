"""The accounts of a load: every request that is taken ends as right, as failed, or in flight."""

from array import array
from collections import Counter

from pytest_webbench.logic.judging import Fault
from pytest_webbench.logic.masking import mask_path
from pytest_webbench.values.exchange import Request
from pytest_webbench.values.load import Load, LoadResult, Nanoseconds

__all__ = ["Tally"]

_EXAMPLES = 3


class Tally:
    """Counts the requests of one load.

    A request is *taken* by counting ``sent`` up, which gives it its number, and ends once: right (an
    entry in ``latency_ns`` and in ``ttfb_ns``, nanoseconds), failed (:meth:`fail`), or still open at
    the deadline (:meth:`leave_open`). The connections write ``sent`` and the two arrays themselves, which
    spares calls for each request; the arrays have items of 4 bytes, so that many requests have room,
    and what does not fit, from 4.3 s on, goes through :meth:`add_long`.
    """

    __slots__ = (
        "_changes",
        "_long",
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
        "scheduled",
        "sent",
        "service_ns",
        "ttfb_ns",
        "unconfirmed",
    )

    def __init__(self, load: Load) -> None:
        self.limit = load.most_requests
        self.sent = 0
        self.latency_ns = array("I")
        self.ttfb_ns = array("I")
        self.service_ns = array("I")
        self.errors: Counter[str] = Counter()
        self.error_ns = 0
        self.in_flight = 0
        self.in_flight_ns = 0
        self.unconfirmed = array("Q")
        self.examples: list[str] = []
        self.connections_opened = 0
        self.bytes_received = 0
        self.scheduled = 0
        self.lag_ns = 0
        self.late = 0
        self._long: list[tuple[int, int, int]] = []
        self._changes = any(one.effect for one in load.exchanges)

    def forget(self, connections: int) -> None:
        """Count from the beginning again, with so many ``connections`` that stand."""
        for samples in (self.latency_ns, self.ttfb_ns, self.service_ns, self.unconfirmed):
            del samples[:]  # whose methods the connections have at hand
        self.errors.clear()
        self.examples.clear()
        self._long.clear()
        self.sent = self.bytes_received = 0
        self.error_ns = self.in_flight = self.in_flight_ns = 0
        self.connections_opened = connections

    @property
    def exhausted(self) -> bool:
        """Whether every request of the load has been taken."""
        return self.sent >= self.limit

    def take(self) -> int:
        """The number of the next request."""
        number = self.sent
        self.sent = number + 1
        return number

    def add_long(self, latency_ns: int, ttfb_ns: int, service_ns: int = 0) -> None:
        """A request ended right, and its latency has no room in the arrays."""
        self._long.append((latency_ns, ttfb_ns, service_ns))

    def add_scheduled(self, latency_ns: int, ttfb_ns: int, service_ns: int) -> None:
        """A request of an open loop ended right; the latency is the longest of the three."""
        try:
            self.latency_ns.append(latency_ns)
            self.ttfb_ns.append(ttfb_ns)
            self.service_ns.append(service_ns)
        except OverflowError:
            self.add_long(latency_ns, ttfb_ns, service_ns)

    def fail(self, number: int, request: Request, fault: Fault, took_ns: int) -> None:
        """Request ``number`` ended with ``fault``, ``took_ns`` nanoseconds after it was sent."""
        self.errors[fault.error.value] += 1
        self.error_ns += took_ns
        self._leave_unconfirmed(number)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{request.method} {mask_path(request.path)}: {fault.why}")

    def leave_open(self, number: int, open_ns: int) -> None:
        """Request ``number`` had been under way for ``open_ns`` nanoseconds when the load ended."""
        self.in_flight += 1
        self.in_flight_ns += open_ns
        self._leave_unconfirmed(number)

    def _leave_unconfirmed(self, number: int) -> None:
        if self._changes:
            self.unconfirmed.append(number)

    def result(self, *, users: int, elapsed_ns: int, cpu_s: float) -> LoadResult:
        """What was counted, once nothing is under way any more."""
        latency_ns, ttfb_ns, service_ns = self._samples()
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
            generator_cpu_s=cpu_s,
            generator_busy=cpu_s / (elapsed_ns / 1e9) if elapsed_ns else 0.0,
            connections_opened=self.connections_opened,
            bytes_received=self.bytes_received,
            scheduled=self.scheduled,
            dropped=max(0, self.scheduled - self.sent),
            lag_s=self.lag_ns / self.scheduled / 1e9 if self.scheduled else 0.0,
            late=self.late,
            examples=tuple(self.examples),
        )

    def _samples(self) -> tuple[Nanoseconds, Nanoseconds, Nanoseconds]:
        """The three arrays, with items of 8 bytes if there are long ones."""
        if not self._long:
            return self.latency_ns, self.ttfb_ns, self.service_ns
        latency_ns, ttfb_ns, service_ns = (
            array("Q", short) for short in (self.latency_ns, self.ttfb_ns, self.service_ns)
        )
        for latency, ttfb, service in self._long:
            latency_ns.append(latency)
            ttfb_ns.append(ttfb)
            if self.scheduled:
                service_ns.append(service)
        return latency_ns, ttfb_ns, service_ns
