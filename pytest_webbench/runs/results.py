"""The results of a run so far: the rounds of its plan, and the measurements of tests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.analysis.validity import invalidated
from pytest_webbench.model.errors import ContractError, LoadError, StackError
from pytest_webbench.model.http import SeenResponse
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import (
    CheckFailed,
    Event,
    LiveForgotten,
    LiveInvalidated,
    LiveStarted,
    RateChosen,
    ResponsesSeen,
    StackFailed,
    TrialFailed,
    TrialFinished,
)
from pytest_webbench.model.suite import Scenario

__all__ = ["LiveResult", "LiveResults", "Results"]


@dataclass(kw_only=True)
class Results:
    """Collects the events of a run: the rounds of each cell, the stacks, checks and trials that failed."""

    rounds: dict[Cell, list[Measurement]] = field(default_factory=dict)
    stack_failures: dict[str, StackError] = field(default_factory=dict)
    check_failures: dict[Cell, ContractError] = field(default_factory=dict)
    rates: list[RateChosen] = field(default_factory=list)
    trial_failures: dict[Cell, LoadError] = field(default_factory=dict)
    responses: dict[str, list[tuple[SeenResponse, ...]]] = field(default_factory=dict)
    """The responses to the check in each launch of a stack, if they are compared."""

    def consume(self, event: Event) -> None:
        """Process ``event``."""
        match event:
            case TrialFinished(measurement=measurement):
                self.rounds.setdefault(measurement.trial.cell, []).append(measurement)
            case StackFailed(stack=stack, error=error):
                self.stack_failures[stack] = error
            case CheckFailed(cell=cell, error=error):
                self.check_failures[cell] = error
            case ResponsesSeen(stack=stack, responses=responses):
                self.responses.setdefault(stack, []).append(responses)
            case RateChosen():
                self.rates.append(event)
            case TrialFailed(trial=trial, error=error):
                self.trial_failures[trial.cell] = error

    def failure_of(self, cell: Cell) -> StackError | None:
        """Return why ``cell`` is left out: its scenario failed the check, or its stack failed."""
        return self.check_failures.get(cell) or self.stack_failures.get(cell.stack)

    def summary(self, cell: Cell, scenario: Scenario, planned: int) -> CellSummary | None:
        """Return the summary of ``cell``; ``None`` without any round."""
        rounds = sorted(self.rounds.get(cell, ()), key=lambda each: each.trial.round)
        return summarise(rounds, unit=scenario.unit, planned=planned) if rounds else None

    def summaries(
        self, cells: Iterable[Cell], scenarios: Mapping[str, Scenario], planned: int
    ) -> list[CellSummary]:
        """Return the summaries of those ``cells`` that have a round, in their order."""
        found = (self.summary(cell, scenarios[cell.scenario], planned) for cell in cells)
        return [summary for summary in found if summary is not None]


@dataclass(kw_only=True)
class LiveResult:
    """The rounds of one test, all from one launch; ``reason`` is a further reason why they are invalid."""

    started: LiveStarted
    rounds: list[Measurement] = field(default_factory=list)
    reason: str = ""

    def summary(self) -> CellSummary:
        """Return the result of the rounds, at least one."""
        summary = summarise(self.rounds, unit=self.started.unit, planned=self.started.rounds)
        return invalidated(summary, self.reason) if self.reason else summary


@dataclass(kw_only=True)
class LiveResults:
    """The results ``by_test``: by node id, for several attempts only the last one."""

    by_test: dict[str, LiveResult] = field(default_factory=dict)

    def consume(self, event: Event) -> None:
        """Process ``event``; those of a plan are ignored."""
        match event:
            case LiveStarted(test=test):
                self.by_test[test] = LiveResult(started=event)
            case TrialFinished(measurement=measurement) if measurement.trial.test in self.by_test:
                self.by_test[measurement.trial.test].rounds.append(measurement)
            case LiveInvalidated(test=test, reason=reason) if test in self.by_test:
                self.by_test[test].reason = reason
            case LiveForgotten(test=test):
                self.by_test.pop(test, None)

    def summaries(self) -> Iterator[CellSummary]:
        """Yield the results of all tests with a round."""
        yield from (each.summary() for each in self.by_test.values() if each.rounds)
