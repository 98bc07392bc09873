"""All that is known by name in a run."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_webbench.suites import Suite
from pytest_webbench.values.plan import Cell
from pytest_webbench.values.scenario import Scenario
from pytest_webbench.values.stack import Stack

__all__ = ["Registry"]


@dataclass(frozen=True, slots=True, kw_only=True)
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
