"""The phases of a run as values: configured, and planned after pytest has collected the tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from pytest_webbench.host.machine import usable_cores
from pytest_webbench.model.plan import Cell, Plan
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Registry
from pytest_webbench.runs.compare import Comparing, Sides, choose_sides
from pytest_webbench.runs.planning import expected_seconds, make_plan
from pytest_webbench.runs.store import RunFolder
from pytest_webbench.session.collection import SuiteModule, cell_of, take_arguments
from pytest_webbench.session.definitions.metrics import add_metrics
from pytest_webbench.session.definitions.registry import read_registry
from pytest_webbench.session.definitions.rehearsal import rehearse
from pytest_webbench.session.options.conflicts import refuse_conflicts
from pytest_webbench.session.options.reading import read_settings
from pytest_webbench.session.safeguards.machine import COPIES
from pytest_webbench.session.safeguards.other_plugins import is_timed, refuse_disturbing_options, untimed

__all__ = ["Configured", "Planned", "configure", "plan_items"]

LOOKING = ("collectonly", "showfixtures", "show_fixtures_per_test", "setupplan")
"""Options of pytest that list tests or fixtures and run nothing."""


@dataclass(frozen=True, kw_only=True)
class Configured:
    """The settings, and the definitions from the hooks.

    ``registry`` has the stacks of both ``sides`` of a comparison. ``wanted`` are the suites to collect,
    with the names asked for (``None``: all). A run that is not ``timed`` tries each cell once. ``folder`` is
    still empty.
    """

    config: pytest.Config
    settings: Settings
    registry: Registry
    wanted: Mapping[str, frozenset[str] | None]
    sides: Sides | None
    folder: RunFolder
    timed: bool

    def is_unwanted_write(self, cell: Cell) -> bool:
        """Return whether ``cell`` would change a server that was already running, without permission."""
        writes = self.registry.scenarios[cell.scenario].writes
        return bool(self.settings.urls) and writes and not self.settings.allow_writes


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The measurements left after ``-k`` and the like.

    ``cells`` are those of the plan, by node id; ``live`` the stacks that tests ask for. ``measures`` says
    whether anything will be launched at all.
    """

    configured: Configured
    cells: Mapping[str, Cell]
    live: tuple[str, ...]
    plan: Plan
    comparing: Comparing | None
    measures: bool

    def all_cells(self) -> Sequence[Cell]:
        """Return every cell that can have a result: in a comparison, each with its base."""
        return self.comparing.all_cells() if self.comparing else self.configured.registry.cells()

    def expected_s(self) -> float:
        """Return how long the first plan is expected to take, in seconds."""
        registry = self.configured.registry
        steps = [step for suite in registry.suites.values() for step in suite.warmup]
        return expected_seconds(
            self.plan,
            registry.scenarios,
            self.configured.settings.profile,
            warmup_s=sum(step.amount.duration_s or 0.0 for step in steps),
            lanes=usable_cores(),
        )


def configure(config: pytest.Config) -> Configured:
    """Read the options and ask the hooks.

    Raises :class:`~pytest_webbench.model.errors.UsageError`.
    """
    refuse_disturbing_options(config)
    add_metrics(config)
    settings, timed = read_settings(config), is_timed(config)
    settings = settings if timed else untimed(settings)
    refuse_conflicts(settings)
    registry = read_registry(config, settings)
    wanted = take_arguments(config, registry)
    folder = RunFolder(settings.output)
    sides = choose_sides(settings, registry, folder.path / COPIES, suites=tuple(wanted or registry.suites))
    registry = sides.registry if sides else registry
    rehearse(registry, settings)
    return Configured(
        config=config,
        settings=settings,
        registry=registry,
        wanted=wanted,
        sides=sides,
        folder=folder,
        timed=timed,
    )


def plan_items(configured: Configured, items: Sequence[pytest.Item]) -> Planned:
    """Return the plan for the ``items`` of suites, and the stacks that the other tests ask for."""
    of_suites = {item.nodeid: cell_of(item) for item in items if isinstance(item.parent, SuiteModule)}
    cells = {name: cell for name, cell in of_suites.items() if not configured.is_unwanted_write(cell)}
    live = [stack for item in items if (stack := _stack_asked_for(item))]
    looks = any(configured.config.getoption(name) for name in LOOKING)
    settings = configured.settings
    comparing = _comparing(configured, tuple(dict.fromkeys(cells.values())))
    plan = make_plan(list(cells.values()), profile=settings.profile, seed=settings.seed)
    return Planned(
        configured=configured,
        cells=cells,
        live=tuple(dict.fromkeys(live)),
        plan=comparing.first_plan() if comparing else plan,
        comparing=comparing,
        measures=bool(of_suites or live) and not looks,
    )


def _stack_asked_for(item: pytest.Item) -> str:
    """Return the stack that a test asks for by the fixture ``webbench_stack``."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("webbench_stack", "")) if callspec else ""


def _comparing(configured: Configured, cells: tuple[Cell, ...]) -> Comparing | None:
    sides, settings = configured.sides, configured.settings
    if sides is None:
        return None
    return Comparing(
        bases=sides.bases,
        cells=cells,
        thresholds=settings.thresholds,
        base=sides.base,
        profile=settings.profile,
        seed=settings.seed,
        budget_s=settings.budget_s,
    )
