"""Ctrl-C and SIGTERM: the first one ends the run; a second one does not interrupt the clean-up."""

import itertools
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from types import FrameType, TracebackType
from typing import Any

import pytest

__all__ = ["Interrupts", "fill_line_numbers"]

NUMBERS = (signal.SIGINT, signal.SIGTERM)
INSISTING = 3
"""The signal, counted from the first, that cuts the clean-up short: a container engine may hang."""


class Phase(Enum):
    """The phase of a run."""

    RUNNING = auto()
    """Tests are running: an interrupt stops the servers, and pytest reports it."""
    ENDING = auto()
    """Servers are stopped, results reported and saved: no signal interrupts this."""
    WRITING = auto()
    """Optional steps that take seconds: looking for what grew, writing the report."""


class Interrupts:
    """A plugin that handles both signals alike, so that impatience leaves no containers behind.

    A second signal would interrupt the clean-up after the first one at any point. It only prints a line; the
    third one takes effect. The exit code is 2 after SIGINT, and 143 after SIGTERM, as of a process that the
    signal ended.
    """

    def __init__(self) -> None:
        self._arrivals = itertools.count(1)
        self._has_come = False
        self._phase = Phase.RUNNING
        self._code: int | None = None
        self._words = ""
        self._overrules = False
        self._session: pytest.Session | None = None
        self._before: dict[signal.Signals, Any] = {}

    def pytest_sessionstart(self) -> None:
        """Handle both signals, unless this is not the main thread: Python handles signals only there."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in NUMBERS}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Note the end of the tests. After an interrupt, fixtures are torn down later."""
        try:
            return (yield)
        finally:
            self._phase = Phase.ENDING

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Set the exit code of the signal after all other plugins have seen pytest's."""
        self._phase, self._session = Phase.ENDING, session
        try:
            return (yield)
        finally:
            self._set_code()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Restore the previous handlers once everything is stopped."""
        self._set_code()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _set_code(self) -> None:
        """Set the exit code of the signal, unless a test swallowed the interrupt."""
        if self._session is not None and self._code is not None:
            was_interrupted = self._session.exitstatus == pytest.ExitCode.INTERRUPTED
            if self._overrules or was_interrupted:
                self._session.exitstatus = self._code

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let pytest report an interrupt wherever it was raised."""
        fill_line_numbers(excinfo.value)

    def check(self) -> None:
        """Raise :class:`KeyboardInterrupt` if a signal has come, in case the first exception was lost.

        Python drops exceptions that are raised in finalisers and callbacks of the garbage collector, and
        only reports them to a hook that pytest silences.
        """
        if self._has_come:
            raise KeyboardInterrupt("the run was asked to end")

    @contextmanager
    def open_to_signals(self) -> Iterator[None]:
        """Let signals raise :class:`KeyboardInterrupt` at the end of a run, even one already received."""
        if self._overrules:
            raise KeyboardInterrupt(self._words)
        self._phase = Phase.WRITING
        try:
            yield
        finally:
            self._phase = Phase.ENDING

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._has_come = True
        arrival = next(self._arrivals)  # of this signal, even if the next one comes before the next line
        self._words = f"ended by {signal.Signals(number).name}"
        code = pytest.ExitCode.INTERRUPTED if number == signal.SIGINT else 128 + number
        self._code = self._code or code
        is_running = self._phase is Phase.RUNNING
        self._overrules = self._overrules or not is_running
        is_open = self._phase is Phase.WRITING
        if is_open:
            self._phase = Phase.ENDING  # the next signal must not interrupt the clean-up
        if is_open or (is_running and (arrival == 1 or arrival >= INSISTING)):
            raise KeyboardInterrupt(self._words)
        if arrival >= INSISTING:
            pytest.exit(f"webbench: {self._words}", returncode=self._code)
        what = "reporting and saving the results" if arrival == 1 else "stopping servers"
        times = "twice more" if arrival == 1 else "again"
        line = f"webbench: {what}; press Ctrl-C {times} to quit without waiting"
        sys.__stderr__.write(f"\n{line}\n")  # type: ignore[union-attr]


def fill_line_numbers(error: BaseException) -> None:
    """Add missing line numbers to the traceback of ``error`` and of the errors that led to it.

    A signal may arrive at an instruction without a line (Python 3.11: the end of many loops). Its
    ``tb_lineno`` is None, or -1 in the first releases of 3.11, and pytest fails on None when it reports the
    interrupt. Such an entry gets the first line of its function.
    """
    seen: set[BaseException] = set()
    following = [error]
    while following:
        one = following.pop()
        if one not in seen:
            seen.add(one)
            one.__traceback__ = _with_lines(one.__traceback__)
            following += [origin for origin in (one.__cause__, one.__context__) if origin is not None]


def _with_lines(entry: TracebackType | None) -> TracebackType | None:
    entries = []
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    following: TracebackType | None = None  # the others stay the same objects: pytest holds the first of them
    for entry in reversed(entries):
        if (entry.tb_lineno or 0) < 1:
            first_line = entry.tb_frame.f_code.co_firstlineno
            following = TracebackType(following, entry.tb_frame, entry.tb_lasti, first_line)
        else:
            entry.tb_next = following
            following = entry
    return following
