"""One load: users are connected, ask until the end, and all that they asked is counted.

What is timed, and what is not:

* All users are connected, one after the other, before the clock starts, and then all start at once:
  the time that a TCP connect takes is not part of any latency. A user not connected after
  :data:`_GATHERING_S` seconds joins later; a failed connect costs one request, counted when the
  clock starts.
* A latency runs from the moment before the request is handed to the kernel to the moment at which
  the kernel handed over the last byte of its response. Checking that response comes after it.
* A user whose connection was closed opens another and goes on with the next request; nothing is
  ever sent twice. That connect is not part of a latency either, but while it lasts the user asks nothing, so
  that it shows in the rate, and in ``connections_opened``.
* After a connection that failed, a user waits for 1 ms before it connects again, and twice as long
  each time that no response came in between, up to 100 ms.
"""

import asyncio
import gc
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import perf_counter_ns
from typing import Any, NamedTuple

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.judging import PreparedRequests
from pytest_webbench.load.native.context import Address, LoadContext
from pytest_webbench.load.native.open_loop import Dispatcher, OpenUser
from pytest_webbench.load.native.users import ClosedUser, User
from pytest_webbench.load.schedule import amount_of_turn
from pytest_webbench.model.load import Amount, Load, LoadResult

__all__ = ["AwaitStart", "LoadRun", "StartSignal", "run_load"]


class StartSignal(NamedTuple):
    """What to do once all users are connected.

    The load starts at ``start_ns`` of :func:`time.perf_counter_ns`; with ``None`` the connections that come
    from the ports in ``connect_again`` are opened anew, and those that the server has closed meanwhile, and
    the gate is asked again.
    """

    start_ns: int | None
    connect_again: tuple[int, ...] = ()


AwaitStart = Callable[[Sequence[int]], Awaitable[StartSignal]]
"""Is awaited when all users are connected, with the ports from which they are."""

_APART_S = 0.001
"""How far apart users connect. A burst is often taken by one worker of a server that shares its socket
between several, all of it, and the others stand idle for the whole load."""
_APART_IN_ALL_S = 1.0
"""The most that connecting apart may take."""
_GATHERING_S = 3.0
"""How long the start waits for users to connect."""
_CLOSING_S = 10.0
"""How long closing the connections may take, which happens at once unless the loop is at fault."""


async def run_load(load: Load, base_url: str, gate: AwaitStart | None = None) -> LoadResult:
    """Carry out ``load`` against the server at ``base_url``; in a loop of uvloop, for speed.

    With a ``gate`` it starts when that says, so that several processes start together.

    Raises :class:`LoadError` if the load makes no sense, a request cannot be encoded, or the host is
    unknown. Whatever the server does is counted.
    """
    target = Target.parse(base_url)
    prepared_requests = PreparedRequests.of(load, target)
    run = LoadRun(LoadContext(load, prepared_requests, await _resolve(target)))
    with _no_garbage_collection():
        return await run.carry_out(gate)


async def _resolve(target: Target) -> list[Address]:
    """The addresses of the host of ``target``, in the order in which to try them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except OSError as exc:
        raise target.unknown(exc) from exc
    return [Address(family, str(address[0]), int(address[1])) for family, _, _, _, address in found]


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


async def _wait_until(moment_ns: int) -> None:
    wait_ns = moment_ns - perf_counter_ns()
    if wait_ns > 0:
        await asyncio.sleep(wait_ns / 1e9)


class LoadRun:
    """One load: its users, its beginning and its end."""

    def __init__(self, context: LoadContext) -> None:
        self._context = context
        self._load = load = context.load
        self._loop = context.loop
        self._tally = context.tally
        self._is_last = False
        """Whether this is the last turn."""
        self._dispatcher = None if load.schedule is None else Dispatcher(context, load.schedule)
        self._users = [self._make_user() for _ in range(load.users)]
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def _make_user(self) -> User:
        if self._dispatcher is None:
            return ClosedUser(self._context)
        return OpenUser(self._context, self._dispatcher)

    async def carry_out(self, gate: AwaitStart | None) -> LoadResult:
        """Connect, start, wait for the end, and count."""
        handler = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._crash)
        turns, elapsed_ns, cpu_s = self._load.turns, 0, 0.0
        try:
            await self._gather(self._users)
            if self._load.warm_up is not None:
                await _wait_until(await self._pass(gate))
                await self._take_turn(self._load.warm_up)
                self._tally.forget(connections=self._context.open)
            for turn in range(turns):
                await _wait_until(await self._pass(gate))
                self._is_last = turn + 1 == turns
                cpu_s -= time.process_time()
                elapsed_ns += await self._take_turn(amount_of_turn(self._load.amount, turn=turn, turns=turns))
                cpu_s += time.process_time()
        finally:
            await self._close()
            self._loop.set_exception_handler(handler)
        result = self._tally.result(users=self._load.users, elapsed_ns=elapsed_ns, cpu_s=cpu_s)
        return replace(result, turns=turns)

    # The beginning.

    async def _gather(self, users: Sequence[User]) -> None:
        """Connect ``users`` one after the other, but do not wait for the slow ones."""
        self._context.gathering += len(users)
        self._context.gathered.clear()
        apart_s = min(_APART_S, _APART_IN_ALL_S / len(users))
        for user in users:
            user.connect()
            await asyncio.sleep(apart_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_GATHERING_S, self._load.timeout_s)):
                await self._context.gathered.wait()

    async def _pass(self, gate: AwaitStart | None) -> int:
        """The moment to start at, once the ``gate`` is content with the connections."""
        if gate is None:
            return perf_counter_ns()
        while True:
            if lost := [user for user in self._users if user.lost_at_rest]:
                await self._connect_again(lost)
            by_port = {user.port: user for user in self._users if user.port is not None}
            word = await gate(list(by_port))
            if word.start_ns is not None:
                return word.start_ns
            again = [by_port[port] for port in word.connect_again if port in by_port]
            self._tally.connections_opened -= len(again)
            await self._connect_again(again)

    async def _connect_again(self, users: Sequence[User]) -> None:
        for user in users:
            user.leave()
        if users:
            await self._gather(users)

    async def _take_turn(self, amount: Amount) -> int:
        """Ask for ``amount`` from now on; how long it took, in nanoseconds."""
        start_ns = perf_counter_ns()
        self._start(start_ns, amount)
        end_ns = await self._context.end_ns
        if self._is_last:
            self._stop(end_ns)
        self._pause()
        return end_ns - start_ns

    def _start(self, now: int, amount: Amount) -> None:
        self._context.started = True
        most, duration_s = self._load.most_requests, amount.duration_s
        limit = most if amount.requests is None else min(most, self._tally.sent + amount.requests)
        self._tally.limit = limit
        deadline_ns = None if duration_s is None else now + int(duration_s * 1e9)
        if deadline_ns is not None:
            self._run_until(deadline_ns)
        self._watch()
        self._fold()
        for user in self._users:
            if user.waits:
                user.begin(0)
        if self._dispatcher is not None:
            self._dispatcher.start(now, deadline_ns)

    # The end.

    def _run_until(self, deadline_ns: int) -> None:
        """Stop at ``deadline_ns``, and not before: timers of the loop count in whole milliseconds."""
        now = perf_counter_ns()
        if now >= deadline_ns and self._is_last and self._load.turns == 1:
            self._stop(now)  # elsewhere what is under way is waited for
        elif now >= deadline_ns:
            self._tally.limit = self._tally.sent  # nothing more is taken
            self._context.stop_if_done(now)
        else:
            wait_s = (deadline_ns - now) / 1e9
            self._timers["end"] = self._loop.call_later(wait_s, self._run_until, deadline_ns)

    def _pause(self) -> None:
        """A turn is over: from now on nothing is sent until the next one starts."""
        self._context.started = False
        self._context.end_ns = self._loop.create_future()
        for timer in self._timers.values():
            timer.cancel()

    def _stop(self, now: int) -> None:
        """End the load at ``now``; what is under way counts as in flight."""
        if self._context.stopped:
            return
        self._context.stopped = True
        for user in self._users:
            user.stop(now)
        if self._dispatcher is not None:
            self._dispatcher.close(now)
        self._context.end(now)

    def _crash(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._context.crash(context.get("exception") or RuntimeError(context["message"]))

    async def _close(self) -> None:
        """Leave no connection, task or timer behind."""
        self._stop(perf_counter_ns())
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*(user.finish() for user in self._users))
        if self._context.open:
            async with asyncio.timeout(_CLOSING_S):
                await self._context.all_closed.wait()

    # While it lasts.

    def _watch(self) -> None:
        """End the requests that have had their time; come back when the next may have had it."""
        now = oldest_ns = perf_counter_ns()
        allowed_ns = int(self._load.timeout_s * 1e9)
        for user in self._users:
            sent_ns = user.sent_ns
            if sent_ns and now - sent_ns >= allowed_ns:
                user.time_out(now)
            elif sent_ns:
                oldest_ns = min(oldest_ns, sent_ns)
        wait_s = (oldest_ns + allowed_ns - now) / 1e9
        self._timers["watch"] = self._loop.call_later(wait_s + 0.001, self._watch)

    def _fold(self) -> None:
        """Keep the times from filling the memory."""
        self._timers["fold"] = self._loop.call_later(self._tally.fold(), self._fold)
