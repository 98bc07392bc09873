"""pytest's hooks of a run with ``--webbench``, each forwarded to the current phase of the run."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_webbench.model.plan import Cell
from pytest_webbench.runs.metadata import planned_provenance
from pytest_webbench.session.benchmark.baselines import Baselines
from pytest_webbench.session.benchmark.outcome import install_clock
from pytest_webbench.session.collection import SuiteModule, suite_modules
from pytest_webbench.session.measuring.equipment import Equipment
from pytest_webbench.session.measuring.run import RUN, Run
from pytest_webbench.session.output.growth import LookingForGrowth
from pytest_webbench.session.output.terminal import Explaining, ReportWriter, Summary, header
from pytest_webbench.session.phases import Configured, Planned, configure, plan_items
from pytest_webbench.session.safeguards.interrupts import Interrupts
from pytest_webbench.session.safeguards.machine import HavingMachine
from pytest_webbench.session.safeguards.other_plugins import TimeLimits
from pytest_webbench.session.safeguards.unwritten import Unwritten

__all__ = ["WebbenchSession"]


class WebbenchSession:
    """The plugin of a run: configured on creation, planned when pytest has collected.

    From then on the run itself is in the stash of the configuration, and begins when a test needs it.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Read the options and ask the hooks; raises :class:`~pytest_webbench.model.errors.UsageError`."""
        self._configured: Configured = configure(config)
        settings, folder = self._configured.settings, self._configured.folder
        self._equipment = Equipment(config, settings, folder.logs)
        self._machine = HavingMachine(config, settings, folder.path)
        self._interrupts = Interrupts()
        self._unwritten = Unwritten(folder.path, lambda: folder.fault)
        self._limits = TimeLimits()
        self._baselines = Baselines(config, settings)
        self._has_collected_suites = False

    def register(self) -> None:
        """Register this plugin and those that it consists of; pytest calls the last one first."""
        plugins = self._configured.config.pluginmanager
        plugins.register(self._machine, "webbench-machine")
        plugins.register(self._interrupts, "webbench-interrupts")
        plugins.register(self._unwritten, "webbench-unwritten")
        plugins.register(self._limits, "webbench-limits")
        plugins.register(self._baselines, "webbench-baselines")
        plugins.register(self, "webbench-session")

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Add the suites' items to those that pytest found."""
        report = yield
        if isinstance(collector, pytest.Session) and report.passed and not self._has_collected_suites:
            modules = suite_modules(collector, self._configured.registry, self._configured.wanted)
            report.result = [*report.result, *modules]
            self._has_collected_suites = True
        return report

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give ``webbench_stack`` every selected stack."""
        if "webbench_stack" in metafunc.fixturenames:
            names = self._configured.registry.selected_stacks
            metafunc.parametrize("webbench_stack", names, indirect=True, scope="session")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Have our benchmarks use a virtual clock."""
        if isinstance(item.parent, SuiteModule):
            install_clock(item, group=getattr(item, "originalname", None))
        elif "webbench" in getattr(item, "fixturenames", ()):
            install_clock(item, group=None)

    @pytest.hookimpl(tryfirst=True)  # before the terminal asks for the header line
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan the items left after ``-k`` and the like, and create the equipment."""
        planned = plan_items(self._configured, session.items)
        if planned.measures:
            self._equipment.make()
            self._check_baselines(planned)
        run = Run(
            planned=planned,
            equipment=self._equipment,
            machine=self._machine,
            interrupts=self._interrupts,
            limits=self._limits,
        )
        config, folder = self._configured.config, self._configured.folder
        config.stash[RUN] = run
        plugins = config.pluginmanager
        plugins.register(
            ReportWriter(run.reported_folder, self._interrupts.open_to_signals), "webbench-report"
        )
        if self._configured.settings.explain:
            explaining = Explaining(
                cells=run.measured_cells, begin=run.begin_sampling, keep=folder.keep_explained
            )
            plugins.register(explaining, "webbench-explaining")
        if run.planned.comparing is not None:
            plugins.register(LookingForGrowth(run, self._interrupts.open_to_signals), "webbench-growth")
        plugins.register(Summary(run, self._unwritten), "webbench-summary")
        plugins.register(run, "webbench-run")

    def _check_baselines(self, planned: Planned) -> None:
        registry, settings = self._configured.registry, self._configured.settings
        launcher, engine = self._equipment.launcher.name, self._equipment.engine.name
        origins = {}
        for name, cell in planned.cells.items():
            scenario = registry.scenarios[cell.scenario]
            origins[name] = planned_provenance(
                scenario,
                registry.stacks[cell.stack],
                settings,
                default_records=registry.suites[scenario.suite].dataset.default_count,
                launcher=launcher,
                engine=engine,
            )
        self._baselines.check_plan(origins)

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """Return the header lines."""
        run = config.stash[RUN]
        return header(run.planned, self._equipment.launcher if run.planned.measures else None)

    @pytest.fixture
    def webbench_replay(self, request: pytest.FixtureRequest) -> Callable[[Any, str, str], None]:
        """Give an item of a suite its result; for the suites' own functions."""
        run = request.config.stash[RUN]

        def replay(benchmark: Any, scenario: str, stack: str) -> None:
            run.replay(request.node, benchmark, Cell(scenario=scenario, stack=stack))

        return replay

    def pytest_unconfigure(self) -> None:
        """Close the load engine, and remove the copies of compared commits."""
        sides = self._configured.sides
        try:
            self._equipment.close()
        finally:
            if sides is not None and sides.checkout is not None:
                sides.checkout.remove()
