"""Runs Python commands, each in a fork of a process whose interpreter is already initialised.

Run by the Python of a stack; it needs only the standard library. Orders are lines of JSON:
``{"arguments": [...], "timeout_s": 60}``, with arguments as after ``python``. The reply to each is a line
of JSON, ``{"code": 0, "output": 12, "errors": 0}``, and as many bytes of standard output and error.
"""

import atexit
import json
import os
import runpy
import signal
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from typing import IO, Any

with suppress(ImportError):  # a Python may be built without it
    import sqlite3  # noqa: F401 - most commands need it, and so not each of them has to load it

__all__ = ["main"]


def main() -> None:
    """Serve until standard input ends."""
    orders, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for line in orders:
        order = json.loads(line)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                for pipe in (orders, replies):  # otherwise the end of the server goes unnoticed
                    os.close(pipe.fileno())
                os._exit(_carry_out(order, output.fileno(), errors.fileno()))
            _, status = os.waitpid(child, 0)
            parts = [_content(output), _content(errors)]
        code = os.waitstatus_to_exitcode(status)
        head = {"code": code, "output": len(parts[0]), "errors": len(parts[1])}
        replies.write(b"".join([json.dumps(head).encode(), b"\n", *parts]))
        replies.flush()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _carry_out(order: dict[str, Any], output: int, errors: int) -> int:
    """Run ``arguments`` in a fork as Python would, and return the exit code.

    The fork does not exit as Python does: the clean-up after a fork would take ten times as long as the
    command.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(source, target)
    signal.setitimer(signal.ITIMER_REAL, order["timeout_s"])  # unhandled, so that it ends the fork
    code = 0
    try:
        _become(order["arguments"])
    except SystemExit as end:
        code = _code_of(end)
    except BaseException:
        traceback.print_exc()
        code = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def _become(arguments: list[str]) -> None:
    first, *rest = arguments
    if first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    main()
