"""The accounts of one load in a Locust worker: the requests its users took, and Locust's ``request`` events.

A latency runs from just before a request is handed to the kernel, or in an open loop from when it was
due, to just after the last byte of its response was read from the kernel. It is kept here, because
Locust's own statistics round to two digits.
"""

import gc
import sys
import time
from itertools import islice, takewhile
from time import perf_counter_ns
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event

import pytest_webbench.analysis.statistics  # noqa: F401 - while it is imported no heartbeat would be sent
from pytest_webbench.load.frames import LoadJob
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.judging import PreparedRequest, PreparedRequests
from pytest_webbench.load.schedule import due_ns
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.load import LoadResult

__all__ = ["Accounts"]

_EXACT_MOST = 2**16
"""With more times than this, a worker sends a histogram, which has about as many bytes."""
_GATHERING_S = 3.0
_LONGEST_WAIT_S = 3600.0
_LATE_NS = 1_000_000


class Accounts:
    """The requests that ``job`` asks for, and their outcomes.

    Raises :class:`LoadError` if the load is invalid, a request cannot be encoded, or the host is unknown.
    """

    def __init__(self, job: LoadJob) -> None:
        self.load = load = job.load
        self.target = Target.parse(job.base_url)
        self.prepared_requests = PreparedRequests.of(load, self.target)
        try:
            socket.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM)
        except OSError as exc:
            raise self.target.unknown(exc) from exc
        self.tally = Tally(load, exact_most=_EXACT_MOST)
        self.started = Event()
        self.crash: BaseException | None = None
        """An error in the generator itself."""
        self._arrivals = None if load.schedule is None else islice(due_ns(load.schedule), self.tally.limit)
        self._under_way: dict[int, int] = {}
        self._entered = self._ready = 0
        self._gathered = Event()
        self._ended = Event()
        self._start_ns = self._last_ns = 0
        self._deadline_ns = sys.maxsize

    # Called by its users.

    def enter(self) -> int:
        """Add a user; return its index."""
        self._entered += 1
        return self._entered - 1

    def ready(self) -> None:
        """Record that one more user has tried to connect."""
        self._ready += 1
        if self._ready == self.load.users:
            self._gathered.set()

    def take(self) -> tuple[int, PreparedRequest, int | None] | None:
        """Return the next request, once it is due, with its number and due time; ``None`` at the end."""
        due = None
        if self._arrivals is not None:
            offset_ns = next(self._arrivals, None)
            if offset_ns is None:
                return None
            due = self._start_ns + offset_ns
            if due >= self._deadline_ns:
                self._ended.wait()
                return None
            self._sleep_until(due)
        elif self.tally.exhausted:
            return None
        number = self.tally.take()
        self._under_way[number] = perf_counter_ns()
        return number, self.prepared_requests.all[number % len(self.prepared_requests.all)], due

    def _sleep_until(self, due: int) -> None:
        is_early = perf_counter_ns() < due
        while (left_ns := due - perf_counter_ns()) > 0:
            gevent.sleep(left_ns / 1e9)
        if is_early:
            self.tally.lag_ns += -left_ns
            self.tally.late += -left_ns > _LATE_NS

    # Locust's events.

    def on_request(self, *, context: dict[str, Any], exception: Any, **_: Any) -> None:
        """Handle Locust's ``request`` event: a request has ended."""
        number = context["number"]
        if self._under_way.pop(number, None) is None:  # the load has ended: counted as in flight
            return
        sent_ns, first_ns, end_ns, due = context["times"]
        took_ns, self._last_ns = end_ns - sent_ns, end_ns
        if exception is not None:
            prepared = self.prepared_requests.all[number % len(self.prepared_requests.all)]
            self.tally.fail(number, prepared.exchange.request, exception.fault, took_ns)
        elif due is None:
            self.tally.add(took_ns, first_ns - sent_ns)
        else:
            self.tally.add_scheduled(end_ns - min(due, sent_ns), first_ns - sent_ns, took_ns)

    def on_user_error(self, *, exception: BaseException, **_: Any) -> None:
        """Handle Locust's ``user_error`` event: a bug here must not look like an error of the server."""
        self.crash = exception

    # The load.

    def gather(self) -> None:
        """Wait until the spawned users are connected, but not for slow ones."""
        self._gathered.wait(self.load.users * 0.002 + min(_GATHERING_S, self.load.timeout_s))

    def carry_out(self, users: Any) -> LoadResult:
        """Start ``users``, a group of greenlets, wait for the end, and return the result."""
        gc.collect()
        gc.freeze()  # a pause of the collector would be latency
        folding = gevent.spawn(self._fold)
        cpu_s = time.process_time()
        self._start_ns = self._last_ns = perf_counter_ns()
        if self.load.amount.duration_s is not None:
            self._deadline_ns = self._start_ns + int(self.load.amount.duration_s * 1e9)
        self.started.set()
        end_ns = self._await_end(users)
        self._ended.set()
        cpu_s = time.process_time() - cpu_s
        folding.kill()
        if self.crash is not None:
            raise self.crash
        for number, began_ns in self._under_way.items():
            self.tally.leave_open(number, end_ns - began_ns)
        self._under_way.clear()
        if self.load.schedule is not None:
            within_ns = min(end_ns + 1, self._deadline_ns) - self._start_ns
            due = islice(due_ns(self.load.schedule), self.tally.limit)
            self.tally.scheduled = sum(1 for _ in takewhile(within_ns.__gt__, due))
        return self.tally.result(users=self.load.users, elapsed_ns=end_ns - self._start_ns, cpu_s=cpu_s)

    def _await_end(self, users: Any) -> int:
        while (left_ns := self._deadline_ns - perf_counter_ns()) > 0:  # gevent's timers may be early
            if users.join(min(left_ns / 1e9, _LONGEST_WAIT_S)):
                return self._last_ns
        return perf_counter_ns()

    def _fold(self) -> None:
        """Fold times into histograms, to bound memory."""
        while True:
            gevent.sleep(self.tally.fold())
