"""Runs commands of Python, each in a fork of a process whose interpreter is up already.

It is run by the Python of a stack and needs nothing but the standard library. Orders come as lines of JSON:
``{"arguments": [...], "timeout_s": 60}``, with arguments as after ``python``. Each is answered by a line
of JSON, ``{"code": 0, "output": 12, "errors": 0}``, and as many bytes of standard output and error.
"""

import json
import os
import runpy
import signal
import sys
import tempfile
from contextlib import suppress
from typing import IO, Any

with suppress(ImportError):  # a Python may be built without it
    import sqlite3  # noqa: F401 - most commands need it, and so not each of them has to load it

__all__ = ["main"]


def main() -> None:
    """Serve until standard input ends; a fork returns once its command is over."""
    orders, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    for line in orders:
        order = json.loads(line)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                orders.close()
                _become_command(order, output.fileno(), errors.fileno())
                return
            _, status = os.waitpid(child, 0)
            parts = [_content(output), _content(errors)]
        code = os.waitstatus_to_exitcode(status)
        head = {"code": code, "output": len(parts[0]), "errors": len(parts[1])}
        replies.write(b"".join([json.dumps(head).encode(), b"\n", *parts]))
        replies.flush()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _become_command(order: dict[str, Any], output: int, errors: int) -> None:
    """What the interpreter does with such arguments; what it raises ends the fork as it would Python."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(source, target)
    signal.setitimer(signal.ITIMER_REAL, order["timeout_s"])  # nobody handles it, so that it ends the fork
    first, *rest = order["arguments"]
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
