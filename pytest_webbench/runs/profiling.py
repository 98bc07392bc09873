"""One more load of each cell under a profiler, outside of the timed rounds."""

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from pytest_webbench.analysis.hot_spots import add_machine_code, attribute
from pytest_webbench.model.errors import ContractError, LoadError, ProfilerError, StackError
from pytest_webbench.model.load import Amount, Load
from pytest_webbench.model.plan import Cell, Trial
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.model.stack import Launcher, Profiler, RunningStack
from pytest_webbench.model.suite import Registry, Scenario, Suite
from pytest_webbench.runs.planning import warmup_amount
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.launcher import meter_of

__all__ = ["DURATION_S", "Sampling"]

DURATION_S = 3.0
"""The length of a load under the profiler; a scenario that sends each request once may end earlier."""
ENOUGH = 400
"""The number of samples of a working server that suffices: a share of one half is then known to 5 points."""
MOST_LOADS = 3
WARM_UP = 0.1
"""The share of a load that precedes it, without the profiler."""
UNSEEN = (
    "its processes cannot be seen from here: they run elsewhere, or were started by somebody else. "
    "Next step: let the stack be launched on this machine, as a process or in a container"
)
NOTHING_SEEN = (
    "the profiler met no calls. Next step: a longer load, or a server whose workers are written in Python"
)
NO_MACHINE_CODE = "what machine code did counts for the Python that called it: {}"


@dataclass(kw_only=True)
class Sampling:
    """Launches each stack once more, gets it ready, and samples it under the load of each of its cells.

    ``round_`` numbers these loads, so that their requests differ from those of the timed rounds.
    ``cpu_s_per_request`` is the result of the timed rounds.
    """

    bench: TrialRunner
    launcher: Launcher
    registry: Registry
    profiler: Profiler
    round_: int
    cpu_s_per_request: Callable[[Cell], float | None]

    def run(self, cells: Sequence[Cell]) -> Generator[CodeProfile, None, None]:
        """Yield a profile of each of ``cells``, stack by stack, as soon as it has been taken.

        A failure is noted in its profile, and the others continue. Closing the iterator, or an exception such
        as KeyboardInterrupt in it, stops all running stacks at once.
        """
        for name in dict.fromkeys(cell.stack for cell in cells):
            left = [cell for cell in cells if cell.stack == name]
            try:
                with self.launcher.start(self.registry.stacks[name]) as running:
                    suite = self.registry.suites[running.stack.suite]
                    wrong: dict[str, ContractError] = {}
                    if running.server_pid is not None:
                        checks = self.registry.checks()[suite.name]
                        wrong = self.bench.make_ready(running, suite, checks)
                    while left:
                        error = wrong.get(left[0].scenario)
                        explained = None if error else self._explain(running, suite, left[0])
                        yield explained or self._nothing(left[0], str(error))
                        del left[0]
            except StackError as error:
                yield from (self._nothing(cell, str(error)) for cell in left)

    def _explain(self, running: RunningStack, suite: Suite, cell: Cell) -> CodeProfile:
        if running.server_pid is None:
            return self._nothing(cell, UNSEEN)
        try:
            profile = self._sample(running, running.server_pid, suite, cell)
        except (LoadError, ProfilerError) as error:
            return self._nothing(cell, str(error))
        return profile if profile.samples else self._nothing(cell, NOTHING_SEEN)

    def _sample(self, running: RunningStack, pid: int, suite: Suite, cell: Cell) -> CodeProfile:
        """Make loads under the profiler until there are enough samples, and one for machine code."""
        scenario = replace(self.registry.scenarios[cell.scenario], amount=Amount(duration_s=DURATION_S))
        visit = _Visit(bench=self.bench, running=running, suite=suite, scenario=scenario, round_=self.round_)
        visit.warm_up()
        profile = CodeProfile(
            cell=cell,
            rate_hz=self.profiler.rate_hz,
            parts=running.stack.parts,
            cpu_s_per_request=self.cpu_s_per_request(cell),
        )
        stacks: Counter[str] = Counter()
        for _ in range(MOST_LOADS):
            with self.profiler.record(pid) as recording:
                visit.load()
            stacks.update(recording.stacks)
            profile = replace(profile, stacks=dict(stacks), requests=visit.requests, cpu_s=visit.cpu_s)
            if attribute(profile).working >= ENOUGH:
                break
        try:
            with self.profiler.record(pid, deep=True) as recording:
                visit.load()
        except ProfilerError as error:
            return replace(profile, note=NO_MACHINE_CODE.format(error.message))
        return replace(profile, stacks=add_machine_code(stacks, recording.stacks))

    def _nothing(self, cell: Cell, why: str) -> CodeProfile:
        return CodeProfile(cell=cell, rate_hz=self.profiler.rate_hz, reason=why)


@dataclass(kw_only=True)
class _Visit:
    """The loads of one cell. ``requests`` were successful, for ``cpu_s`` of CPU time if it is known."""

    bench: TrialRunner
    running: RunningStack
    suite: Suite
    scenario: Scenario
    round_: int
    requests: int = 0
    cpu_s: float | None = 0.0

    def warm_up(self) -> None:
        """Make a short load, from the records that a load begins with."""
        self.bench.seed_records(self.running, self.suite)
        load = self._next_load()
        self.bench.warm_up(self.running, replace(load, amount=warmup_amount(load, WARM_UP)))

    def load(self) -> None:
        """Make a load with new requests, and add its results."""
        if self.scenario.writes:
            self.bench.seed_records(self.running, self.suite)
        load = self._next_load()
        meter = meter_of(self.running)
        result = self.bench.carry_out(self.running, load, meter.begin)
        cpu_s = meter.end().get("cpu_s")
        self.requests += result.ok
        self.cpu_s = None if cpu_s is None or self.cpu_s is None else self.cpu_s + cpu_s
        self.round_ += 1

    def _next_load(self) -> Load:
        cell = Cell(scenario=self.scenario.name, stack=self.running.stack.name)
        trial = Trial(cell=cell, round=self.round_)
        _, load = self.bench.make_load(self.running, self.suite, self.scenario, trial)
        return load
