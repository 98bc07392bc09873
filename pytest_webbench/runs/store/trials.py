"""``trials.jsonl``: a line for each event of a run, written before the next trial begins."""

from dataclasses import dataclass, field
from pathlib import Path

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.codec import to_saved
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell, Trial
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import (
    CheckFailed,
    Event,
    LiveForgotten,
    LiveInvalidated,
    LiveStarted,
    RateChosen,
    RunMetadata,
    StackFailed,
    TrialFailed,
    TrialFinished,
)
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.results import LiveResults
from pytest_webbench.runs.store.files import append_line, read_lines, value_of

__all__ = ["NAME", "Trials", "read_trials", "write_event"]

NAME = "trials.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line has one of the first eight, and for a failure the ``error`` as text.

    Other lines have no meaning.

    A trial of a test that measures by itself names it: its lines are between one with ``live_started`` and
    possibly one with ``live_invalid`` or ``live_forgotten``, which name the test.
    """

    trial: Measurement | None = None
    trial_failed: Trial | None = None
    stack_failed: str | None = None
    check_failed: Cell | None = None
    rate_chosen: RateChosen | None = None
    live_started: LiveStarted | None = None
    live_invalid: str | None = None
    live_forgotten: str | None = None
    error: str = ""


@dataclass(kw_only=True)
class Trials:
    """The content of the lines, by cell in the order in which they were first measured."""

    rounds: dict[Cell, list[Measurement]] = field(default_factory=dict)
    stack_failures: dict[str, str] = field(default_factory=dict)
    check_failures: dict[Cell, str] = field(default_factory=dict)
    trial_failures: dict[Cell, str] = field(default_factory=dict)
    rates: list[RateChosen] = field(default_factory=list)
    live: LiveResults = field(default_factory=LiveResults)

    def summaries(self, about: RunMetadata, planned: int) -> tuple[CellSummary, ...]:
        """Return the results of each cell with a round, out of ``planned`` rounds."""
        found = []
        for cell, rounds in self.rounds.items():
            known = about.scenarios.get(cell.scenario)
            # Scenarios with a duration show a rate, unless the run says otherwise.
            guessed = Unit.TIME if rounds[0].amount.duration_s is None else Unit.RATE
            ordered = sorted(rounds, key=lambda each: each.trial.round)
            found.append(summarise(ordered, unit=known.unit if known else guessed, planned=planned))
        return tuple(found)


def write_event(folder: Path, event: Event) -> None:
    """Write a line for ``event``, if it is of a kind that is kept. Raises :class:`OSError`."""
    line = _line_of(event) or _live_line_of(event)
    if line is not None:
        written = {name: value for name, value in to_saved(line).items() if value not in (None, "")}
        append_line(folder / NAME, written)


def _line_of(event: Event) -> Line | None:
    match event:
        case TrialFinished(measurement=measurement):
            return Line(trial=measurement)
        case TrialFailed(trial=trial, error=error):
            return Line(trial_failed=trial, error=str(error))
        case StackFailed(stack=stack, error=error):
            return Line(stack_failed=stack, error=str(error))
        case CheckFailed(cell=cell, error=error):
            return Line(check_failed=cell, error=str(error))
        case RateChosen():
            return Line(rate_chosen=event)
    return None


def _live_line_of(event: Event) -> Line | None:
    match event:
        case LiveStarted():
            return Line(live_started=event)
        case LiveInvalidated(test=test, reason=reason):
            return Line(live_invalid=test, error=reason)
        case LiveForgotten(test=test):
            return Line(live_forgotten=test)
    return None


def read_trials(folder: Path, notes: list[str]) -> Trials:
    """Return the content of the file, up to a truncated line; ``notes`` mention that one."""
    found = Trials()
    for data, place in read_lines(folder / NAME, notes):
        line = value_of(Line, data, place, "an event")
        if line.live_started is not None:
            found.live.consume(line.live_started)
        elif line.live_invalid is not None:
            found.live.consume(LiveInvalidated(test=line.live_invalid, reason=line.error))
        elif line.live_forgotten is not None:
            found.live.consume(LiveForgotten(test=line.live_forgotten))
        elif line.trial is not None and line.trial.trial.test:
            found.live.consume(TrialFinished(measurement=line.trial))
        elif line.trial is not None:
            found.rounds.setdefault(line.trial.trial.cell, []).append(line.trial)
        elif line.trial_failed is not None and not line.trial_failed.test:
            found.trial_failures[line.trial_failed.cell] = line.error
        elif line.stack_failed is not None:
            found.stack_failures[line.stack_failed] = line.error
        elif line.check_failed is not None:
            found.check_failures[line.check_failed] = line.error
        elif line.rate_chosen is not None:
            found.rates.append(line.rate_chosen)
    return found
