"""The plugin of a run with ``--webbench``: collect, plan, run once, replay, report."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.analysis.validity import INVALID_PASSES, describe_invalid, invalidated, server_faults
from pytest_webbench.model.errors import StackError, UsageError, WebbenchError
from pytest_webbench.model.plan import Cell, Plan
from pytest_webbench.model.provenance import Provenance
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.saved_run import RunAbout, RunRecord, ScenarioAbout
from pytest_webbench.report.content.comparison import describe_regression
from pytest_webbench.report.content.text import duration
from pytest_webbench.report.markdown import render_pull_request
from pytest_webbench.report.terminal import describe_run, render_run
from pytest_webbench.runs.compare import Comparing, choose_arms
from pytest_webbench.runs.metadata import about_run
from pytest_webbench.runs.planning import expected_seconds, make_plan
from pytest_webbench.runs.profiling import Sampling
from pytest_webbench.runs.provenance import planned_provenance
from pytest_webbench.runs.rows import extra_info
from pytest_webbench.runs.runner import Results
from pytest_webbench.runs.store import RunFolder
from pytest_webbench.runs.trial import Bench
from pytest_webbench.session import collection as suites
from pytest_webbench.session import other_plugins
from pytest_webbench.session.benchmark import replay as bridge
from pytest_webbench.session.benchmark.baselines import TEST_FAILED, Baselines
from pytest_webbench.session.definitions.metrics import add_metrics, try_metrics
from pytest_webbench.session.definitions.registry import read_registry
from pytest_webbench.session.definitions.rehearsal import rehearse
from pytest_webbench.session.equipment import Equipment, will_measure
from pytest_webbench.session.execution import Execution
from pytest_webbench.session.fixtures import LiveBench, LiveStack, launch_live
from pytest_webbench.session.interrupts import Interrupts
from pytest_webbench.session.machine import COPIES, HavingMachine, uncaptured
from pytest_webbench.session.options.conflicts import refuse_conflicts
from pytest_webbench.session.options.project_file import find_project
from pytest_webbench.session.options.reading import read_settings
from pytest_webbench.session.reports import write_markdown
from pytest_webbench.session.terminal import Explaining, ReportWriter, terminal_width
from pytest_webbench.session.unwritten import Unwritten, exit_unless_writable

__all__ = ["WebbenchSession"]


class WebbenchSession:
    """The state of a run, and pytest's hooks for it.

    Made when pytest is configured, and registered as a plugin. What costs anything (a folder, a
    process) is made when the first item needs a figure.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Read the options and ask the hooks; raises :class:`~pytest_webbench.model.errors.UsageError`."""
        other_plugins.refuse_what_spoils_figures(config)
        self.config = config
        # Without timing, one round of a few requests shows that each cell works.
        self._disabled = config.getoption("benchmark_disable") and not config.getoption("benchmark_enable")
        add_metrics(config)
        settings = read_settings(config)
        self.settings = other_plugins.untimed(settings) if self._disabled else settings
        refuse_conflicts(self.settings)
        self.registry = read_registry(config, self.settings)
        self.results = Results()
        self.live: dict[str, CellSummary] = {}
        """What tests measured themselves, by their node ids; of several attempts the last one."""
        self._live_wrong: dict[Cell, WebbenchError] = {}
        """Which scenarios failed the check of a stack that tests ask for."""
        self.folder = RunFolder(self.settings.output)
        self._wanted = self._take_arguments()
        suites = tuple(self._wanted or self.registry.suites)
        copies = self.folder.path / COPIES
        self._arms = choose_arms(self.settings, self.registry, copies, suites=suites)
        self.registry = self._arms.registry if self._arms else self.registry
        self.comparing: Comparing | None = None
        self._equipment = Equipment(config, self.settings, self.folder.logs)
        self._machine = HavingMachine(config, self.settings, self.folder.path)
        config.pluginmanager.register(self._machine, "webbench-machine")
        self._plan: Plan | None = None
        self._measures = False
        self._has_run = False
        self._interrupts = Interrupts()
        config.pluginmanager.register(self._interrupts, "webbench-interrupts")
        self._unwritten = Unwritten(self.folder.path, lambda: self.folder.fault)
        config.pluginmanager.register(self._unwritten, "webbench-unwritten")
        self._limits = other_plugins.TimeLimits()
        config.pluginmanager.register(self._limits, "webbench-limits")
        rehearse(self.registry, self.settings)
        self._baselines = Baselines(config, self.settings)
        config.pluginmanager.register(self._baselines, "webbench-baselines")
        config.pluginmanager.register(
            ReportWriter(self._reported, self._interrupts.open_to_signals), "webbench-report"
        )
        if self.settings.explain:
            explaining = Explaining(
                cells=self._explained, begin=self._begin_sampling, keep=self.folder.keep_explained
            )
            config.pluginmanager.register(explaining, "webbench-explaining")

    # --- what is measured -----------------------------------------------------------------------

    def _take_arguments(self) -> dict[str, frozenset[str] | None]:
        """The suites to collect: the built-in one where no path is given, else those named."""
        if self.config.args_source is not pytest.Config.ArgsSource.ARGS:
            self.config.args = []
            return dict.fromkeys(self.registry.suites)
        here = self.config.invocation_params.dir
        wanted, self.config.args = suites.split_arguments(
            self.config.args, tuple(self.registry.suites), lambda path: (here / path).exists()
        )
        suites.check_wanted(wanted, self.registry)
        return wanted

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the suites' items to what pytest found."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed:
            report.result = [*report.result, *suites.suite_modules(collector, self.registry, self._wanted)]
            self._wanted = {}
        return report

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give ``webbench_stack`` every selected stack."""
        if "webbench_stack" in metafunc.fixturenames:
            names = self.registry.selected_stacks
            metafunc.parametrize("webbench_stack", names, indirect=True, scope="session")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Have benchmarks of ours use a virtual clock."""
        if isinstance(item.parent, suites.SuiteModule):
            bridge.install_clock(item, group=getattr(item, "originalname", None))
        elif "webbench" in getattr(item, "fixturenames", ()):
            bridge.install_clock(item, group=None)

    @pytest.hookimpl(tryfirst=True)  # before the terminal asks for the header line
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan what is left after ``-k`` and the like."""
        items = [item for item in session.items if isinstance(item.parent, suites.SuiteModule)]
        cells = {item.nodeid: suites.cell_of(item) for item in items}
        planned = {name: cell for name, cell in cells.items() if not self._unwanted_write(cell)}
        self._measures = will_measure(self.config, session.items)
        if self._measures:
            self._equipment.make()
            expected = {name: self._planned_provenance(cell) for name, cell in planned.items()}
            self._baselines.check_plan(expected)
        left = list(planned.values())
        self._plan = make_plan(left, profile=self.settings.profile, seed=self.settings.seed)
        if self._arms is not None:
            self.comparing = Comparing(
                bases=self._arms.bases,
                cells=tuple(dict.fromkeys(left)),
                thresholds=self.settings.thresholds,
                about=self._arms.about,
                rounds=self.settings.profile.rounds,
                seed=self.settings.seed,
                budget_s=self.settings.budget_s,
            )
            self._plan = self.comparing.first_plan()

    def _planned_provenance(self, cell: Cell) -> Provenance:
        scenario = self.registry.scenarios[cell.scenario]
        records = self.registry.suites[scenario.suite].dataset.default_count
        names = {"launcher": self._equipment.launcher.name, "engine": self._equipment.engine.name}
        stack = self.registry.stacks[cell.stack]
        return planned_provenance(scenario, stack, self.settings, default_records=records, **names)

    def pytest_report_collectionfinish(self) -> list[str]:
        """The header line."""
        assert self._plan is not None
        steps = [step for suite in self.registry.suites.values() for step in suite.warmup]
        expected_s = expected_seconds(
            self._plan,
            self.registry.scenarios,
            self.settings.profile,
            warmup_s=sum(step.amount.duration_s or 0.0 for step in steps),
        )
        lines = [f"webbench: {note}" for note in find_project(self.config).notes]
        about = self._equipment.launcher.about if self._measures else ""
        lines.append(describe_run(self.settings, self._plan, launcher=about, expected_s=expected_s))
        if self.comparing is not None:
            budget = duration(self.comparing.budget)
            lines.append(f"webbench: against {self.comparing.about}; rounds are added for up to {budget}")
        notes = [
            *(self._equipment.launcher.notes if self._measures else ()),
            *other_plugins.notes_on_options(self.config, expected_s=expected_s),
        ]
        lines += [f"webbench: {note}" for note in notes]
        if self._disabled:
            lines.append("webbench: --benchmark-disable: each cell is tried once, nothing is timed")
        return lines

    def _unwanted_write(self, cell: Cell) -> bool:
        writes = self.registry.scenarios[cell.scenario].writes
        return bool(self.settings.urls) and writes and not self.settings.allow_writes

    # --- running --------------------------------------------------------------------------------

    @property
    def bench(self) -> Bench:
        """The engine and the numbers of this run."""
        return Bench(
            engine=self._equipment.engine,
            profile=self.settings.profile,
            seed=self.settings.seed,
            records=self.settings.records,
            request_timeout_s=self.settings.request_timeout_s,
        )

    def _run(self) -> None:
        """Carry the plan out, once."""
        assert self._plan is not None
        self._has_run = True
        self._begin_folder()
        execution = Execution(
            settings=self.settings,
            registry=self.registry,
            launcher=self._equipment.launcher,
            bench=self.bench,
            stop_early=self._stop_early,
            consumers=(self.results.consume, self.folder.consume, try_metrics),
            check=self._interrupts.check,
        )
        try:
            with self._limits.suspended(), uncaptured(self.config):
                execution.carry_out(self._plan, self.results, self.comparing)
        except UsageError as error:  # a cache that cannot be written to
            pytest.exit(f"webbench: {error.message}; {error.hint}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _begin_folder(self) -> None:
        """Make the folder of the run, and the copies of what is compared, the first time."""
        assert self._plan is not None
        try:
            if getattr(self._equipment.engine, "makes_load", True):
                self._machine.take()
            self.folder.begin(self.settings, self._plan, self._about())
            if self.settings.markdown is not None and self.comparing is not None:
                exit_unless_writable("--webbench-markdown", self.settings.markdown)
            if self._arms is not None and self._arms.checkout is not None:
                self._arms.checkout.make()
                self.folder.begin(self.settings, self._plan, self._about())  # the copies can be looked at now
        except OSError as error:
            pytest.exit(
                f"webbench: {self.settings.output} cannot be written to ({error.strerror}); "
                "choose another folder with --webbench-output",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
        except UsageError as error:
            pytest.exit(f"webbench: {error}", returncode=pytest.ExitCode.USAGE_ERROR)

    def _about(self) -> RunAbout:
        assert self._plan is not None
        invocation = self.config.invocation_params
        return about_run(
            self.registry,
            self._plan,
            words=[str(word) for word in invocation.args],
            root=invocation.dir,
            started=self.folder.started,
        )

    def _stop_early(self, failures: int) -> bool:
        """Whether ``-x`` or ``--maxfail`` would stop pytest after that many failures."""
        most = self.config.getoption("maxfail")
        return bool(most) and failures >= most

    @pytest.fixture
    def webbench_replay(self, request: pytest.FixtureRequest) -> Callable[[Any, str, str], None]:
        """Give an item of a suite its figure; for the suites' own functions."""

        def replay_cell(benchmark: Any, scenario: str, stack: str) -> None:
            self._replay(request.node, benchmark, Cell(scenario=scenario, stack=stack))

        return replay_cell

    def _replay(self, item: pytest.Item, benchmark: Any, cell: Cell) -> None:
        if self._unwanted_write(cell):
            pytest.skip(f"{cell.scenario} changes the records of a server: pass --webbench-allow-writes")
        if not self._has_run:
            try:
                self._run()
            except BaseException:
                benchmark.skipped = True  # else pytest-benchmark warns that it was not used
                raise
        summary = self._summary(cell)
        if summary is None or not summary.time_per_request_s:
            self._fail_without_figure(benchmark, cell, summary)
            return
        bridge.replay(item, benchmark, summary.samples_s, extra_info(summary, self.settings))
        error = self.results.failure_of(cell)
        faults = [fault for each in self.results.rounds[cell] for fault in server_faults(each)]
        if error is not None:
            pytest.fail(str(error), pytrace=False)
        if faults:
            pytest.fail("\n".join([f"{cell}: {faults[0]}", *summary.examples]), pytrace=False)
        self._fail_for_verdicts(cell, summary)

    def _fail_for_verdicts(self, cell: Cell, summary: CellSummary) -> None:
        """Fail the test of a cell that got worse than allowed, or of which too little can be said."""
        lines: list[str] = []
        invalid = describe_invalid(str(cell), summary, self.settings)
        if self.comparing is not None and (base := self.comparing.base_of(cell)):
            error = self.results.failure_of(base)
            if error is not None:
                pytest.fail(f"the base of {cell}, {self.comparing.about}, failed: {error}", pytrace=False)
            found = self.comparing.comparisons
            lines = [describe_regression(each) for each in found if each.cell == cell and each.fails]
            if why := self.comparing.nothing_compared(cell):
                lines.append(f"nothing of {cell} could be compared with its base: {why}")
            if base_summary := self._summary(base):
                invalid += describe_invalid(f"the base of {cell}", base_summary, self.settings)
        if invalid and not self._disabled:
            lines += [*invalid, INVALID_PASSES]
        if lines:
            pytest.fail("\n".join(lines), pytrace=False)

    def _fail_without_figure(self, benchmark: Any, cell: Cell, summary: CellSummary | None) -> None:
        error: WebbenchError | None = self.results.failure_of(cell)
        error = error or self.results.trial_failures.get(cell)
        if error is None and summary is None:
            why = "-x, --maxfail" if self.config.getoption("maxfail") else "see the first failure"
            pytest.skip(f"not measured: the run was stopped before ({why})")
        if error is None:
            assert summary is not None
            error = StackError(f"{cell}: no request was completed", evidence="\n".join(summary.examples))
        bridge.fail_without_figure(benchmark, error)

    def _summary(self, cell: Cell) -> CellSummary | None:
        scenario = self.registry.scenarios[cell.scenario]
        return self.results.summary(cell, scenario, self.settings.profile.rounds)

    # --- why the figures are as they are --------------------------------------------------------

    def _explained(self) -> list[Cell]:
        """The cells that were measured, and have not failed since."""
        cells = self.comparing.all_cells() if self.comparing else self.registry.cells()
        results = self.results
        return [cell for cell in cells if cell in results.rounds and results.failure_of(cell) is None]

    def _begin_sampling(self) -> Sampling:
        def cpu_s_per_request(cell: Cell) -> float | None:
            summary = self._summary(cell)
            return summary.server_cpu_s_per_request if summary else None

        return Sampling(
            bench=self.bench,
            launcher=self._equipment.launcher,
            registry=self.registry,
            profiler=self._equipment.profiler,
            round_=max(len(rounds) for rounds in self.results.rounds.values()),
            cpu_s_per_request=cpu_s_per_request,
        )

    # --- the public fixtures --------------------------------------------------------------------

    @contextmanager
    def live_stack(self, name: str) -> Iterator[LiveStack]:
        """What ``webbench_stack`` gives; a stack that fails, fails its tests with the cause."""
        self._begin_folder()
        failure: WebbenchError | None = None
        try:
            with ExitStack() as up:
                with self._limits.suspended():  # launching has limits of its own
                    live = launch_live(name, self.registry, self._equipment.launcher, self.bench)
                    stack = up.enter_context(live)
                for scenario, error in stack.wrong.items():
                    self._live_wrong[Cell(scenario=scenario, stack=name)] = error
                yield stack
        except WebbenchError as error:
            failure = error  # kept, for a failure raised in here would drag this one along
        if failure is not None:
            pytest.fail(str(failure), pytrace=False)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Forget what an earlier attempt of the same test measured."""
        self.live.pop(item.nodeid, None)

    def _live_summaries(self) -> list[CellSummary]:
        """What tests measured themselves; a figure of a test that failed is not valid."""
        return [
            invalidated(summary, TEST_FAILED) if self._baselines.has_failed(name) else summary
            for name, summary in self.live.items()
        ]

    def live_bench(self, item: pytest.Item, benchmark: Any, stack: LiveStack) -> LiveBench:
        """What ``webbench`` gives."""
        return LiveBench(
            item=item,
            benchmark=benchmark,
            stack=stack,
            bench=self.bench,
            registry=self.registry,
            settings=self.settings,
            keep=self.live.__setitem__,
        )

    # --- the end --------------------------------------------------------------------------------

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """The tables, with every caveat, and where the files are."""
        record = self._record()
        shown = replace(record, summaries=(), live=(), check_failures={}) if self._disabled else record
        if shown.summaries or shown.live or shown.check_failures or shown.against:
            terminalreporter.section("webbench")
            text = render_run(shown, width=terminal_width(), colour=terminalreporter.hasmarkup)
            terminalreporter.write(text)
        if record.against:
            self._keep_comparison(terminalreporter, record)
        if self.folder.path.exists():
            terminalreporter.write_line(f"webbench: measurements and logs are in {self.folder.path}")

    def _record(self) -> RunRecord:
        """What this run gave, as a report shows it."""
        cells = self.comparing.all_cells() if self.comparing else self.registry.cells()
        found = self.results.summaries(cells, self.registry.scenarios, self.settings.profile.rounds)
        comparing = self.comparing if self._has_run else None
        wrong = {**self._live_wrong, **self.results.check_failures}
        scenarios = self.registry.scenarios.items()
        return RunRecord(
            source=self.folder.path.name,
            about=RunAbout(
                scenarios={name: ScenarioAbout(title=each.title, unit=each.unit) for name, each in scenarios}
            ),
            summaries=tuple(found),
            live=tuple(self._live_summaries()),
            stack_failures={stack: error.message for stack, error in self.results.stack_failures.items()},
            check_failures={cell: error.message for cell, error in wrong.items()},
            against=comparing.about if comparing else "",
            comparisons=tuple(comparing.comparisons) if comparing else (),
            needed_s=comparing.budget_needed_s(self.results) if comparing else None,
        )

    def _reported(self) -> Path | None:
        """The folder of this run, if it has anything for a report."""
        results = self.results
        found = self._has_run and (results.rounds or results.stack_failures or results.check_failures)
        return self.folder.path if found and not self._disabled else None

    def _keep_comparison(self, terminalreporter: "pytest.TerminalReporter", record: RunRecord) -> None:
        """The verdicts in the folder of the run, and as markdown."""
        markdown = render_pull_request(record)
        try:
            self.folder.keep_comparisons(record.comparisons, about=record.against, needed_s=record.needed_s)
            write_markdown(markdown, file=self.settings.markdown)
        except OSError as error:  # the verdicts stand above, and must not be lost to a traceback
            self._unwritten.say(terminalreporter, f"the verdicts were not written to a file: {error}")

    def pytest_unconfigure(self) -> None:
        """End the load generator."""
        try:
            self._equipment.close()
        finally:
            if self._arms is not None and self._arms.checkout is not None:
                self._arms.checkout.remove()
