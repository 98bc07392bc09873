"""Counts the calls that the Python code of a server makes, by where they are made and what is called.

A launch has Python run this file as ``sitecustomize`` before anything of the application. It needs nothing
but the standard library. All threads are covered: by ``sys.monitoring`` (PEP 669) from Python 3.12 on, before
that by ``threading.setprofile``. It is for a launch of which nothing else is measured.

The folder of the launch has a file of one byte, mapped by every process. Its value is raised to begin (odd)
and to end (even); a process sees it at its next call. At the end it writes ``calls.PID``: a line of JSON for
each place, with the file, the function and the line of the caller, the name of what is called, and the count.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
from collections import defaultdict
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

FOLDER_VARIABLE = "PYTEST_WEBBENCH_CALLS"
STATE = "state"


class Counter:
    """The calls of one process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        with open(os.path.join(folder, STATE), "rb") as file:
            self._state = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
        self._seen = self._state[0]
        self.counts: dict[tuple[CodeType, int, str], count[int]] = defaultdict(
            count
        )  # next() of which is atomic

    def is_counting(self) -> bool:
        """Whether calls count now; begins and ends as the state says."""
        now = self._state[0]
        if now != self._seen:
            self._seen = now
            counts, self.counts = self.counts, defaultdict(count)
            if not now % 2:
                self._write(counts)
        return now % 2 == 1

    def _write(self, counts: dict[tuple[CodeType, int, str], count[int]]) -> None:
        path = os.path.join(self._folder, f"calls.{os.getpid()}")
        with open(f"{path}.part", "w", encoding="utf-8", errors="replace") as file:
            for (code, line, callee), calls in counts.items():
                name = getattr(code, "co_qualname", code.co_name)
                row = [code.co_filename, name, line, callee, next(calls)]
                file.write(json.dumps(row) + "\n")
        os.rename(f"{path}.part", path)


def name_of(called: object) -> str:
    """What is called, as people know it: ``Connection.execute``."""
    name = getattr(called, "__qualname__", None)
    return name if isinstance(name, str) else type(called).__qualname__


def by_profile(counter: Counter) -> None:
    """Count in what is called by ``sys.setprofile``, in this thread and those that start."""

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        if not counter.is_counting():
            return
        if event == "call":
            caller = frame.f_back
            name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
        elif event == "c_call":
            caller, name = frame, name_of(argument)
        else:
            return
        if caller is not None:
            next(counter.counts[caller.f_code, caller.f_lineno, name])

    threading.setprofile(seen)
    sys.setprofile(seen)


def by_monitoring(counter: Counter) -> None:
    """Count the call instructions of all threads."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    lines: dict[CodeType, dict[int, int]] = {}

    def line_of(code: CodeType, offset: int) -> int:
        if code not in lines:
            lines[code] = {}
            for start, end, line in code.co_lines():
                lines[code].update(dict.fromkeys(range(start, end, 2), line or 0))
        return lines[code].get(offset, 0)

    def seen(code: CodeType, offset: int, called: object, first: object) -> None:
        if counter.is_counting():
            next(counter.counts[code, line_of(code, offset), name_of(called)])

    monitoring.use_tool_id(monitoring.PROFILER_ID, "pytest-webbench")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.CALL, seen)
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.CALL)


def run_next() -> None:
    """Run the ``sitecustomize`` that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != here]
    sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError:
        pass


def start() -> None:
    """Count, if this Python is told to, and hand over to the ``sitecustomize`` that this one hides."""
    if folder := os.environ.get(FOLDER_VARIABLE, ""):
        (by_monitoring if hasattr(sys, "monitoring") else by_profile)(Counter(folder))
    run_next()


if __name__ == "sitecustomize":
    start()
