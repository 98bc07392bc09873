"""What a person sees while the plan is carried out."""

import time
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pytest_webbench.model.errors import printable
from pytest_webbench.model.events import (
    BlockFinished,
    BlockStarted,
    Event,
    RateChosen,
    StackFailed,
    StackPreparing,
    StackStarting,
    TrialFailed,
    TrialFinished,
    TrialStarted,
)
from pytest_webbench.model.plan import Plan
from pytest_webbench.report.text import describe_rate, duration

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
        """Write a line where there is something to say."""
        match event:
            case StackFailed(stack=stack, error=error):
                self._write(f"{stack} failed: {error.message}")
            case RateChosen():
                self._write(describe_rate(event))
            case TrialFailed(trial=trial, error=error):
                self._write(f"{trial.cell} gave nothing in round {trial.round + 1}: {error.message}")
            case TrialFinished():
                self._trials += 1
            case BlockFinished():
                self._done += 1
                took = duration(time.monotonic() - self._begun)
                self._write(f"block {self._done} of {self._blocks} done, {self._trials} trials, {took}")

    def close(self) -> None:
        """Nothing to end."""

    def _write(self, text: str) -> None:
        self._file.write(f"webbench: {printable(text)}\n")
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
        self._bar = self._progress.add_task("starting", total=sum(len(block.trials) for block in plan.blocks))
        self._progress.start()

    def consume(self, event: Event) -> None:
        """Move the bar, or say what happens."""
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
                self._progress.advance(self._bar)
            case RateChosen():
                self._progress.console.print(
                    f"webbench: {printable(describe_rate(event))}", markup=False, highlight=False
                )
            case StackFailed(stack=stack, error=error):
                self._progress.console.print(
                    f"webbench: {stack} failed: {error.message}", markup=False, highlight=False
                )

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def _say(self, text: str) -> None:
        self._progress.update(self._bar, description=printable(text))
