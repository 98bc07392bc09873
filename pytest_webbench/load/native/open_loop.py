"""The open loop: requests are sent when they are due, however slowly the server responds.

* A request that is due is sent on the connection that has been free for longest, so that all of them,
  and all workers of the server behind them, have their share. If none is free it waits, and the wait is part
  of its latency, as it would be for a real user. Requests that were due but could not be sent before
  the end of the load are counted as dropped.
* A connection that the server closes while it is free is reopened; nothing is lost by that.
* How late the generator notices that a request is due, its lag, is counted separately, and is part of the
  latency.
"""

import sys
from collections import deque
from time import perf_counter_ns
from typing import Protocol

from pytest_webbench.load.http1.judging import PreparedRequests
from pytest_webbench.load.native.connection import Connection, Owner
from pytest_webbench.load.native.context import LoadContext
from pytest_webbench.load.native.timer import PreciseTimer
from pytest_webbench.load.native.users import User
from pytest_webbench.load.schedule import due_ns
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.load import Schedule

__all__ = ["Dispatcher", "OpenUser", "ScheduledConnection", "ScheduledOwner"]

_LATE_NS = 1_000_000


class Dispatcher:
    """Hands the requests that are due to free users.

    The schedule is iterated twice, once for what becomes due and once for what is sent: so waiting requests
    take no memory, however far a server falls behind.
    """

    def __init__(self, context: LoadContext, schedule: Schedule) -> None:
        self._context = context
        self._tally = context.tally
        self._to_come = due_ns(schedule)
        self._to_send = due_ns(schedule)
        self._free: deque[OpenUser] = deque()
        self._timer = PreciseTimer(context.loop, self._tick)
        self._start_ns = 0
        self._end_ns = 0
        self._next_ns = 0

    def start(self, start_ns: int, end_ns: int | None) -> None:
        """Start the load; requests due at ``end_ns`` or later are not part of it."""
        self._start_ns = start_ns
        self._end_ns = end_ns or sys.maxsize
        self._next_ns = start_ns + next(self._to_come)
        self._tick()

    def close(self, now: int) -> None:
        """End the load; requests due before ``now`` count as scheduled, noticed or not."""
        self._timer.close()
        if self._start_ns:
            self._notice_all(now)

    def free(self, user: "OpenUser") -> None:
        """Mark ``user`` as free to send a request."""
        self._free.append(user)
        self._hand_out()

    def busy(self, user: "OpenUser") -> None:
        """Mark ``user`` as busy, if it was free."""
        if user in self._free:
            self._free.remove(user)

    def take_due(self) -> int | None:
        """Return when the longest-waiting request was due; ``None`` if none waits."""
        if self._tally.sent >= self._tally.scheduled:
            return None
        return self._start_ns + next(self._to_send)

    def _tick(self) -> None:
        more = self._notice_all(perf_counter_ns())
        self._hand_out()
        if more and not self._context.stopped:
            self._timer.set(self._next_ns)

    def _notice_all(self, now: int) -> bool:
        """Count the requests that have become due; return whether more will."""
        tally = self._tally
        while self._next_ns <= now and self._next_ns < self._end_ns and tally.scheduled < tally.limit:
            late_ns = now - self._next_ns
            tally.scheduled += 1
            tally.lag_ns += late_ns
            tally.late += late_ns > _LATE_NS
            self._next_ns = self._start_ns + next(self._to_come)
        return self._next_ns < self._end_ns and tally.scheduled < tally.limit

    def _hand_out(self) -> None:
        while self._free and (due := self.take_due()) is not None:
            self._free.popleft().send(due)


class OpenUser(User):
    """Sends the requests it is given, one at a time."""

    def __init__(self, context: LoadContext, dispatcher: Dispatcher) -> None:
        super().__init__(context)
        self._dispatcher = dispatcher
        self._begun = False

    def new_connection(self) -> Connection:
        """Return a new connection: part of :class:`~pytest_webbench.load.native.users.User`."""
        return ScheduledConnection(self.context.prepared_requests, self.context.tally, self)

    def begin(self, took_ns: int) -> None:
        """Become free on the new connection; without one, a waiting request is lost, after ``took_ns``."""
        self.waits = False
        self._begun = True
        if self.context.stopped or self.context.tally.exhausted:
            self.drop()
        elif self.fault is None and self.connection is not None and not self.connection.gone:
            self._dispatcher.free(self)
        elif self.fault is not None and self._dispatcher.take_due() is not None:
            self.lose(self.fault, took_ns)
        else:
            self.drop()
            self.retry()
        self.context.stop_if_done(perf_counter_ns())

    def send(self, due: int) -> None:
        """Send the next request, which was due at ``due``."""
        connection = self.connection
        assert isinstance(connection, ScheduledConnection)
        if connection.gone is not None:
            self.lose(connection.gone, 0)
            self.context.stop_if_done(perf_counter_ns())
            return
        self.context.asking += 1
        connection.ask_due(due)

    # Called by its connection.

    def connection_free(self, now: int) -> None:
        """Become free: part of :class:`~pytest_webbench.load.native.open_loop.ScheduledOwner`."""
        self.context.asking -= 1
        if self.context.tally.exhausted:
            self.context.stop_if_done(now)
        else:
            self._dispatcher.free(self)

    def connection_idle_ended(self) -> None:
        """Reconnect: part of :class:`~pytest_webbench.load.native.open_loop.ScheduledOwner`."""
        if not self._begun or self.connection is None or self.context.stopped:
            return
        self._dispatcher.busy(self)
        self.connection = None
        self.connect()


class ScheduledOwner(Owner, Protocol):
    """The owner of a connection of an open loop, notified when it is free."""

    def connection_free(self, now: int) -> None:
        """Handle the end of a response; the next request may be sent."""

    def connection_idle_ended(self) -> None:
        """Handle an idle connection that the server has closed, as it may."""


class ScheduledConnection(Connection):
    """A connection of an open loop: after a response it waits to be given the next request."""

    __slots__ = ("_scheduled_owner", "_waited_ns")

    def __init__(self, prepared_requests: PreparedRequests, tally: Tally, owner: ScheduledOwner) -> None:
        super().__init__(prepared_requests, tally, owner)
        self._scheduled_owner = owner
        self._waited_ns = 0

    def ask_due(self, due_ns: int) -> None:
        """Send the next request, which was due at ``due_ns``."""
        self._waited_ns = 0
        super().ask(due_ns)
        self._waited_ns = max(0, self.sent_ns - due_ns)

    def ask(self, now: int) -> None:
        """Become free; the owner may call :meth:`ask_due` at once."""
        self.sent_ns = 0
        self._scheduled_owner.connection_free(now)

    def _count_right(self, took_ns: int, ttfb_ns: int) -> None:
        self._tally.add_scheduled(took_ns + self._waited_ns, ttfb_ns, took_ns)

    def _peer_closed(self, exc: Exception | None) -> None:
        idle = not self._ended and not self.sent_ns
        super()._peer_closed(exc)
        if idle:
            self._scheduled_owner.connection_idle_ended()
