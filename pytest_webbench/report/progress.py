"""Shows progress while the plan is carried out."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pytest_webbench.model.plan import Cell, Plan
from pytest_webbench.model.run import (
    BlockFinished,
    BlockStarted,
    CheckFailed,
    Event,
    RateChosen,
    StackFailed,
    StackPreparing,
    StackStarting,
    TrialFailed,
    TrialFinished,
    TrialStarted,
)
from pytest_webbench.report.content.results import describe_check, describe_rate
from pytest_webbench.report.content.text import clean, duration

__all__ = ["BarProgress", "LineProgress", "ProgressWriter"]


class ProgressWriter(Protocol):
    """Shows events to a person."""

    def consume(self, event: Event) -> None:
        """Show ``event``."""
        ...

    def close(self) -> None:
        """End the display."""
        ...


class LineProgress:
    """A line per finished block, and one for each failure: for logs and pipes."""

    def __init__(self, file: TextIO, plan: Plan) -> None:
        self._file = file
        self._blocks = len(plan.blocks)
        self._done = 0
        self._begun = time.monotonic()
        self._trials = 0

    def consume(self, event: Event) -> None:
        """Write a line if the event calls for one."""
        match event:
            case StackFailed(stack=stack, error=error):
                self._write(f"{stack} failed: {error.message}")
            case CheckFailed():
                self._write(describe_check(event))
            case RateChosen():
                self._write(describe_rate(event))
            case TrialFailed(trial=trial, error=error):
                self._write(f"{trial.cell} gave nothing in round {trial.round + 1}: {error.message}")
            case TrialFinished():
                self._trials += 1
            case BlockFinished():
                self._done += 1
                took_s = time.monotonic() - self._begun
                line = f"block {self._done} of {self._blocks} done, {self._trials} trials, {duration(took_s)}"
                if self._done < self._blocks:
                    line += f", about {duration(took_s / self._done * (self._blocks - self._done))} left"
                self._write(line)

    def close(self) -> None:
        """Do nothing."""

    def _write(self, text: str) -> None:
        self._file.write(f"webbench: {clean(text)}\n")
        self._file.flush()


class BarProgress:
    """A bar with the time left, for terminals."""

    def __init__(self, file: TextIO, plan: Plan) -> None:
        self._progress = Progress(
            TextColumn("webbench"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(file=file),
            transient=True,
            refresh_per_second=2,  # drawing takes processor time from what is measured
        )
        self._left = Counter(trial.cell for block in plan.blocks for trial in block.trials)
        self._bar = self._progress.add_task("starting", total=self._left.total())
        self._progress.start()

    def consume(self, event: Event) -> None:
        """Move the bar, or print what happens."""
        match event:
            case StackPreparing(stack=stack):
                self._say(f"installing {stack}")
            case BlockStarted(block=block):
                self._say(f"block {block.number + 1}")
            case StackStarting(stack=stack):
                self._say(f"launching {stack}")
            case TrialStarted(trial=trial):
                self._say(str(trial.cell))
            case TrialFinished() | TrialFailed():
                cell = event.trial.cell if isinstance(event, TrialFailed) else event.measurement.trial.cell
                self._left[cell] -= 1
                self._progress.advance(self._bar)
            case RateChosen():
                self._print(describe_rate(event))
            case StackFailed(stack=stack, error=error):
                self._print(f"{stack} failed: {error.message}")
                self._leave_out(lambda cell: cell.stack == stack)
            case CheckFailed(cell=failed):
                self._print(describe_check(event))
                self._leave_out(lambda cell: cell == failed)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()

    def _leave_out(self, concerned: Callable[[Cell], bool]) -> None:
        """Remove the remaining trials of these cells from the total."""
        for cell in filter(concerned, list(self._left)):
            del self._left[cell]
        done = self._progress.tasks[self._bar].completed
        self._progress.update(self._bar, total=done + self._left.total())

    def _print(self, text: str) -> None:
        self._progress.console.print(f"webbench: {clean(text)}", markup=False, highlight=False)

    def _say(self, text: str) -> None:
        self._progress.update(self._bar, description=clean(text))
