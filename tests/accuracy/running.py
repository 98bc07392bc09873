"""The servers of this package as processes: the interpreter of the test must not disturb them.

Each program gets a session of its own, as the workers of the native engine have. The scheduler of Linux may
share the cores between sessions first, and so who works beside pytest in its session is slowed down most.
"""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Program"]

ROOT = Path(__file__).parents[2]
LIMIT_S = 30.0


class Program:
    """A server of :mod:`tests.accuracy.servers`, from its start to its account."""

    def __init__(self, name: str, *words: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.accuracy.servers.{name}", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{self.line()}"

    def line(self) -> str:
        """The next line that it prints."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], LIMIT_S)
        assert ready, "the server says nothing"
        line = self._process.stdout.readline()
        assert line, "the server has ended"
        return line.strip()

    def await_stop(self) -> bool:
        """Wait until it has been stopped by a signal; false if it has ended instead."""
        change = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return change is not None and change.si_code == os.CLD_STOPPED

    def send(self, signal_number: int) -> None:
        """Send it a signal, unless it has ended."""
        self._process.send_signal(signal_number)

    def account(self) -> dict[str, Any]:
        """End it and return what it has counted."""
        out, _ = self._process.communicate(timeout=LIMIT_S)
        assert self._process.returncode == 0
        account: dict[str, Any] = json.loads(out.splitlines()[-1])
        return account

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # if it has not ended; one that is stopped, too
        self._process.__exit__(kind, exc, trace)
