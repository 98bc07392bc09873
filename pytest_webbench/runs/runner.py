"""Carries out a plan block by block: launch stacks, get them ready, measure the cells, stop the stacks."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from pytest_webbench.host.files import disk_faults, raise_if_full
from pytest_webbench.load.engine import can_take_turns
from pytest_webbench.load.schedule import common_rate, turns_of
from pytest_webbench.model.errors import LoadError, OwnCopyError, StackError
from pytest_webbench.model.http import SeenResponse
from pytest_webbench.model.plan import Block, Cell, Plan, Trial
from pytest_webbench.model.run import (
    BlockFinished,
    BlockStarted,
    CheckFailed,
    Event,
    RateChosen,
    ResponsesSeen,
    StackFailed,
    StackPreparing,
    StackStarting,
    TrialFailed,
    TrialFinished,
    TrialStarted,
)
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher, RunningStack, Stack
from pytest_webbench.model.suite import Scenario, Suite
from pytest_webbench.runs.planning import at_rate
from pytest_webbench.runs.trial import TrialRun, TrialRunner

__all__ = ["CommonRates", "Runner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonRates:
    """Makes each scenario without a rate an open loop, at ``share`` of the slowest stack's maximum rate."""

    share: float
    settings: Settings

    def choose(self, scenario: Scenario, saturation: Mapping[str, float]) -> RateChosen:
        """Choose the rate for ``scenario`` from the maximum rate of each stack, in requests per second."""
        rate = common_rate(saturation, self.share)
        return RateChosen(scenario=scenario.name, rate=rate, saturation=saturation, share=self.share)

    def apply(self, scenario: Scenario, chosen: RateChosen) -> Scenario:
        """Return ``scenario`` at the chosen rate."""
        return at_rate(scenario, chosen.rate, self.settings)


@dataclass(kw_only=True)
class Runner:
    """Runs trials on launched stacks; connects launcher, suites and trial runner."""

    bench: TrialRunner
    launcher: Launcher
    stacks: Mapping[str, Stack]
    scenarios: Mapping[str, Scenario]
    """With the users and amounts of this run."""
    suites: Mapping[str, Suite]
    checks: Mapping[str, tuple[Scenario, ...]]
    """The scenarios of each suite that check a stack; those that write, on its first launch only."""
    stop_early: Callable[[int], bool] = lambda failures: False  # noqa: ARG005
    """Whether to stop, given the number of failed stacks plus cells that failed their check."""
    common_rates: CommonRates | None = None
    bases: Mapping[str, str] = field(default_factory=dict)
    """The base of each compared stack. If either imports code of the other, neither is measured."""
    _failed: set[str] = field(default_factory=set)
    _wrong: set[Cell] = field(default_factory=set)
    """The cells that failed the check before timing."""
    _planned: set[Cell] = field(default_factory=set)
    _has_chosen: bool = False
    _at_chosen_rate: dict[str, Scenario] = field(default_factory=dict)
    """The open loops that replace the scenarios of the same names."""
    _checked: set[str] = field(default_factory=set)

    def run(self, plan: Plan) -> Generator[Event, None, None]:
        """Carry out ``plan`` and yield events.

        A stack that fails, or a cell that fails its check, is left out from then on; the others continue.
        Closing the iterator, or an exception such as KeyboardInterrupt in it, stops all running stacks at
        once.
        """
        yield from self.prepare(plan)
        if self.common_rates is not None and not self._has_chosen:  # once, even with several plans
            self._has_chosen = True
            yield from self._choose_rates(plan, self.common_rates)
        yield from self.carry_out(plan.blocks)

    def prepare(self, plan: Plan) -> Iterator[Event]:
        """Prepare the stacks of ``plan``, before the first one is launched."""
        self._planned |= {trial.cell for block in plan.blocks for trial in block.trials}
        for name in dict.fromkeys(name for block in plan.blocks for name in block.stacks):
            yield StackPreparing(stack=name)
            try:
                with disk_faults(name):
                    self.launcher.prepare(self.stacks[name])
            except StackError as error:
                yield self._fail(name, error)

    def carry_out(self, blocks: Sequence[Block]) -> Generator[Event, None, None]:
        """Carry out ``blocks`` of a prepared plan."""
        for block in blocks:
            if self.stops_early():
                return
            yield BlockStarted(block=block)
            yield from self._run_block(block)
            yield BlockFinished(block=block)

    def note(self, event: Event) -> None:
        """Leave out from now on what failed in another process."""
        match event:
            case StackFailed(stack=name):
                self._failed.add(name)
            case CheckFailed(cell=cell):
                self._wrong.add(cell)

    def begin_in_new_process(self) -> None:
        """Close the connections that this process, a fork, shares with its parent."""
        reconnect = getattr(self.launcher, "reconnect", None)
        if reconnect is not None:
            reconnect()

    def _choose_rates(self, plan: Plan, rates: CommonRates) -> Iterator[Event]:
        """Measure the maximum rate of each stack, on an extra launch, and choose rates from that."""
        cells = sorted({trial.cell for block in plan.blocks for trial in block.trials})
        saturation: dict[str, dict[str, float]] = {}
        for name in dict.fromkeys(cell.stack for cell in cells):
            mine = [cell for cell in cells if cell.stack == name and self._may_choose(cell)]
            if not mine or name in self._failed:
                continue
            yield StackStarting(stack=name)
            try:
                with ExitStack() as up:
                    running = yield from self._bring_up(name, up)
                    for cell in filter(self._may_measure, mine):
                        scenario, suite = self.scenarios[cell.scenario], self.suites[self.stacks[name].suite]
                        rate = self.bench.saturate(running, suite, scenario)
                        saturation.setdefault(cell.scenario, {})[name] = rate
            except StackError as error:
                yield self._fail(name, error)
            except LoadError as error:
                yield TrialFailed(trial=Trial(cell=cell, round=-1), error=error)
        for name, by_stack in saturation.items():
            served = {stack: rate for stack, rate in by_stack.items() if rate and stack not in self._failed}
            if served:
                scenario = self.scenarios[name]
                chosen = rates.choose(scenario, served)
                self._at_chosen_rate[name] = rates.apply(scenario, chosen)
                yield chosen

    def _may_choose(self, cell: Cell) -> bool:
        return self.scenarios[cell.scenario].rate is None

    def _run_block(self, block: Block) -> Iterator[Event]:
        with ExitStack() as up:
            running: dict[str, RunningStack] = {}
            for name in block.stacks:
                if not any(
                    trial.cell.stack == name and self._may_measure(trial.cell) for trial in block.trials
                ):
                    continue
                yield StackStarting(stack=name)
                try:
                    running[name] = yield from self._bring_up(name, up)
                except StackError as error:
                    yield from self._fail_pair(name, error)
            if self.stops_early():
                return
            gap_s = 0.0
            for group in block.groups:
                trials = [trial for trial in group if self._may_measure(trial.cell)]
                if trials:
                    time.sleep(gap_s)
                    gap_s = self.bench.profile.gap_s
                    yield from self._measure(trials, running)

    def _measure(self, trials: Sequence[Trial], running: Mapping[str, RunningStack]) -> Iterator[Event]:
        """Make the rounds of ``trials``: a single one whole, several in alternating slices."""
        under_way = []
        for trial in trials:
            yield TrialStarted(trial=trial)
            under_way.append(self._begin(trial, running[trial.cell.stack], alone=len(trials) == 1))
        for turn in range(under_way[0].turns):
            # Alternate the order, so that a steady drift affects all equally.
            for each in under_way if turn % 2 == 0 else under_way[::-1]:
                try:
                    with disk_faults(each.trial.cell.stack, "cannot be measured"):
                        each.take_turn()
                except (StackError, LoadError) as error:
                    under_way = [other for other in under_way if other is not each]
                    yield self._give_up(each, error)
        for each in under_way:
            try:
                with disk_faults(each.trial.cell.stack, "cannot be measured"):
                    measurement = each.measurement()
            except StackError as error:
                yield self._give_up(each, error)
            else:
                yield TrialFinished(measurement=measurement)

    def _give_up(self, failed: TrialRun, error: StackError | LoadError) -> Event:
        if isinstance(error, StackError):
            return self._fail(failed.trial.cell.stack, error)
        return TrialFailed(trial=failed.trial, error=error)

    def _begin(self, trial: Trial, running: RunningStack, *, alone: bool) -> TrialRun:
        name = trial.cell.scenario
        scenario = self._at_chosen_rate.get(name, self.scenarios[name])
        suite = self.suites[self.stacks[trial.cell.stack].suite]
        whole = alone or not can_take_turns(self.bench.engine)
        return self.bench.begin(running, suite, scenario, trial, turns=1 if whole else turns_of(scenario))

    def _bring_up(self, name: str, up: ExitStack) -> Generator[Event, None, RunningStack]:
        """Launch a stack and get it ready; yield an event for each scenario that fails the check.

        A stack that fails meanwhile is stopped at once. A scenario that failed is not checked again.
        """
        stack = self.stacks[name]
        with disk_faults(name), ExitStack() as attempt:
            running = attempt.enter_context(self.launcher.start(stack))
            suite, scenarios = self.suites[stack.suite], self.checks[stack.suite]
            seen: list[SeenResponse] | None = [] if self.bench.profile.counts and self.bases else None
            wrong = self.bench.make_ready(
                running,
                suite,
                scenarios,
                thorough=self.bench.profile.counts or name not in self._checked,
                leave_out={cell.scenario for cell in self._wrong if cell.stack == name},
                seen=seen,
            )
            raise_if_full(wrong.values())
            self._checked.add(name)
            up.push(attempt.pop_all())
        for scenario, error in wrong.items():
            cell = Cell(scenario=scenario, stack=name)
            self._wrong.add(cell)
            yield CheckFailed(cell=cell, error=error)
        if seen:
            yield ResponsesSeen(stack=name, responses=tuple(seen))
        return running

    def _may_measure(self, cell: Cell) -> bool:
        return cell.stack not in self._failed and cell not in self._wrong

    def stops_early(self) -> bool:
        """Return whether so much has failed that nothing else is to be measured."""
        wrong = [cell for cell in self._wrong & self._planned if cell.stack not in self._failed]
        return self.stop_early(len(self._failed) + len(wrong))

    def _fail_pair(self, name: str, error: StackError) -> Iterator[StackFailed]:
        """Mark a stack as failed; also those compared with it, if it imported code of the wrong side."""
        yield self._fail(name, error)
        if isinstance(error, OwnCopyError):
            pairs = [set(pair) for pair in self.bases.items() if name in pair]
            for other in dict.fromkeys(each for pair in pairs for each in pair - self._failed):
                yield self._fail(other, error)

    def _fail(self, name: str, error: StackError) -> StackFailed:
        self._failed.add(name)
        return StackFailed(stack=name, error=error)
