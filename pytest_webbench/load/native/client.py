"""One load: users connect and send requests until the end, and every request is counted.

What is timed, and what is not:

* All users connect, one after the other, before the clock starts, and then all start at once:
  the time of a TCP connect is not part of any latency. A user not connected after
  :data:`_GATHERING_S` seconds joins late; a failed connect costs one request, counted when the
  clock starts.
* A latency runs from just before the request is handed to the kernel to the moment at which
  the kernel handed over the last byte of its response. The response is checked afterwards.
* A user whose connection was closed opens another and goes on with the next request; nothing is
  ever sent twice. That connect is not part of a latency either, but meanwhile the user sends nothing, so
  it shows in the rate, and in ``connections_opened``.
* After a failed connection, a user waits for 1 ms before it connects again, and twice as long
  each further time without a response in between, up to 100 ms.
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

    The load starts at ``start_ns`` of :func:`time.perf_counter_ns`. If that is ``None``, the connections
    from the ports in ``connect_again``, and those that the server has closed meanwhile, are reopened, and
    the gate is asked again.
    """

    start_ns: int | None
    connect_again: tuple[int, ...] = ()


AwaitStart = Callable[[Sequence[int]], Awaitable[StartSignal]]
"""Awaited when all users are connected, with the local ports of their connections."""

_APART_S = 0.001
"""The interval between connects. A server whose workers share a socket often has one worker accept a
whole burst, and the others are idle for the whole load.
"""
_APART_IN_ALL_S = 1.0
"""The most that connecting at intervals may take."""
_GATHERING_S = 3.0
"""How long the start waits for users to connect."""
_CLOSING_S = 10.0
"""How long closing the connections may take; it is immediate unless the loop is at fault."""


async def run_load(load: Load, base_url: str, gate: AwaitStart | None = None) -> LoadResult:
    """Run ``load`` against the server at ``base_url``; in a loop of uvloop, for speed.

    With a ``gate``, the load starts when that allows it, so that several processes start together.

    Raises :class:`LoadError` if the load is invalid, a request cannot be encoded, or the host is
    unknown. Whatever the server does is counted.
    """
    target = Target.parse(base_url)
    prepared_requests = PreparedRequests.of(load, target)
    run = LoadRun(LoadContext(load, prepared_requests, await _resolve(target)))
    with _no_garbage_collection():
        return await run.carry_out(gate)


async def _resolve(target: Target) -> list[Address]:
    """Return the addresses of ``target``'s host, in the order in which to try them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except OSError as exc:
        raise target.unknown(exc) from exc
    return [Address(family, str(address[0]), int(address[1])) for family, _, _, _, address in found]


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the garbage collector from pausing the load; connections leave nothing that needs it."""
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
        """Whether this is the last slice."""
        self._dispatcher = None if load.schedule is None else Dispatcher(context, load.schedule)
        self._users = [self._make_user() for _ in range(load.users)]
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def _make_user(self) -> User:
        if self._dispatcher is None:
            return ClosedUser(self._context)
        return OpenUser(self._context, self._dispatcher)

    async def carry_out(self, gate: AwaitStart | None) -> LoadResult:
        """Connect, start, wait for the end, and return the result."""
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
        """Connect ``users`` one after the other, without waiting for slow ones."""
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
        """Return the moment to start, once the ``gate`` accepts the connections."""
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
        """Make ``amount`` of load from now on; return how long it took, in nanoseconds."""
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
        """Stop at ``deadline_ns``, and not earlier: timers of the loop have millisecond resolution."""
        now = perf_counter_ns()
        if now >= deadline_ns and self._is_last and self._load.turns == 1:
            self._stop(now)  # otherwise requests under way are awaited
        elif now >= deadline_ns:
            self._tally.limit = self._tally.sent  # nothing more is taken
            self._context.stop_if_done(now)
        else:
            wait_s = (deadline_ns - now) / 1e9
            self._timers["end"] = self._loop.call_later(wait_s, self._run_until, deadline_ns)

    def _pause(self) -> None:
        """End a slice: nothing is sent until the next one starts."""
        self._context.started = False
        self._context.end_ns = self._loop.create_future()
        for timer in self._timers.values():
            timer.cancel()

    def _stop(self, now: int) -> None:
        """End the load at ``now``; requests under way count as in flight."""
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
        """Time out overdue requests; reschedule for when the next may be overdue."""
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
        """Fold times into histograms, to bound memory."""
        self._timers["fold"] = self._loop.call_later(self._tally.fold(), self._fold)
