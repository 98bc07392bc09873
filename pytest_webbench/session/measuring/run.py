"""A planned run: carried out when the first test needs it; the tests then get its results."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.model.errors import StackError, UsageError, WebbenchError
from pytest_webbench.model.growth import WhatGrew
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import (
    CheckFailed,
    Event,
    LiveForgotten,
    LiveInvalidated,
    RunMetadata,
    SavedRun,
    ScenarioMetadata,
    StackFailed,
)
from pytest_webbench.model.settings import WhenInvalid
from pytest_webbench.report.content.comparison import describe_regression
from pytest_webbench.runs.growth import CountingCalls, what_executes_more
from pytest_webbench.runs.metadata import run_metadata
from pytest_webbench.runs.profiling import Sampling
from pytest_webbench.runs.results import LiveResults, Results
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.session.benchmark.baselines import TEST_FAILED
from pytest_webbench.session.benchmark.outcome import Outcome, conclude
from pytest_webbench.session.definitions.metrics import try_metrics
from pytest_webbench.session.measuring.equipment import Equipment
from pytest_webbench.session.measuring.execution import Execution
from pytest_webbench.session.measuring.fixtures import LiveBench, LiveStack, launch_live
from pytest_webbench.session.phases import Planned
from pytest_webbench.session.safeguards.interrupts import Interrupts
from pytest_webbench.session.safeguards.machine import HavingMachine, uncaptured
from pytest_webbench.session.safeguards.other_plugins import TimeLimits
from pytest_webbench.session.safeguards.unwritten import exit_unless_writable

__all__ = ["RUN", "Run"]

RUN: "pytest.StashKey[Run]" = pytest.StashKey()


@dataclass(kw_only=True, eq=False)
class Run:
    """Carries out the ``planned`` run once and collects its ``results``.

    ``live`` are the results of tests that use the fixture ``webbench``, ``live_wrong`` the scenarios that
    failed the check of the stack of such a test.
    """

    planned: Planned
    equipment: Equipment
    machine: HavingMachine
    interrupts: Interrupts
    limits: TimeLimits
    results: Results = field(default_factory=Results)
    live: LiveResults = field(default_factory=LiveResults)
    live_wrong: dict[Cell, WebbenchError] = field(default_factory=dict)
    grown: dict[Cell, WhatGrew] = field(default_factory=dict)
    has_begun: bool = False

    def __post_init__(self) -> None:
        configured = self.planned.configured
        self._config, self._settings = configured.config, configured.settings
        self._registry, self._folder = configured.registry, configured.folder

    # --- for the tests of the plan --------------------------------------------------------------

    def replay(self, item: pytest.Item, benchmark: Any, cell: Cell) -> None:
        """Give the test of ``cell`` its result; the first one waits until the plan is carried out."""
        if self.planned.configured.is_unwanted_write(cell):
            pytest.skip(f"{cell.scenario} changes the records of a server: pass --webbench-allow-writes")
        if not self.has_begun:
            try:
                self._carry_out()
            except BaseException:
                benchmark.skipped = True  # otherwise pytest-benchmark warns that it was not used
                raise
        outcome = self._outcome(cell)
        if outcome.summary is None and outcome.error is None:
            why = "-x, --maxfail" if self._config.getoption("maxfail") else "see the first failure"
            pytest.skip(f"not measured: the run was stopped before ({why})")
        conclude(item, benchmark, outcome, self._settings)

    def _outcome(self, cell: Cell) -> Outcome:
        summary, comparing = self._summary(cell), self.planned.comparing
        error: WebbenchError | None = self.results.failure_of(cell)
        if summary is None or not summary.rounds:
            error = error or self.results.trial_failures.get(cell)
        lines: list[str] = []
        others: list[tuple[str, CellSummary]] = []
        if comparing is not None and (base := comparing.base_of(cell)):
            base_error, base_summary = self.results.failure_of(base), self._summary(base)
            lines = [
                describe_regression(each)
                for each in comparing.comparisons
                if each.cell == cell and each.fails
            ]
            if why := comparing.nothing_compared(cell):
                lines.append(f"nothing of {cell} could be compared with its base: {why}")
            void = comparing.void_line(cell)
            if void and self._settings.invalid is WhenInvalid.FAIL:
                lines.append(void)
            if base_error is not None and not void:
                lines = [f"the base of {cell}, {comparing.base}, failed: {base_error}"]
            if base_summary is not None:
                others = [(f"the base of {cell}", base_summary)]
        return Outcome(
            cell=cell,
            summary=summary,
            rounds=self.results.rounds.get(cell, ()),
            error=error,
            others=others,
            lines=lines,
        )

    def _summary(self, cell: Cell) -> CellSummary | None:
        scenario = self._registry.scenarios[cell.scenario]
        return self.results.summary(cell, scenario, self._settings.profile.rounds)

    # --- for tests that measure themselves ------------------------------------------------------

    @contextmanager
    def live_stack(self, name: str) -> Iterator[LiveStack]:
        """Launch the stack for ``webbench_stack``; if it fails, fail its tests with the cause."""
        self._begin_folder()
        failure: WebbenchError | None = None
        try:
            with ExitStack() as up:
                with self.limits.suspended():  # launching has its own limits
                    live = launch_live(name, self._registry, self.equipment.launcher, self.bench)
                    stack = up.enter_context(live)
                for scenario, error in stack.wrong.items():
                    cell = Cell(scenario=scenario, stack=name)
                    self.live_wrong[cell] = error
                    self._emit_live(CheckFailed(cell=cell, error=error))
                yield stack
        except WebbenchError as error:
            failure = error  # a failure raised here would have this one as its context
            if isinstance(error, StackError):
                self._emit_live(StackFailed(stack=name, error=error))
        if failure is not None:
            pytest.fail(str(failure), pytrace=False)

    def live_bench(self, item: pytest.Item, benchmark: Any, stack: LiveStack) -> LiveBench:
        """Return the value of the fixture ``webbench``."""
        return LiveBench(
            item=item,
            benchmark=benchmark,
            stack=stack,
            bench=self.bench,
            registry=self._registry,
            settings=self._settings,
            emit=self._emit_live,
        )

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Drop the results of an earlier attempt of the same test."""
        if item.nodeid in self.live.by_test:
            self._emit_live(LiveForgotten(test=item.nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Invalidate the results of a test that failed, expectedly or not."""
        if report.nodeid in self.live.by_test and (report.failed or hasattr(report, "wasxfail")):
            self._emit_live(LiveInvalidated(test=report.nodeid, reason=TEST_FAILED))

    def _emit_live(self, event: Event) -> None:
        for consume in (self.live.consume, self._folder.consume, try_metrics):
            consume(event)

    # --- carrying it out ------------------------------------------------------------------------

    @property
    def bench(self) -> TrialRunner:
        """The runner of trials, with the engine and the numbers of this run."""
        settings = self._settings
        return TrialRunner(
            engine=self.equipment.engine,
            profile=settings.profile,
            seed=settings.seed,
            records=settings.records,
            request_timeout_s=settings.request_timeout_s,
        )

    def _carry_out(self) -> None:
        self.has_begun = True
        self._begin_folder()
        execution = Execution(
            settings=self._settings,
            registry=self._registry,
            launcher=self.equipment.launcher,
            bench=self.bench,
            stop_early=self._stop_early,
            consumers=(self.results.consume, self._folder.consume, try_metrics),
            check=self.interrupts.check,
        )
        try:
            with self.limits.suspended(), uncaptured(self._config):
                execution.carry_out(self.planned.plan, self.results, self.planned.comparing)
        except UsageError as error:  # a cache that is not writable
            pytest.exit(f"webbench: {error.message}; {error.hint}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _begin_folder(self) -> None:
        """Create the folder of the run, and the copies of the compared commits, the first time."""
        settings, sides = self._settings, self.planned.configured.sides
        try:
            if getattr(self.equipment.engine, "makes_load", True):
                self.machine.take()
            self._folder.begin(settings, self.planned.plan, self._about())
            if settings.markdown is not None and self.planned.comparing is not None:
                exit_unless_writable("--webbench-markdown", settings.markdown)
            if sides is not None and sides.checkout is not None:
                sides.checkout.make()
                # The copies exist now.
                self._folder.begin(settings, self.planned.plan, self._about())
        except OSError as error:
            pytest.exit(
                f"webbench: {settings.output} cannot be written to ({error.strerror}); "
                "choose another folder with --webbench-output",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        except UsageError as error:
            pytest.exit(f"webbench: {error}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _about(self) -> RunMetadata:
        invocation = self._config.invocation_params
        return run_metadata(
            self._registry,
            self.planned.plan,
            words=[str(word) for word in invocation.args],
            root=invocation.dir,
            started=self._folder.started,
            live=self.planned.live,
        )

    def _stop_early(self, failures: int) -> bool:
        """Return whether ``-x`` or ``--maxfail`` stops pytest after this many failures."""
        most = self._config.getoption("maxfail")
        return bool(most) and failures >= most

    # --- when all tests are done ----------------------------------------------------------------

    def measured_cells(self) -> list[Cell]:
        """Return the cells that were measured and have not failed since."""
        results = self.results
        return [
            cell
            for cell in self.planned.all_cells()
            if cell in results.rounds and results.failure_of(cell) is None
        ]

    def begin_sampling(self) -> Sampling:
        """Return the object that samples cells under the profiler."""

        def cpu_s_per_request(cell: Cell) -> float | None:
            summary = self._summary(cell)
            return summary.server_cpu_s_per_request if summary else None

        return Sampling(
            bench=self.bench,
            launcher=self.equipment.launcher,
            registry=self._registry,
            profiler=self.equipment.profiler,
            round_=max(len(rounds) for rounds in self.results.rounds.values()),
            cpu_s_per_request=cpu_s_per_request,
        )

    def executed_more(self) -> list[WhatGrew]:
        """Return the cells that execute more than their bases, by their counts; calls are not counted yet."""
        comparing = self.planned.comparing
        if comparing is None or not self._settings.profile.counts:
            return []
        return what_executes_more(comparing.comparisons, self.results.rounds)

    def begin_counting_calls(self) -> CountingCalls:
        """Return the object that counts the calls of both sides."""
        return CountingCalls(bench=self.bench, launcher=self.equipment.bare_launcher, registry=self._registry)

    def record(self) -> SavedRun:
        """Return the results of this run, as a report shows them."""
        results, planned, scenarios = self.results, self.planned, self._registry.scenarios
        comparing = planned.comparing if self.has_begun else None
        wrong = {**self.live_wrong, **results.check_failures}
        about = {name: ScenarioMetadata(title=each.title, unit=each.unit) for name, each in scenarios.items()}
        return SavedRun(
            source=self._folder.path.name,
            metadata=RunMetadata(scenarios=about),
            summaries=tuple(results.summaries(planned.all_cells(), scenarios, self._settings.profile.rounds)),
            live=tuple(self.live.summaries()),
            stack_failures={stack: error.message for stack, error in results.stack_failures.items()},
            check_failures={cell: error.message for cell, error in wrong.items()},
            against=comparing.base if comparing else "",
            comparisons=tuple(comparing.comparisons) if comparing else (),
            needed_s=comparing.budget_needed_s(results) if comparing else None,
            grown=tuple(self.grown.values()),
        )

    def reported_folder(self) -> Path | None:
        """Return the folder of this run, if it contains anything for a report."""
        results = self.results
        planned = results.rounds or results.stack_failures or results.check_failures
        found = planned or any(self.live.summaries())
        return self._folder.path if found and self.planned.configured.timed else None
