"""The accounts of a load: every request that is taken ends as right, as failed, or in flight."""

import sys
from array import array
from collections import Counter

from pytest_webbench.logic.judging import Fault
from pytest_webbench.values.exchange import Request
from pytest_webbench.values.load import Load, LoadResult

__all__ = ["Tally", "most_requests"]

_EXAMPLES = 3


def most_requests(load: Load) -> int:
    """How many requests ``load`` can have at most."""
    once = sys.maxsize if load.repeat else len(load.exchanges)
    return once if load.amount.requests is None else min(load.amount.requests, once)


class Tally:
    """Counts the requests of one load.

    A request is *taken* by counting ``sent`` up, which gives it its number, and ends once: right (an
    entry in ``latency_ns`` and in ``ttfb_ns``, nanoseconds), failed (:meth:`fail`), or still open at
    the deadline (:meth:`leave_open`). The connections write ``sent`` and the two arrays themselves, which
    spares calls for each request.
    """

    __slots__ = (
        "bytes_received",
        "connections_opened",
        "error_ns",
        "errors",
        "examples",
        "in_flight",
        "in_flight_ns",
        "latency_ns",
        "limit",
        "sent",
        "ttfb_ns",
        "unconfirmed",
    )

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sent = 0
        self.latency_ns = array("Q")
        self.ttfb_ns = array("Q")
        self.errors: Counter[str] = Counter()
        self.error_ns = 0
        self.in_flight = 0
        self.in_flight_ns = 0
        self.unconfirmed = array("Q")
        self.examples: list[str] = []
        self.connections_opened = 0
        self.bytes_received = 0

    @property
    def exhausted(self) -> bool:
        """Whether every request of the load has been taken."""
        return self.sent >= self.limit

    def take(self) -> int:
        """The number of the next request."""
        number = self.sent
        self.sent = number + 1
        return number

    def fail(self, number: int, request: Request, fault: Fault, took_ns: int) -> None:
        """Request ``number`` ended with ``fault``, ``took_ns`` nanoseconds after it was sent."""
        self.errors[fault.error.value] += 1
        self.error_ns += took_ns
        self.unconfirmed.append(number)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{request.method} {request.path}: {fault.why}")

    def leave_open(self, number: int, open_ns: int) -> None:
        """Request ``number`` had been under way for ``open_ns`` nanoseconds when the load ended."""
        self.in_flight += 1
        self.in_flight_ns += open_ns
        self.unconfirmed.append(number)

    def result(self, *, users: int, elapsed_ns: int, cpu_s: float) -> LoadResult:
        """What was counted, once nothing is under way any more."""
        ok = len(self.latency_ns)
        counted = ok + self.errors.total() + self.in_flight
        if not self.sent == counted == ok + len(self.unconfirmed) or ok != len(self.ttfb_ns):
            raise AssertionError(f"{self.sent} requests were sent, but {counted} are accounted for")
        return LoadResult(
            users=users,
            elapsed_s=elapsed_ns / 1e9,
            sent=self.sent,
            ok=ok,
            errors=dict(self.errors),
            in_flight=self.in_flight,
            latency_ns=self.latency_ns,
            ttfb_ns=self.ttfb_ns,
            in_flight_s=self.in_flight_ns / 1e9,
            error_s=self.error_ns / 1e9,
            unconfirmed=tuple(sorted(self.unconfirmed)),
            generator_cpu_s=cpu_s,
            connections_opened=self.connections_opened,
            bytes_received=self.bytes_received,
            examples=tuple(self.examples),
        )
