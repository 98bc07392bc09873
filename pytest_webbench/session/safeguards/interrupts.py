"""Ctrl-C and SIGTERM: the first ends the run, the next one waits until what runs is taken down."""

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
"""The signal, counted from the first, that cuts the clean-up short: an engine may hang."""


class Phase(Enum):
    """How far a run is."""

    RUNNING = auto()
    """Tests run: an interrupt unwinds what was launched, and pytest reports it."""
    ENDING = auto()
    """What is left is taken down, what was found is said and saved: nothing breaks that off."""
    WRITING = auto()
    """The report is written, which takes seconds and may be left out."""


class Interrupts:
    """The plugin that lets both signals end the run in one way, and no impatience leave containers behind.

    A second signal that came while the first one's clean-up is under way would break it off, wherever
    it stands. So it is answered in words alone; the third one goes through. The run ends with exit code 2
    by SIGINT, and with 143 by SIGTERM, as a process that the signal ended.
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
        """Take both signals; without effect outside of the main thread, where Python takes no signals."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in NUMBERS}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Note the end of the tests; after an interrupt, fixtures are torn down later."""
        try:
            return (yield)
        finally:
            self._phase = Phase.ENDING

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Give the run the exit code of the signal, once all others have seen the one of pytest."""
        self._phase, self._session = Phase.ENDING, session
        try:
            return (yield)
        finally:
            self._set_code()

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Put back what was there, when all is taken down."""
        self._set_code()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _set_code(self) -> None:
        """Give the run the exit code of the signal, if pytest has not lost the interrupt to a test."""
        if self._session is not None and self._code is not None:
            was_interrupted = self._session.exitstatus == pytest.ExitCode.INTERRUPTED
            if self._overrules or was_interrupted:
                self._session.exitstatus = self._code

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Let pytest report an interrupt wherever it came."""
        fill_line_numbers(excinfo.value)

    def check(self) -> None:
        """Raise :class:`KeyboardInterrupt` if a signal has come, for what it raised may have been lost.

        Python drops what is raised while it finalises an object or calls back from its collector, and says
        so to a hook that pytest keeps silent.
        """
        if self._has_come:
            raise KeyboardInterrupt("the run was asked to end")

    @contextmanager
    def open_to_signals(self) -> Iterator[None]:
        """In a run that is ending: let a signal raise :class:`KeyboardInterrupt`, also one that has come."""
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
        if self._phase is Phase.WRITING or (is_running and (arrival == 1 or arrival >= INSISTING)):
            raise KeyboardInterrupt(self._words)
        if arrival >= INSISTING:
            pytest.exit(f"webbench: {self._words}", returncode=self._code)
        what = "saying and saving what was found" if arrival == 1 else "taking down what runs"
        times = "twice" if arrival == 1 else "once"
        sys.__stderr__.write(f"\nwebbench: {what}; {times} more leaves it behind\n")  # type: ignore[union-attr]


def fill_line_numbers(error: BaseException) -> None:
    """Give entries of the traceback of ``error``, and of what it came from, the line they lack.

    A signal may come at a step that belongs to no line (Python 3.11: the end of many a loop), for which
    ``tb_lineno`` is None, or -1 in the first releases of 3.11. pytest reckons with it, and fails at None
    while it reports the interrupt. Such an entry gets the first line of its function.
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
