"""What is shown while a plan is carried out: a line per block, or a bar."""

import io
import re

import pytest

from pytest_webbench.model.errors import ContractError, LoadError, StackError
from pytest_webbench.model.plan import PROFILES, Cell, Trial
from pytest_webbench.model.run import (
    BlockFinished,
    BlockStarted,
    CheckFailed,
    Event,
    StackFailed,
    StackPreparing,
    StackStarting,
    TrialFailed,
    TrialFinished,
    TrialStarted,
)
from pytest_webbench.report.progress import BarProgress, LineProgress, ProgressWriter
from pytest_webbench.runs.planning import make_plan
from tests.builders import make_round

CELL = Cell(scenario="hello", stack="a")
PLAN = make_plan([CELL], profile=PROFILES["quick"], seed=0)
TRIAL = Trial(cell=CELL, round=1)
HOSTILE = StackError("it said \x1b[31m[red]boo[/red]\x1b[0m")
EVENTS: list[Event] = [
    StackPreparing(stack="a"),
    BlockStarted(block=PLAN.blocks[0]),
    StackStarting(stack="a"),
    TrialStarted(trial=TRIAL),
    TrialFinished(measurement=make_round(cell=CELL)),
    TrialFailed(trial=TRIAL, error=LoadError("the worker ended")),
    StackFailed(stack="a", error=HOSTILE),
    BlockFinished(block=PLAN.blocks[0]),
]


def test_lines_for_blocks_and_failures_alone() -> None:
    file = io.StringIO()
    progress = LineProgress(file, PLAN)
    for event in EVENTS:
        progress.consume(event)
    progress.close()
    assert file.getvalue() == (
        "webbench: hello[a] gave nothing in round 2: the worker ended\n"
        "webbench: a failed: it said \\x1b[31m[red]boo[/red]\\x1b[0m\n"
        "webbench: block 1 of 5 done, 1 trials, 1 s, about 1 s left\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_bar_says_failures_above_it_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    progress = BarProgress(file, PLAN)
    for event in EVENTS:
        progress.consume(event)
    progress.close()
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", file.getvalue())
    assert "webbench: a failed: it said \\x1b[31m[red]boo[/red]\\x1b[0m" in shown
    assert "2/2" in shown  # what is left of a stack that failed never comes
    assert file.getvalue().endswith(("\x1b[2K", "\x1b[?25h", "\r\x1b[1A\x1b[2K"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_trials_whose_check_failed_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    other = Cell(scenario="echo", stack="a")
    failed = CheckFailed(cell=CELL, error=ContractError("a gave a wrong response"))
    file, plan = Terminal(), make_plan([CELL, other], profile=PROFILES["quick"], seed=0)
    progress = BarProgress(file, plan)
    progress.consume(failed)
    for _ in range(5):
        progress.consume(TrialFinished(measurement=make_round(cell=other)))
    progress.close()
    assert "hello[a] failed the check before timing: a gave a wrong response" in file.getvalue()
    assert "5/5" in re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", file.getvalue())
    lines = io.StringIO()
    LineProgress(lines, plan).consume(failed)
    assert lines.getvalue() == (
        "webbench: hello[a] failed the check before timing: a gave a wrong response\n"
    )


@pytest.mark.parametrize("writer", [LineProgress, BarProgress])
def test_closing_at_once_is_fine(writer: type[LineProgress] | type[BarProgress]) -> None:
    progress: ProgressWriter = writer(io.StringIO(), PLAN)
    progress.close()
