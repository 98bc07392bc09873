"""Users: each has one connection at a time, and replaces it when it is lost."""

import asyncio
from time import perf_counter_ns

from pytest_webbench.analysis.responses import Mismatch
from pytest_webbench.load import failures
from pytest_webbench.load.native.connection import Connection
from pytest_webbench.load.native.context import LoadContext

__all__ = ["ClosedUser", "User"]

_FIRST_BACK_OFF_S = 0.001
_LONGEST_BACK_OFF_S = 0.1


class User:
    """Connects, waits for the start, and reconnects after each loss; subclasses send the requests."""

    def __init__(self, context: LoadContext) -> None:
        self.context = context
        self.connection: Connection | None = None
        self.fault: Mismatch | None = None
        """Why it could not connect."""
        self.waits = False
        """Whether it has tried to connect and waits for the start."""
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def new_connection(self) -> Connection:
        """Return a new connection of its kind, not yet opened."""
        raise NotImplementedError

    def begin(self, took_ns: int) -> None:
        """Begin when the load has started, or when a later connect, which took ``took_ns``, has ended."""
        raise NotImplementedError

    @property
    def sent_ns(self) -> int:
        """When its request under way was sent; 0 if there is none."""
        return self.connection.sent_ns if self.connection else 0

    @property
    def port(self) -> int | None:
        """The local port of its connection; ``None`` without a working one."""
        return self.connection.port if self.connection and not self.connection.gone else None

    @property
    def lost_at_rest(self) -> bool:
        """Whether the server has closed its connection after a response, as it may."""
        if self.connection is None:
            return self.waits and self.fault is None
        return self.connection.served and self.connection.gone is not None

    def leave(self) -> None:
        """Close the connection before the start, in order to open another one."""
        self.waits = False
        self.drop()

    def connect(self) -> None:
        """Open a connection in a separate task, then notify the run."""
        self._timer = None
        self._task = self.context.loop.create_task(self._connect())
        self._task.add_done_callback(self._connected)

    async def _connect(self) -> None:
        began_ns = perf_counter_ns()
        self.fault = await self._open()
        self.waits = True
        self.context.ready(self.begin, perf_counter_ns() - began_ns)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        if task is self._task:
            self._task = None
        if not task.cancelled() and (exc := task.exception()):
            self.context.crash(exc)

    async def _open(self) -> Mismatch | None:
        """Open a connection, or return why it failed."""
        timeout_s = self.context.load.timeout_s
        connection = self.new_connection()
        try:
            async with asyncio.timeout(timeout_s):
                await self.context.dial(connection)
        except OSError as exc:
            return failures.connect_failure(exc, timeout_s=timeout_s)
        self.connection = connection
        return None

    def drop(self) -> None:
        """Let go of the connection."""
        if self.connection is not None:
            self.connection.stop(0)
            self.connection = None

    def lose(self, fault: Mismatch, took_ns: int) -> None:
        """Lose the next request, which could not be sent because of ``fault``; connect again."""
        context = self.context
        number = context.tally.take()
        exchanges = context.load.exchanges
        context.tally.fail(number, exchanges[number % len(exchanges)].request, fault, took_ns)
        self.drop()
        self.retry()

    def retry(self) -> None:
        """Connect again, after a delay that grows with each connection without a response."""
        wait_s = min(_FIRST_BACK_OFF_S * 2 ** min(self._failures, 10), _LONGEST_BACK_OFF_S)
        self._failures += 1
        self._timer = self.context.loop.call_later(wait_s, self.connect)

    # Called by its connection.

    def connection_opened(self) -> None:
        """Count the connection: part of :class:`~pytest_webbench.load.native.connection.Owner`."""
        self.context.connection_opened()

    def connection_rested(self, now: int) -> None:
        """Wait for the next slice: part of :class:`~pytest_webbench.load.native.connection.Owner`."""
        self.waits = True
        self.context.asking -= 1
        self.context.stop_if_done(now)

    def connection_ended(self, now: int, *, served: bool, failed: bool) -> None:
        """Reconnect: part of :class:`~pytest_webbench.load.native.connection.Owner`."""
        context = self.context
        context.asking -= 1
        self.connection = None
        if served:
            self._failures = 0
        if context.tally.exhausted:
            self.waits = True  # for a slice that has more
            context.stop_if_done(now)
        elif failed:
            self.retry()
        else:
            self.connect()

    def connection_closed(self) -> None:
        """Count the closed connection: part of :class:`~pytest_webbench.load.native.connection.Owner`."""
        self.context.connection_closed()

    # Called by the run.

    def time_out(self, now: int) -> None:
        """Time out its request under way."""
        if self.connection is not None:
            self.connection.time_out(now)

    def stop(self, now: int) -> None:
        """End its request and connection, at ``now``."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self.connection is not None:
            self.connection.stop(now)

    async def finish(self) -> None:
        """Wait for the tasks that :meth:`stop` cancelled."""
        if self._task is not None:
            await asyncio.wait([self._task])


class ClosedUser(User):
    """Sends a request, waits for the response, and repeats."""

    def new_connection(self) -> Connection:
        """Return a new connection: part of :class:`User`."""
        return Connection(self.context.prepared_requests, self.context.tally, self)

    def begin(self, took_ns: int) -> None:
        """Send a request on the new connection; without one, a request is lost, after ``took_ns``."""
        context, lost_at_rest = self.context, self.lost_at_rest
        self.waits = False
        if context.stopped:
            self.drop()
            return
        fault = self.fault or (self.connection.gone if self.connection else None)
        if context.tally.exhausted:
            self.waits = True  # for a slice that has more
        elif lost_at_rest:
            self.drop()
            self.connect()
        elif fault is None and self.connection is not None:
            context.asking += 1
            self.connection.ask(perf_counter_ns())
        elif fault is not None:
            self.lose(fault, took_ns)
        context.stop_if_done(perf_counter_ns())
