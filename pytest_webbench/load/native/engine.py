"""This package's own engine: asyncio, uvloop and httptools, in separate processes."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter_ns

from pytest_webbench.load.frames import Failure, LoadJob, Ready
from pytest_webbench.load.generator import longest_s
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.native.worker_process import WorkerProcess
from pytest_webbench.load.partition import Shard, connections_of_each, merge, partition, surplus
from pytest_webbench.model.load import ConnectionProbe, Held, Load, LoadResult, nothing

__all__ = ["NativeEngine"]

_TOGETHER_NS = 5_000_000
"""How long before the start several workers are notified of it."""
_BALANCING_S = 2.0
"""How long connections may be reopened until they are spread evenly over the server's processes."""
_TAKING_S = 0.25
"""How long the server may take to accept one more connection; after that it has no room for it."""
_LOOK_AGAIN_S = 0.002


class NativeEngine:
    """Makes load in worker processes that are started for the first load and reused after it.

    ``generators`` workers share the users, each on its own processor if there is one. A worker that
    has died is replaced. If :meth:`run` is left by an exception, including Ctrl-C, the workers are killed,
    so that no load goes on. Not for use by several threads at once; on Linux a worker ends with the
    *thread* that started it.
    """

    name = "native"

    def __init__(self, generators: int = 1) -> None:
        self._generators = generators
        self._workers: list[WorkerProcess] = []

    @property
    def pid(self) -> int | None:
        """The process id of the first live worker; ``None`` if there is none."""
        return next((worker.pid for worker in self._workers if worker.lives()), None)

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Run ``load`` against the server at ``base_url``, such as ``http://127.0.0.1:8000/api``.

        With ``look``, connections are reopened before the start until they are spread evenly over the
        server's processes, to within one: otherwise the distribution, and so the result, varies from round to
        round.

        Raises :class:`LoadError` if the address, the load or one of its requests is invalid, and
        if a worker dies or exceeds the longest time that the load can take.
        """
        opened = self.begin(load, base_url, look)
        if load.warm_up is not None:
            opened.warm_up()
        for _ in range(load.turns):
            opened.take_turn(before_start)
        return opened.result()

    def begin(self, load: Load, base_url: str, look: ConnectionProbe | None = None) -> "NativeLoad":
        """Begin ``load`` in workers of its own. Raises what :meth:`run` raises."""
        Target.parse(base_url)
        shards = partition(load, self._generators)
        workers = self._idle_workers(len(shards))
        opened = NativeLoad(workers, shards, look)
        opened.begin(load, base_url)
        return opened

    def close(self) -> None:
        """End the workers. Safe to call again; the next load starts others."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.kill()

    def _idle_workers(self, count: int) -> list[WorkerProcess]:
        """Return ``count`` workers that are alive and idle."""
        for worker in [worker for worker in self._workers if not worker.lives()]:
            self._workers.remove(worker)
            worker.kill()
        idle = [worker for worker in self._workers if not worker.busy]
        while len(idle) < count:
            idle.append(WorkerProcess())
            self._workers.append(idle[-1])
        return idle[:count]


class NativeLoad:
    """A load of the native engine that is under way: see :class:`~pytest_webbench.model.load.LoadSession`."""

    def __init__(
        self,
        workers: Sequence[WorkerProcess],
        shards: Sequence[Shard],
        look: ConnectionProbe | None,
    ) -> None:
        self._workers = workers
        self._shards = shards
        self._look = look
        self._held: tuple[int, ...] = ()
        self._known: set[int] = set()
        """The ports of the connections that are known to be spread evenly."""
        self._has_rested = False
        """Whether so much time has passed since the last slice that the server may have closed some."""

    def begin(self, load: Load, base_url: str) -> None:
        """Have the workers connect."""
        with self._killed_if_it_fails():
            for worker, part in zip(self._workers, self._shards, strict=True):
                worker.begin(LoadJob(load=part.load, base_url=base_url), longest_s(load))

    def warm_up(self) -> None:
        """Make the warm-up. Raises what :meth:`NativeEngine.run` raises."""
        self.take_turn()
        self._has_rested = True

    def take_turn(self, before_start: Callable[[], None] = nothing) -> None:
        """Make the next slice. Raises what :meth:`NativeEngine.run` raises."""
        with self._killed_if_it_fails():
            if self._has_rested:
                self._look_after_connections()
            failures = self._gather()
            if not failures:
                before_start()
                start_ns = perf_counter_ns() + (_TOGETHER_NS if len(self._workers) > 1 else 0)
                for worker in self._workers:
                    worker.start(start_ns)
                failures = [failure for worker in self._workers if (failure := worker.await_turn())]
        if failures:
            if len(self._workers) > 1:  # the others have begun
                self._kill()
            raise failures[0].error()

    def result(self) -> LoadResult:
        """Return the result of the whole load."""
        with self._killed_if_it_fails():
            results = [worker.await_result() for worker in self._workers]
        parts = list(zip(self._shards, results, strict=True))
        return replace(results[0] if len(results) == 1 else merge(parts), held=self._held)

    @contextmanager
    def _killed_if_it_fails(self) -> Iterator[None]:
        """End the load if waiting for it fails."""
        try:
            yield
        except BaseException:
            self._kill()
            raise

    def _kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def _look_after_connections(self) -> None:
        """Reopen connections that were closed since the workers reported that they are ready."""
        self._has_rested = False
        for worker in self._workers:
            if isinstance(worker.await_ready(), Ready):
                worker.connect_again([])

    def _gather(self) -> list[Failure]:
        """Wait until all connections are established and spread evenly.

        Returns the failures, if any.
        """
        deadline: float | None = None
        ports: dict[WorkerProcess, tuple[int, ...]] = {}
        awaited = list(self._workers)
        while True:
            replies = {worker: worker.await_ready() for worker in awaited}
            deadline = deadline or time.monotonic() + _BALANCING_S  # a new worker may take long to begin
            failures = [reply for reply in replies.values() if isinstance(reply, Failure)]
            ports |= {worker: reply.ports for worker, reply in replies.items() if isinstance(reply, Ready)}
            all_ports = [port for own in ports.values() for port in own]
            if failures or self._look is None or self._known.issuperset(all_ports):
                return failures
            held = _see(self._look, all_ports)
            if held is None:
                self._look, self._held = None, ()  # if it cannot be seen now, it never will be
                return []
            again = set(surplus(held, all_ports))
            if not again or time.monotonic() > deadline:
                self._held, self._known = connections_of_each(held, all_ports), set(all_ports)
                return []
            awaited = [worker for worker, own in ports.items() if again.intersection(own)]
            for worker in awaited:
                worker.connect_again([port for port in ports[worker] if port in again])


def _see(look: ConnectionProbe, ports: Sequence[int]) -> Held | None:
    """Return who holds the connections from ``ports``, once all are accepted.

    ``None`` if that cannot be seen.
    """
    taken, deadline = -1, 0.0
    while (held := look()) is not None:
        missing = [port for port in ports if port not in held.by_port]
        if not missing:
            return held
        if len(ports) - len(missing) > taken:
            taken, deadline = len(ports) - len(missing), time.monotonic() + _TAKING_S
        elif time.monotonic() > deadline:
            return None
        time.sleep(_LOOK_AGAIN_S)
    return None
