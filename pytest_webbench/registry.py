"""What the hooks brought: suites, stacks and scenarios, checked and selected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_webbench.errors import UsageError
from pytest_webbench.logic.masking import mask_url
from pytest_webbench.logic.names import did_you_mean, duplicates, select
from pytest_webbench.logic.planning import resolve
from pytest_webbench.reading import check_names
from pytest_webbench.suites import Suite
from pytest_webbench.values.plan import Cell
from pytest_webbench.values.scenario import Scenario
from pytest_webbench.values.settings import NamedUrl, Settings
from pytest_webbench.values.stack import Stack
from pytest_webbench.values.versions import VersionSet

__all__ = ["Registry", "read_registry", "with_versions"]

BUILT_IN = "items"

T = TypeVar("T")
Named = TypeVar("Named", Suite, Stack, Scenario)


@dataclass(frozen=True, kw_only=True)
class Registry:
    """All that is known by name. ``scenarios`` are resolved for the settings of this run.

    ``selected_stacks`` and ``selected_scenarios`` are those that the options leave.
    """

    suites: Mapping[str, Suite]
    stacks: Mapping[str, Stack]
    scenarios: Mapping[str, Scenario]
    selected_stacks: tuple[str, ...]
    selected_scenarios: tuple[str, ...]

    def cells(self) -> tuple[Cell, ...]:
        """Every selected scenario on every selected stack of its suite."""
        return tuple(
            Cell(scenario=scenario, stack=stack)
            for scenario in self.selected_scenarios
            for stack in self.selected_stacks
            if self.scenarios[scenario].suite == self.stacks[stack].suite
        )

    def checks(self) -> dict[str, tuple[Scenario, ...]]:
        """The scenarios of each suite, selected or not: every stack must answer all of them."""
        return {
            suite: tuple(each for each in self.scenarios.values() if each.suite == suite)
            for suite in self.suites
        }


def read_registry(config: pytest.Config, settings: Settings) -> Registry:
    """Ask the hooks, and select what ``settings`` ask for.

    Raises :class:`~pytest_webbench.errors.UsageError` for a name given twice, a suite or a name that
    is not known.
    """
    suites = _by_name("suite", _flat(config.hook.pytest_webbench_suites(config=config)))
    scenarios = _by_name("scenario", _flat(config.hook.pytest_webbench_scenarios(config=config)))
    found = _flat(config.hook.pytest_webbench_stacks(config=config))
    stacks = _by_name("stack", [with_versions(each, settings.versions) for each in found])
    if settings.urls:
        stacks = _by_name("stack", [_attached(each, stacks) for each in settings.urls])
    for kind, named in (("stack", stacks), ("scenario", scenarios)):
        for each in named.values():
            if each.suite not in suites:
                raise UsageError(
                    f"{kind} {each.name} belongs to suite {each.suite!r}, which is not known"
                    f"{did_you_mean(each.suite, suites)}",
                    evidence=f"known: {', '.join(suites)}",
                    hint="return the suite from pytest_webbench_suites",
                )
    check_names(settings, scenarios)
    return Registry(
        suites=suites,
        stacks=stacks,
        scenarios={name: resolve(scenario, settings) for name, scenario in scenarios.items()},
        selected_stacks=select("stack", settings.stacks, tuple(stacks)),
        selected_scenarios=select("scenario", settings.scenarios, tuple(scenarios)),
    )


def with_versions(stack: Stack, versions: VersionSet) -> Stack:
    """``stack`` with the lock of the set of versions."""
    return replace(stack, lock=stack.lock and stack.lock.replace("{versions}", versions.name))


def _attached(server: NamedUrl, known: Mapping[str, Stack]) -> Stack:
    """A server that runs already: the stack of its name, else one of the built-in suite."""
    from pytest_webbench.suites.items.scenarios import HELLO  # noqa: PLC0415

    if server.name in known:
        return replace(known[server.name], title=mask_url(server.url))
    return Stack(
        name=server.name, title=mask_url(server.url), folder=Path(), command=(), suite=BUILT_IN, ready=HELLO
    )


def _flat(results: Sequence[Sequence[T]]) -> list[T]:
    """The results of a hook in the order of registration (pluggy calls the last registered first)."""
    return [each for result in reversed(results) for each in result]


def _by_name(kind: str, values: Sequence[Named]) -> dict[str, Named]:
    names = [each.name for each in values]
    twice = duplicates(names)
    if twice:
        raise UsageError(
            f"two {kind}s are called {twice[0]!r}",
            hint=f"give each {kind} a name of its own (--webbench-url=NAME=URL, or in the hook)",
        )
    return dict(zip(names, values, strict=True))
