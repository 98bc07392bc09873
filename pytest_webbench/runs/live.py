"""What tests measure themselves, with the fixture ``webbench``, collected from events."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.analysis.validity import invalidated
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import Event, LiveForgotten, LiveInvalidated, LiveStarted, TrialFinished

__all__ = ["LiveResult", "LiveResults"]


@dataclass(kw_only=True)
class LiveResult:
    """The rounds of one test, all from one launch; ``reason`` is why they are not valid, beside their own."""

    started: LiveStarted
    rounds: list[Measurement] = field(default_factory=list)
    reason: str = ""

    def summary(self) -> CellSummary:
        """The result of the rounds, of which there is at least one."""
        summary = summarise(self.rounds, unit=self.started.unit, planned=self.started.rounds)
        return invalidated(summary, self.reason) if self.reason else summary


@dataclass(kw_only=True)
class LiveResults:
    """The results ``by_test``: by node ids, of several attempts the last one."""

    by_test: dict[str, LiveResult] = field(default_factory=dict)

    def consume(self, event: Event) -> None:
        """Take in ``event``; those of a plan are left alone."""
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
        """The results of all tests with a round."""
        yield from (each.summary() for each in self.by_test.values() if each.rounds)
