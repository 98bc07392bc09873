"""Ctrl-C and SIGTERM: that impatience does not break a clean-up off."""

import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from traceback import walk_tb
from types import FrameType
from typing import Any

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.load import Load
from pytest_webbench.session.output import terminal as closing
from pytest_webbench.session.safeguards.interrupts import Interrupts, fill_line_numbers
from tests.flow.conftest import RunWebbench

NUMBERS = [signal.SIGINT, signal.SIGTERM]
CODES = {signal.SIGINT: 2, signal.SIGTERM: 143}
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


@pytest.mark.parametrize("number", NUMBERS)
def test_what_may_be_skipped_at_the_end_is_cleaned_up_in_spite_of_a_second_signal(
    number: signal.Signals,
) -> None:
    interrupts, cleaned_up = Interrupts(), []

    def skip_in_the_midst() -> None:
        with interrupts.open_to_signals():
            try:
                os.kill(os.getpid(), number)
            finally:
                os.kill(os.getpid(), number)
                cleaned_up.append(True)

    interrupts.pytest_sessionstart()
    try:
        with pytest.raises(KeyboardInterrupt, match=number.name):
            skip_in_the_midst()
    finally:
        interrupts.pytest_unconfigure()
    assert cleaned_up


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
    assert outcome.exit_code == CODES[number]
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


# --- while what was found is said and written ------------------------------------------------------


def _sending(number: signal.Signals, function: Callable[..., Any]) -> Callable[..., Any]:
    def send(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        return function(*arguments, **options)

    return send


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_the_report_is_written_leaves_it_out(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(closing, "write_page", _sending(number, pytest.fail))
    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-scenario=hello", "--benchmark-autosave")
    assert outcome.exit_code == CODES[number]
    (line,) = [line for line in outcome.result.outlines if "ended by" in line]
    assert line == f"webbench: the report was left out: ended by {number.name}"
    assert "1 passed" in outcome.text
    assert "Traceback" not in outcome.text + outcome.errors
    assert len(outcome.saved()) == 1


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("home", "name"),
    [
        ("pytest_webbench.session.output.terminal", "render_run"),
        ("pytest_webbench.session.benchmark.baselines", "save_baseline"),
        ("pytest_benchmark.session.BenchmarkSession", "display"),
    ],
)
def test_a_signal_while_anything_else_is_said_or_saved_does_not_break_it_off(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, home: str, name: str
) -> None:
    place = pkgutil.resolve_name(home)
    monkeypatch.setattr(place, name, _sending(number, getattr(place, name)))
    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-scenario=hello", "--benchmark-autosave")
    assert outcome.exit_code == CODES[number]
    assert "1 passed" in outcome.text
    assert f"webbench: the report was left out: ended by {number.name}" in outcome.text
    assert "Traceback" not in outcome.text + outcome.errors
    assert len(outcome.saved()) == 1
    assert not list(outcome.folder.glob(".webbench/*/report.html"))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_while_all_is_closed_does_not_break_it_off(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    closed = []

    def close(engine: FakeEngine) -> None:
        os.kill(os.getpid(), number)
        closed.append(engine)

    monkeypatch.setattr(FakeEngine, "close", close)
    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-scenario=hello")
    assert closed
    assert outcome.exit_code == CODES[number]
    assert "Traceback" not in outcome.text + outcome.errors


def test_a_test_that_handles_an_interrupt_itself_passes(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, signal, pytest

        @pytest.mark.parametrize("number", [signal.SIGINT])
        def test_one(number):
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        """
    )
    assert run("test_a_test_that_handles_an_interrupt_itself_passes.py").exit_code == 0
