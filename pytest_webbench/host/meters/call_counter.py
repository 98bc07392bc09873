"""Counts the calls that the Python code of a server makes, by place of the call and by callee.

A launch has Python run this file as ``sitecustomize`` before any code of the application. It needs only
the standard library. All threads are covered: by ``sys.monitoring`` (PEP 669) from Python 3.12 on, before
that by ``threading.setprofile``. In such a launch nothing else is measured.

Both count the same: each Python function that is entered, regardless of the caller (a property, a callback
of machine code, the event loop that first runs a coroutine), and each machine-code function that Python
code calls. The first also counts calls of machine-code classes, such as ``dict``. A generator counts once, a
comprehension never: it is a part of the function around it. The creation of an object counts as its class.

The folder of the launch has a file of one byte, mapped by every process. Its value is incremented to begin
(odd) and to end (even); a process notices at its next call. At the end it writes ``calls.PID``: a line of
JSON with the folder in which it started, then one for each place, with the file, the function and the line of
the caller, the name of the callee, and the count.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
from collections import defaultdict
from itertools import count
from types import FunctionType, MethodType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

FOLDER_VARIABLE = "PYTEST_WEBBENCH_CALLS"
STATE = "state"
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Counter:
    """The calls of one process."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._home = os.getcwd()
        with open(os.path.join(folder, STATE), "rb") as file:
            self._state = mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ)
        self._seen = self._state[0]
        self._changing = threading.Lock()
        # next() of a count is atomic.
        self.counts: dict[tuple[CodeType, int, str], count[int]] = defaultdict(count)

    def is_counting(self) -> bool:
        """Return whether calls count now; begins and ends as the state says."""
        now = self._state[0]
        if now != self._seen:
            with self._changing:  # the other threads wait until all is written
                if now != self._seen:
                    counts, self.counts = self.counts, defaultdict(count)
                    if not now % 2:
                        self._write(counts)
                    self._seen = now
        return now % 2 == 1

    def entered(self, frame: FrameType) -> None:
        """Count that the function of ``frame`` was called."""
        caller, code = frame.f_back, frame.f_code
        if caller is not None and code.co_name not in COMPREHENSIONS:
            next(self.counts[caller.f_code, caller.f_lineno, _entered_name(frame, caller)])

    def _write(self, counts: dict[tuple[CodeType, int, str], count[int]]) -> None:
        path = os.path.join(self._folder, f"calls.{os.getpid()}")
        with open(f"{path}.part", "w", encoding="utf-8", errors="replace") as file:
            file.write(json.dumps([self._home]) + "\n")
            for (code, line, callee), calls in counts.items():
                row = [
                    os.path.join(self._home, code.co_filename),
                    _qualified(code),
                    line,
                    callee,
                    next(calls),
                ]
                if code.co_filename.startswith("<"):
                    row[0] = code.co_filename
                file.write(json.dumps(row) + "\n")
        os.rename(f"{path}.part", path)


def _qualified(code: CodeType) -> str:
    return getattr(code, "co_qualname", code.co_name)


def _entered_name(frame: FrameType, caller: FrameType) -> str:
    """Return the name of the function of ``frame``; of a class, if it creates an object of it."""
    code = frame.f_code
    if code.co_name == "__init__" and code.co_argcount and caller.f_code.co_name != "__init__":
        made = frame.f_locals.get(code.co_varnames[0])
        if made is not None:
            return type(made).__qualname__
    return _qualified(code)


def name_of(called: object) -> str:
    """Return the name of a callee as people know it: ``Connection.execute``, ``time.time``."""
    name = getattr(called, "__qualname__", None)
    if not isinstance(name, str):
        return type(called).__qualname__
    module = getattr(called, "__module__", None)
    is_known = "." in name or isinstance(called, type) or module in (None, "builtins")
    return name if is_known else f"{module}.{name}"


def is_python(called: object) -> bool:
    """Return whether ``called`` enters a Python function, which is counted on entry."""
    if isinstance(called, MethodType):
        called = called.__func__
    if isinstance(called, FunctionType):
        return True
    if isinstance(called, type):
        return any(isinstance(getattr(called, name), FunctionType) for name in ("__init__", "__new__"))
    method = "__call__"
    return isinstance(getattr(type(called), method, None), FunctionType)


def by_profile(counter: Counter) -> None:
    """Count with ``sys.setprofile``, in this thread and those that start."""
    begins: dict[tuple[CodeType, int], bool] = {}

    def is_beginning(frame: FrameType) -> bool:
        """Return whether the function begins; a generator or a coroutine may also be resumed."""
        place = frame.f_code, frame.f_lasti
        if place not in begins:
            begins[place] = frame.f_lasti < 0 or frame.f_code.co_code[frame.f_lasti + 1] == 0  # RESUME 0
        return begins[place]

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        if not counter.is_counting():
            return
        if event == "call":
            if is_beginning(frame):
                counter.entered(frame)
        elif event == "c_call":
            next(counter.counts[frame.f_code, frame.f_lineno, name_of(argument)])

    threading.setprofile(seen)
    sys.setprofile(seen)


def by_monitoring(counter: Counter) -> None:
    """Count the calls of all threads."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    lines: dict[CodeType, dict[int, int]] = {}

    def line_of(code: CodeType, offset: int) -> int:
        if code not in lines:
            lines[code] = {}
            for start, end, line in code.co_lines():
                lines[code].update(dict.fromkeys(range(start, end, 2), line or 0))
        return lines[code].get(offset, 0)

    def calls(code: CodeType, offset: int, called: object, first: object) -> None:
        if counter.is_counting() and not is_python(called):
            next(counter.counts[code, line_of(code, offset), name_of(called)])

    def starts(code: CodeType, offset: int) -> None:
        if counter.is_counting():
            counter.entered(sys._getframe(1))

    tool, events = monitoring.PROFILER_ID, monitoring.events
    monitoring.use_tool_id(tool, "pytest-webbench")
    monitoring.register_callback(tool, events.CALL, calls)
    monitoring.register_callback(tool, events.PY_START, starts)
    monitoring.set_events(tool, events.CALL | events.PY_START)


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
