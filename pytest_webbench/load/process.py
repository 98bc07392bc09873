"""A process of a load generator that runs code of this package, seen from the one that starts it."""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["KILL_WAIT_S", "GeneratorProcess", "tail"]

KILL_WAIT_S = 10.0
"""How long a process that was killed may take to end."""
_PACKAGES = Path(__file__).parents[2]
_BOOT = """
import sys
from importlib import import_module
sys.path.insert(0, sys.argv[1])
import pytest_webbench
sys.path.append(sys.path.pop(0))
sys.exit(import_module(sys.argv[2]).main(sys.argv[3:]))
"""
"""Runs a module of this very package, installed or not, and lets its directory shadow nothing else."""
_TAIL_BYTES = 2000


class GeneratorProcess:
    """A Python that calls ``main`` of ``module`` with ``arguments``, in a session of its own.

    Its standard input is a pipe, unless ``stdin`` is a descriptor for it. Its standard output is a pipe if it
    is ``piped``; else it is kept, as its standard error is, and the end of it told by :attr:`last_words`.
    """

    def __init__(
        self, module: str, *arguments: str, stdin: int = subprocess.PIPE, piped: bool = False
    ) -> None:
        self.last_words = ""
        """The end of what it had printed when it was killed."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES), module, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE if piped else self._output,
            stderr=self._output,
            bufsize=0,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe to its standard input."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe from its standard output."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it lives."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, but not for longer than ``timeout_s``."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it at once and let go of its files. Safe to call again."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait(KILL_WAIT_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if not self._output.closed:
            self.last_words = tail(self._output)
            self._output.close()


def tail(opened: IO[bytes]) -> str:
    """The end of the text in a file."""
    size = opened.seek(0, os.SEEK_END)
    opened.seek(max(0, size - _TAIL_BYTES))
    return opened.read().decode("utf-8", "replace").strip()
