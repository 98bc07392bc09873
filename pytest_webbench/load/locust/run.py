"""One load in a worker: its users connect, start together, and are stopped at the end.

What is timed is what the native engine times. All users are connected before the clock starts, one after
the other. A latency runs from the moment before a request is handed to the kernel, or in an open loop from
when it was due, to the moment after the last byte of its answer was taken from the kernel. It is kept in
nanoseconds, and not in Locust's statistics, which round.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING, cast

from gevent import socket
from gevent.event import AsyncResult, Event

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.load.locust.channel import Address
from pytest_webbench.load.locust.loop import GeventLoop
from pytest_webbench.load.native.connection import Question, Questions
from pytest_webbench.load.native.frames import Order
from pytest_webbench.load.native.open_loop import Dispatcher
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import LoadResult

if TYPE_CHECKING:
    from pytest_webbench.load.locust.users import LoadUser
    from pytest_webbench.load.native.client import Run as NativeRun

__all__ = ["Run"]

_APART_S = 0.002
_APART_IN_ALL_S = 1.0
_GATHERING_S = 3.0


class Run:
    """One load, from its order to its result. :meth:`stop` must be called, however it ends.

    Raises :class:`LoadError` if the load makes no sense, a request cannot be encoded, or the host is
    unknown.
    """

    def __init__(self, order: Order) -> None:
        load = order.load
        if load.users < 1 or not load.exchanges or not load.timeout_s > 0:
            raise LoadError("A load needs at least one user, one exchange, and a timeout above 0.")
        target = Target.parse(order.base_url)
        self.load = load
        self.questions = Questions([Question(one, encode(one.request, target)) for one in load.exchanges])
        self.addresses = _resolve(target)
        self.tally = Tally(load)
        self.loop = GeventLoop(self.crash)
        self.dispatcher: Dispatcher | None = None
        if load.schedule is not None:
            self.dispatcher = Dispatcher(cast("NativeRun", self), load.schedule)
        self.asking = 0
        """How many users have a request under way."""
        self.stopped = False
        self.started = Event()
        self._users: list[LoadUser] = []
        self._gathering = load.users
        self._gathered = Event()
        self._end_ns: AsyncResult[int] = AsyncResult()

    def gather(self) -> None:
        """Wait until the users, which have been spawned, are connected, but not for the slow ones."""
        apart_s = self.load.users * self.place_s(1)
        self._gathered.wait(apart_s + min(_GATHERING_S, self.load.timeout_s))

    def carry_out(self) -> LoadResult:
        """Start, wait for the end, and count."""
        duration_s = self.load.amount.duration_s
        with _little_garbage_collection():
            cpu_s = time.process_time()
            start_ns = perf_counter_ns()
            self.started.set()
            deadline_ns = None if duration_s is None else start_ns + int(duration_s * 1e9)
            if self.dispatcher is not None:
                self.dispatcher.start(start_ns, deadline_ns)
            self.stop_if_done(start_ns)
            end_ns = self._await_end(deadline_ns)
            cpu_s = time.process_time() - cpu_s
        return self.tally.result(users=self.load.users, elapsed_ns=end_ns - start_ns, cpu_s=cpu_s)

    def stop(self, now: int) -> None:
        """End the load at ``now``; what is under way counts as in flight. Safe to call again."""
        if self.stopped:
            return
        self.stopped = True
        for user in self._users:
            user.leave_open(now)
        if self.dispatcher is not None:
            self.dispatcher.close(now)
        if not self._end_ns.ready():
            self._end_ns.set(now)

    # What its users call.

    def enter(self, user: "LoadUser") -> int:
        """``user`` takes part; its place among the others."""
        self._users.append(user)
        return len(self._users) - 1

    def place_s(self, place: int) -> float:
        """After how many seconds the user at ``place`` connects: a burst may go to one worker of a server."""
        return place * min(_APART_S, _APART_IN_ALL_S / self.load.users)

    def ready(self) -> None:
        """One more user has tried to connect."""
        self._gathering -= 1
        if self._gathering == 0:
            self._gathered.set()

    def stop_if_done(self, now: int) -> None:
        """Stop if every request has been taken and none is under way."""
        if self.asking == 0 and self.tally.exhausted:
            self.stop(now)

    def crash(self, exc: BaseException) -> None:
        """A fault of the generator: it must not look like one of the server's."""
        if not self._end_ns.ready():
            self._end_ns.set_exception(exc)

    def _await_end(self, deadline_ns: int | None) -> int:
        while not self._end_ns.ready():
            left_s = None if deadline_ns is None else (deadline_ns - perf_counter_ns()) / 1e9
            if left_s is not None and left_s <= 0:
                self.stop(perf_counter_ns())
            else:
                fold_s = self.tally.fold()
                self._end_ns.wait(fold_s if left_s is None else min(fold_s, left_s))
        end_ns = self._end_ns.get()
        assert end_ns is not None
        return end_ns


def _resolve(target: Target) -> list[Address]:
    """The addresses of the host of ``target``, in the order in which to try them."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise LoadError(f"The host {target.host!r} has no address: {exc}.") from exc
    return [Address(family, str(address[0]), int(address[1])) for family, _, _, _, address in found]


@contextmanager
def _little_garbage_collection() -> Iterator[None]:
    """Spare the collector what is there already: its pauses would be latency."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
