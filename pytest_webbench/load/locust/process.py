"""A process of the Locust engine, seen from the one that starts it."""

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["RoleProcess"]

_PACKAGES = Path(__file__).parents[3]
_BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest_webbench
sys.path.append(sys.path.pop(0))
from pytest_webbench.load.locust.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
"""Runs the processes of this very package, installed or not, and lets its directory shadow nothing else."""
_KILL_WAIT_S = 10.0
_TAIL_BYTES = 2000


class RoleProcess:
    """``python -m pytest_webbench.load.locust ARGUMENTS --supervised``, which ends with this process.

    Its standard input is ``line``, which is closed here; without one it is a pipe.
    """

    def __init__(self, *arguments: str, line: socket.socket | None = None) -> None:
        self.last_words = ""
        """The end of what it had printed when it was killed."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES), *arguments, "--supervised"],
            stdin=subprocess.PIPE if line is None else line.fileno(),
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        if line is not None:
            line.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

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
        self._process.wait(_KILL_WAIT_S)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._output.closed:
            self.last_words = self._tail()
            self._output.close()

    def _tail(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL_BYTES))
        return self._output.read().decode("utf-8", "replace").strip()
