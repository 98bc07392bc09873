"""Calls of what a user wrote: its mistakes are told with its own line, and what has no end is stopped."""

import linecache
import resource
import signal
import sysconfig
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from pytest_webbench.model.errors import UsageError, WebbenchError

__all__ = ["bounded", "calling"]

MOST_CPU_S = 60.0
"""How much CPU time one call may take: a million requests are made in less."""
LOOK_EVERY_S = 0.1
_NOT_USERS = (str(Path(__file__).parents[2]), sysconfig.get_path("stdlib"), "<")


@contextmanager
def calling(what: str, error: type[WebbenchError] = UsageError, *, hint: str = "") -> Iterator[None]:
    """Raise ``error`` for an exception of the user's code that ``what`` names, with file and line.

    Our own errors pass.
    """
    failure: WebbenchError | None = None
    try:
        yield
    except WebbenchError:
        raise
    except Exception as fault:  # whatever the user's code may raise
        words = " ".join(str(fault).split())
        said = f"{type(fault).__name__}: {words}" if words else type(fault).__name__
        failure = error(f"{what} failed: {said}", evidence=_place(fault), hint=hint or "correct that line")
    if failure is not None:
        raise failure


def _place(error: Exception) -> str:
    """The user's line that ``error`` came from: the innermost one outside of this package and libraries."""
    entries = [entry for entry in traceback.extract_tb(error.__traceback__) if _is_users(entry.filename)]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
    if not entries:
        return ""
    last = entries[-1]
    return f"{last.filename}, line {last.lineno}, in {last.name}: {(last.line or '').strip()}"


def _is_users(file: str) -> bool:
    return not file.startswith(_NOT_USERS) and "site-packages" not in Path(file).parts


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Stop what ``what`` names once it took :data:`MOST_CPU_S`, or half of the memory that was free.

    Raises :class:`~pytest_webbench.model.errors.UsageError` from within it. Only in the main thread, where
    Python takes signals; the clock is that of CPU time, so that no other alarm is disturbed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    process = psutil.Process()
    most_bytes = process.memory_info().rss + psutil.virtual_memory().available // 2
    begun_s = _cpu_s()

    def look(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        took_s = _cpu_s() - begun_s
        too_large = process.memory_info().rss > most_bytes
        if took_s < MOST_CPU_S and not too_large:
            return
        why = "half of the free memory" if too_large else f"{MOST_CPU_S:g} s of CPU time"
        raise UsageError(
            f"{what} was stopped: it took {why}, and seems to have no end",
            evidence=_where(frame),
            hint="return a list that ends, whose requests are repeated by themselves, or lower "
            "--webbench-requests",
        )

    before: Any = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, LOOK_EVERY_S, LOOK_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _where(frame: FrameType | None) -> str:
    """The user's line that runs in ``frame``."""
    while frame is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return f"{file}, line {number}, in {frame.f_code.co_name}: {linecache.getline(file, number).strip()}"
