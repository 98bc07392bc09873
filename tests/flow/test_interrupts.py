"""Ctrl-C and SIGTERM: that impatience does not break a clean-up off."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from traceback import walk_tb
from types import FrameType
from typing import Any

import pytest

from pytest_webbench.interrupts import Interrupts, fill_line_numbers
from pytest_webbench.values.load import Load
from tests.flow.conftest import RunWebbench

NUMBERS = [signal.SIGINT, signal.SIGTERM]
_NO_LINE = 0b1_1111_000
"""An entry of a table of lines that gives none to as many steps as its last three bits say, and one more."""


@pytest.fixture
def _installed() -> Iterator[None]:
    interrupts = Interrupts()
    interrupts.pytest_sessionstart()
    yield
    interrupts.pytest_unconfigure()


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_signal_waits_for_the_clean_up_and_the_third_does_not(number: signal.Signals) -> None:
    cleaned_up = []

    def end_in_the_midst() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            cleaned_up.append(True)

    with pytest.raises(KeyboardInterrupt, match=number.name):
        end_in_the_midst()
    assert cleaned_up
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_second_signal_within_the_handling_of_the_first_does_not_lose_it(nth: int) -> None:
    """It may come before each line of the handler."""
    interrupts = Interrupts()
    handler: Any = interrupts._handle
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if frame.f_code is handler.__code__ and event == "line":
            lines += 1
            if lines == nth:
                sys.settrace(None)
                handler(signal.SIGTERM, None)
        return trace

    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            handler(signal.SIGTERM, None)
    finally:
        sys.settrace(None)
    assert lines >= nth


@pytest.mark.parametrize("number", NUMBERS)
def test_the_handlers_that_were_there_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    interrupts = Interrupts()
    interrupts.pytest_sessionstart()
    assert signal.getsignal(number) != before
    interrupts.pytest_unconfigure()
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interrupt_that_is_lost_on_its_way_ends_the_run_all_the_same(
    run: RunWebbench, number: signal.Signals
) -> None:
    """It is raised wherever Python stands, and lost where that is a finaliser."""
    loads = 0

    def send(load: Load, stack: str) -> None:
        nonlocal loads
        loads += 1
        if loads == 3:
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), number)

    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-rounds=50", before_run=send)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert loads == 4  # the second trial, with its warm-up, is brought to its end
    assert len(outcome.lines_of_trials()) == 2
    events = outcome.doubles.launcher.events
    assert events.count("start flask-sqlite3") == events.count("end flask-sqlite3") == 1


def _without_lines(function: Callable[[], None]) -> Callable[[], None]:
    """Take the lines from all steps of ``function``; of some, the compiler does."""
    steps = len(function.__code__.co_code) // 2
    table = bytes(_NO_LINE | min(8, steps - first) - 1 for first in range(0, steps, 8))
    function.__code__ = function.__code__.replace(co_linetable=table)
    return function


def test_an_interrupt_at_a_step_without_a_line_is_reported(run: RunWebbench) -> None:
    @_without_lines
    def interrupt() -> None:
        raise KeyboardInterrupt("at no line")

    def send(load: Load, stack: str) -> None:
        interrupt()

    outcome = run("--webbench-stack=flask-sqlite3", before_run=send)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in outcome.text


def test_lines_are_filled_in_for_what_an_interrupt_came_from_too() -> None:
    @_without_lines
    def fail() -> None:
        raise ValueError

    @_without_lines
    def interrupt() -> None:
        try:
            fail()
        finally:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupt()
    error = caught.value
    assert error.__context__ is not None
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    fill_line_numbers(error)
    assert [frame for frame, _ in walk_tb(error.__traceback__)] == frames
    first, inner = interrupt.__code__.co_firstlineno, fail.__code__.co_firstlineno
    assert [line for _, line in walk_tb(error.__traceback__)][1:] == [first]
    assert [line for _, line in walk_tb(error.__context__.__traceback__)] == [first, inner]
