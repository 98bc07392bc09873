"""The closed loop: each user asks, waits for the answer, checks it, and asks again.

What is timed, and what is not:

* All users are connected, one after the other, before the clock starts, and then all start at once:
  the time that a TCP connect takes is no latency of a request. Who is not connected after
  :data:`_GATHERING_S` seconds joins later; who failed has lost one request, which is counted when the
  clock starts.
* A latency runs from the moment before the request is handed to the kernel to the moment at which
  the kernel handed over the last byte of its answer. Checking that answer comes after it.
* A user whose connection was closed opens another and goes on with the next request; nothing is
  ever sent twice. That connect is no latency either, but while it lasts the user asks nothing, so
  that it shows in the rate, and in ``connections_opened``.
* After a connection that failed, a user waits for 1 ms before it connects again, and twice as long
  each time that no answer came in between, up to 100 ms.
"""

import asyncio
import errno
import gc
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter_ns
from typing import Any, NamedTuple

from pytest_webbench.errors import LoadError
from pytest_webbench.load.connection import Connection, Question, Questions
from pytest_webbench.load.tally import Tally, most_requests
from pytest_webbench.load.wire import Target, encode
from pytest_webbench.logic.judging import Fault
from pytest_webbench.values.load import ErrorClass, Load, LoadResult

__all__ = ["run_load"]

_APART_S = 0.002
"""How far apart users connect. A burst is often taken by one worker of a server that shares its socket
between several, all of it, and the others stand idle for the whole load."""
_APART_IN_ALL_S = 1.0
"""The most that connecting apart may take."""
_GATHERING_S = 3.0
"""How long the start waits for users to connect."""
_CLOSING_S = 10.0
"""How long closing the connections may take, which happens at once unless the loop is at fault."""
_FIRST_BACK_OFF_S = 0.001
_LONGEST_BACK_OFF_S = 0.1
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


class _Address(NamedTuple):
    family: int
    host: str
    port: int


async def run_load(load: Load, base_url: str) -> LoadResult:
    """Carry out ``load`` against the server at ``base_url``; in a loop of uvloop, for speed.

    Raises :class:`LoadError` if the load makes no sense, a request cannot be encoded, or the host is
    unknown. Whatever the server does is counted.
    """
    if load.users < 1 or not load.exchanges or not load.timeout_s > 0:
        raise LoadError("A load needs at least one user, one exchange, and a timeout above 0.")
    target = Target.parse(base_url)
    questions = Questions([Question(one, encode(one.request, target)) for one in load.exchanges])
    run = _Run(load, questions, await _resolve(target))
    with _no_garbage_collection():
        return await run.carry_out()


async def _resolve(target: Target) -> list[_Address]:
    """The addresses of the host of ``target``, in the order in which to try them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except OSError as exc:
        raise LoadError(f"The host {target.host!r} has no address: {exc}.") from exc
    return [_Address(family, str(address[0]), int(address[1])) for family, _, _, _, address in found]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from pausing the load; what a connection leaves behind needs none."""
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


class _Run:
    """One load: its users, its beginning and its end."""

    def __init__(self, load: Load, questions: Questions, addresses: list[_Address]) -> None:
        self.load = load
        self.questions = questions
        self.loop = asyncio.get_running_loop()
        self.tally = Tally(most_requests(load))
        self.asking = 0
        """How many users have a request under way."""
        self.stopped = False
        self._started = False
        self._addresses = addresses
        self._users = [_User(self) for _ in range(load.users)]
        self._gathered = asyncio.Event()
        self._gathering = load.users
        self._open = 0
        self._all_closed = asyncio.Event()
        self._end_ns: asyncio.Future[int] = self.loop.create_future()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    async def carry_out(self) -> LoadResult:
        """Connect, start, wait for the end, and count."""
        handler = self.loop.get_exception_handler()
        self.loop.set_exception_handler(self._crash)
        try:
            await self._gather()
            cpu_s = time.process_time()
            start_ns = perf_counter_ns()
            self._start(start_ns)
            end_ns = await self._end_ns
            cpu_s = time.process_time() - cpu_s
        finally:
            await self._close()
            self.loop.set_exception_handler(handler)
        return self.tally.result(users=self.load.users, elapsed_ns=end_ns - start_ns, cpu_s=cpu_s)

    # The beginning.

    async def _gather(self) -> None:
        """Connect the users one after the other, but do not wait for the slow ones."""
        apart_s = min(_APART_S, _APART_IN_ALL_S / len(self._users))
        for user in self._users:
            user.connect()
            await asyncio.sleep(apart_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_GATHERING_S, self.load.timeout_s)):
                await self._gathered.wait()

    def ready(self, user: "_User", took_ns: int) -> None:
        """``user`` has tried to connect, which took ``took_ns``."""
        if self._started:
            user.begin(took_ns)
            return
        self._gathering -= 1
        if self._gathering == 0:
            self._gathered.set()

    def _start(self, now: int) -> None:
        self._started = True
        if self.load.amount.duration_s is not None:
            self._run_until(now + int(self.load.amount.duration_s * 1e9))
        self._watch()
        for user in self._users:
            if user.waits:
                user.begin(0)

    # The end.

    def _run_until(self, deadline_ns: int) -> None:
        """Stop at ``deadline_ns``, and not before: timers of the loop count in whole milliseconds."""
        now = perf_counter_ns()
        if now >= deadline_ns:
            self._stop(now)
        else:
            wait_s = (deadline_ns - now) / 1e9
            self._timers["end"] = self.loop.call_later(wait_s, self._run_until, deadline_ns)

    def stop_if_done(self, now: int) -> None:
        """Stop if every request has been taken and none is under way."""
        if self.asking == 0 and self.tally.exhausted:
            self._stop(now)

    def _stop(self, now: int) -> None:
        """End the load at ``now``; what is under way counts as in flight."""
        if self.stopped:
            return
        self.stopped = True
        for user in self._users:
            user.stop(now)
        if not self._end_ns.done():
            self._end_ns.set_result(now)

    def crash(self, exc: BaseException) -> None:
        """A fault of the generator: it must not look like one of the server's."""
        if not self._end_ns.done():
            self._end_ns.set_exception(exc)

    def _crash(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.crash(context.get("exception") or RuntimeError(context["message"]))

    async def _close(self) -> None:
        """Leave no connection, task or timer behind."""
        self._stop(perf_counter_ns())
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*(user.finish() for user in self._users))
        if self._open:
            async with asyncio.timeout(_CLOSING_S):
                await self._all_closed.wait()

    # While it lasts.

    def _watch(self) -> None:
        """End the requests that have had their time; come back when the next may have had it."""
        now = oldest_ns = perf_counter_ns()
        allowed_ns = int(self.load.timeout_s * 1e9)
        for user in self._users:
            sent_ns = user.sent_ns
            if sent_ns and now - sent_ns >= allowed_ns:
                user.time_out(now)
            elif sent_ns:
                oldest_ns = min(oldest_ns, sent_ns)
        wait_s = (oldest_ns + allowed_ns - now) / 1e9
        self._timers["watch"] = self.loop.call_later(wait_s + 0.001, self._watch)

    async def dial(self, connection: Connection) -> None:
        """Connect ``connection``. Raises :class:`OSError` with the cause at the last address."""
        for address in self._addresses[:-1]:
            with suppress(OSError):
                await self._dial(connection, address)
                return
        await self._dial(connection, self._addresses[-1])

    async def _dial(self, connection: Connection, address: _Address) -> None:
        try:
            await self.loop.create_connection(
                lambda: connection, address.host, address.port, family=address.family
            )
            connection.refuse_itself()
        except BaseException:
            connection.abandon()
            raise
        self._addresses = [address]
        self.tally.connections_opened += 1

    def connection_opened(self) -> None:
        """A connection stands."""
        self._open += 1

    def connection_closed(self) -> None:
        """A connection holds no socket any more."""
        self._open -= 1
        if self.stopped and self._open == 0:
            self._all_closed.set()


class _User:
    """Has one connection at a time, and gets another one when it is gone."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._connection: Connection | None = None
        self._fault: Fault | None = None
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.waits = False
        """Whether it has tried to connect and waits for the start."""

    @property
    def sent_ns(self) -> int:
        """When its request under way was sent; 0 if there is none."""
        return self._connection.sent_ns if self._connection else 0

    def connect(self) -> None:
        """Open a connection in a task of its own, then tell the run."""
        self._timer = None
        self._task = self._run.loop.create_task(self._connect())
        self._task.add_done_callback(self._connected)

    async def _connect(self) -> None:
        began_ns = perf_counter_ns()
        self._fault = await self._open()
        self.waits = True
        self._run.ready(self, perf_counter_ns() - began_ns)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        if task is self._task:
            self._task = None
        if not task.cancelled() and (exc := task.exception()):
            self._run.crash(exc)

    async def _open(self) -> Fault | None:
        """Get a connection, or say why there is none."""
        run = self._run
        timeout_s = run.load.timeout_s
        connection = Connection(run.questions, run.tally, self)
        try:
            async with asyncio.timeout(timeout_s):
                await run.dial(connection)
        except TimeoutError:
            return Fault(error=ErrorClass.CONNECT_TIMEOUT, why=f"no connection within {timeout_s:g} s")
        except OSError as exc:
            return _connect_fault(exc)
        self._connection = connection
        return None

    def begin(self, took_ns: int) -> None:
        """Ask on the new connection; without one, a request is lost, after ``took_ns``."""
        run = self._run
        self.waits = False
        if run.stopped:
            self._drop()
            return
        fault = self._fault or (self._connection.gone if self._connection else None)
        if run.tally.exhausted:
            self._drop()
        elif fault is None and self._connection is not None:
            run.asking += 1
            self._connection.ask(perf_counter_ns())
        elif fault is not None:
            number = run.tally.take()
            exchanges = run.load.exchanges
            run.tally.fail(number, exchanges[number % len(exchanges)].request, fault, took_ns)
            self._drop()
            self._retry()
        run.stop_if_done(perf_counter_ns())

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.stop(0)
            self._connection = None

    def _retry(self) -> None:
        """Connect again, after a while that grows with each connection that gave no answer."""
        wait_s = min(_FIRST_BACK_OFF_S * 2 ** min(self._failures, 10), _LONGEST_BACK_OFF_S)
        self._failures += 1
        self._timer = self._run.loop.call_later(wait_s, self.connect)

    # What its connection calls.

    def connection_opened(self) -> None:
        """Part of :class:`~pytest_webbench.load.connection.Owner`."""
        self._run.connection_opened()

    def connection_ended(self, now: int, *, served: bool, failed: bool) -> None:
        """Part of :class:`~pytest_webbench.load.connection.Owner`."""
        run = self._run
        run.asking -= 1
        self._connection = None
        if served:
            self._failures = 0
        if run.tally.exhausted:
            run.stop_if_done(now)
        elif failed:
            self._retry()
        else:
            self.connect()

    def connection_closed(self) -> None:
        """Part of :class:`~pytest_webbench.load.connection.Owner`."""
        self._run.connection_closed()

    # What the run calls.

    def time_out(self, now: int) -> None:
        """Its request under way has had its time."""
        if self._connection is not None:
            self._connection.time_out(now)

    def stop(self, now: int) -> None:
        """End what is under way, at ``now``."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._connection is not None:
            self._connection.stop(now)

    async def finish(self) -> None:
        """Wait for what :meth:`stop` has cancelled."""
        if self._task is not None:
            await asyncio.wait([self._task])


def _connect_fault(exc: OSError) -> Fault:
    """What it means that a connect ended with ``exc``."""
    cause = os.strerror(exc.errno) if exc.errno else str(exc)
    if exc.errno in _EXHAUSTED:
        return Fault(error=ErrorClass.CLIENT_EXHAUSTED, why=f"the generator cannot connect: {cause}")
    return Fault(error=ErrorClass.CONNECT_REFUSED, why=f"no connection: {cause}")
