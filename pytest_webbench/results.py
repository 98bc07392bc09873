"""What a run has given so far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_webbench.errors import LoadError, StackError
from pytest_webbench.logic.summary import summarise
from pytest_webbench.values.event import Event, RateChosen, StackFailed, TrialFailed, TrialFinished
from pytest_webbench.values.measurement import Measurement
from pytest_webbench.values.plan import Cell
from pytest_webbench.values.scenario import Scenario
from pytest_webbench.values.summary import CellSummary

__all__ = ["Results"]


@dataclass(kw_only=True)
class Results:
    """Collects the events of a run: the rounds of each cell, the stacks and trials that failed."""

    rounds: dict[Cell, list[Measurement]] = field(default_factory=dict)
    stack_failures: dict[str, StackError] = field(default_factory=dict)
    rates: list[RateChosen] = field(default_factory=list)
    trial_failures: dict[Cell, LoadError] = field(default_factory=dict)

    def consume(self, event: Event) -> None:
        """Take in ``event``."""
        match event:
            case TrialFinished(measurement=measurement):
                self.rounds.setdefault(measurement.trial.cell, []).append(measurement)
            case StackFailed(stack=stack, error=error):
                self.stack_failures[stack] = error
            case RateChosen():
                self.rates.append(event)
            case TrialFailed(trial=trial, error=error):
                self.trial_failures[trial.cell] = error

    def summary(self, cell: Cell, scenario: Scenario, planned: int) -> CellSummary | None:
        """The figures of ``cell``, ``None`` if it has not a single round."""
        rounds = sorted(self.rounds.get(cell, ()), key=lambda each: each.trial.round)
        return summarise(rounds, unit=scenario.unit, planned=planned) if rounds else None

    def summaries(
        self, cells: Iterable[Cell], scenarios: Mapping[str, Scenario], planned: int
    ) -> list[CellSummary]:
        """The figures of those of ``cells`` that have a round, in the order of ``cells``."""
        found = (self.summary(cell, scenarios[cell.scenario], planned) for cell in cells)
        return [summary for summary in found if summary is not None]
