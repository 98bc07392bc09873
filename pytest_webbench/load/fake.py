"""An engine without servers, sockets or clocks, for tests of the code around an engine."""

import heapq
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat, takewhile

from pytest_webbench.analysis.responses import Mismatch
from pytest_webbench.load.schedule import due_ns
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import ConnectionProbe, ErrorClass, Load, LoadResult, LoadSession, nothing

__all__ = ["FakeEngine", "FakeLoadSession"]

_DEFAULT_S = 0.01
_CPU_S = 1e-5
_ANSWER_BYTES = 200


class FakeEngine:
    """Simulates loads in virtual time instead of making them; the same seed gives the same results.

    ``latency_s`` gives the mean latency in seconds: one for all requests; or one for each pair of method and
    path prefix, where the longest matching prefix counts and other requests take 10 ms; or a function of the
    request and the base URL, so that stacks can differ. Latencies scatter around the mean with the relative
    standard deviation ``spread``, and differ from load to load. ``errors`` makes every n-th request fail:
    ``{ErrorClass.RESET: 50}`` fails numbers 49, 99 and so on. ``failure`` is raised by each run.

    ``loads`` records each load with its base URL. A load takes a few microseconds per request.
    """

    name = "fake"
    makes_load = False

    def __init__(
        self,
        *,
        latency_s: float | Mapping[tuple[str, str], float] | Callable[[Request, str], float] = _DEFAULT_S,
        spread: float = 0.1,
        errors: Mapping[ErrorClass, int] | None = None,
        failure: LoadError | None = None,
        seed: int = 0,
    ) -> None:
        self.latency_s = latency_s
        self.spread = spread
        self.errors = dict(errors or {})
        self.failure = failure
        self.seed = seed
        self.loads: list[tuple[Load, str]] = []
        self.closed = False

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,  # noqa: ARG002
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Simulate ``load`` and return its result. Raises the ``failure`` that the engine was given."""
        self.loads.append((load, base_url))
        if self.failure is not None:
            raise self.failure
        before_start()
        scatter = random.Random(f"{self.seed}/{len(self.loads)}")
        tally = Tally(load)
        deadline_ns = None if load.amount.duration_s is None else round(load.amount.duration_s * 1e9)
        end_ns = self._simulate(load, base_url, tally, scatter, deadline_ns)
        tally.connections_opened = load.users
        tally.bytes_received = _ANSWER_BYTES * len(tally.latency_ns)
        return tally.result(users=load.users, elapsed_ns=end_ns, cpu_s=_CPU_S * tally.sent)

    def begin(self, load: Load, base_url: str, look: ConnectionProbe | None = None) -> LoadSession:
        """Begin a load whose result equals that of :meth:`run`, regardless of pauses between slices."""
        return FakeLoadSession(self, load, base_url, look)

    def close(self) -> None:
        """Record that the engine was closed."""
        self.closed = True

    def _simulate(
        self, load: Load, base_url: str, tally: Tally, scatter: random.Random, deadline_ns: int | None
    ) -> int:
        """Simulate ``load`` in virtual time; return its end, in nanoseconds from its start."""
        free_ns = [0] * load.users  # when each user is free
        end_ns = 0
        due = due_ns(load.schedule) if load.schedule else repeat(0)
        while not tally.exhausted:
            due_at_ns = next(due)
            if load.schedule and (deadline_ns is None or due_at_ns < deadline_ns):
                tally.scheduled += 1
            start_ns = max(free_ns[0], due_at_ns)
            if deadline_ns is not None and start_ns >= deadline_ns:
                tally.scheduled += _rest(due, deadline_ns) if load.schedule else 0
                break
            number = tally.take()
            request = load.exchanges[number % len(load.exchanges)].request
            took_ns = max(1, round(self._mean_s(request, base_url) * 1e9 * self._factor(scatter)))
            if deadline_ns is not None and start_ns + took_ns > deadline_ns and load.turns == 1:
                tally.leave_open(number, deadline_ns - start_ns)
            elif (error := self._error(number)) is not None:
                tally.fail(number, request, Mismatch(error=error, why="injected by the fake engine"), took_ns)
            elif load.schedule:
                tally.add_scheduled(start_ns - due_at_ns + took_ns, took_ns, took_ns)
            else:
                tally.latency_ns.append(took_ns)
                tally.ttfb_ns.append(took_ns)
            heapq.heapreplace(free_ns, start_ns + took_ns)
            end_ns = max(end_ns, start_ns + took_ns)
        return end_ns if deadline_ns is None or load.turns > 1 else min(end_ns, deadline_ns)

    def _mean_s(self, request: Request, base_url: str) -> float:
        if callable(self.latency_s):
            return self.latency_s(request, base_url)
        if isinstance(self.latency_s, Mapping):
            fitting = [
                (len(prefix), mean_s)
                for (method, prefix), mean_s in self.latency_s.items()
                if method == request.method and request.path.startswith(prefix)
            ]
            return max(fitting)[1] if fitting else _DEFAULT_S
        return self.latency_s

    def _factor(self, scatter: random.Random) -> float:
        """Return a random factor with mean 1."""
        return scatter.gammavariate(self.spread**-2, self.spread**2) if self.spread else 1.0

    def _error(self, number: int) -> ErrorClass | None:
        return next((error for error, nth in self.errors.items() if number % nth == nth - 1), None)


class FakeLoadSession:
    """A load of the fake engine in slices; it is simulated when the first one is taken."""

    def __init__(self, engine: FakeEngine, load: Load, base_url: str, look: ConnectionProbe | None) -> None:
        self._engine, self._load, self._base_url, self._look = engine, load, base_url, look
        self._result: LoadResult | None = None

    def warm_up(self) -> None:
        """Run a separate load, which is recorded in the engine's ``loads`` too."""
        assert self._load.warm_up is not None
        load = replace(self._load, amount=self._load.warm_up, warm_up=None, turns=1)
        self._engine.run(load, self._base_url)

    def take_turn(self, before_start: Callable[[], None] = nothing) -> None:
        """Take the next slice. Raises what :meth:`FakeEngine.run` raises."""
        if self._result is None:
            self._result = self._engine.run(self._load, self._base_url, self._look, before_start)
        else:
            before_start()

    def result(self) -> LoadResult:
        """Return the result of the whole load."""
        assert self._result is not None
        return self._result


def _rest(due: Iterator[int], deadline_ns: int) -> int:
    """Return how many more requests were due before the deadline but not sent."""
    return sum(1 for _ in takewhile(lambda moment_ns: moment_ns < deadline_ns, due))
