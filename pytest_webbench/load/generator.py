"""A load generator in another process: how it is started, and its bounds on memory and time."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from pytest_webbench.load.http1.wire import MAX_RESPONSE
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import Load

__all__ = ["KILL_WAIT_S", "GeneratorProcess", "MemoryBound", "longest_s", "tail"]

KILL_WAIT_S = 10.0
"""How long a killed process may take to end."""
_PACKAGES = Path(__file__).parents[2]
_BOOT = """
import sys
from importlib import import_module
sys.path.insert(0, sys.argv[1])
import pytest_webbench
sys.path.append(sys.path.pop(0))
sys.exit(import_module(sys.argv[2]).main(sys.argv[3:]))
"""
"""Runs a module of this very package, installed or not, without its directory shadowing anything else."""
_TAIL_BYTES = 2000


class GeneratorProcess:
    """A Python process that calls ``main`` of ``module`` with ``arguments``, in its own session.

    Its standard input is a pipe, unless ``stdin`` is a descriptor for it. If ``piped``, its standard output
    is a pipe too; otherwise standard output, like standard error, is kept, and :attr:`last_words` has the end
    of it.
    """

    def __init__(
        self, module: str, *arguments: str, stdin: int = subprocess.PIPE, piped: bool = False
    ) -> None:
        self.last_words = ""
        """The end of its output when it was killed."""
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
        """Its exit code; ``None`` while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, at most ``timeout_s``."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def kill(self) -> None:
        """Kill it at once and close its files. Safe to call again."""
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
    """Return the end of the text in a file."""
    size = opened.seek(0, os.SEEK_END)
    opened.seek(max(0, size - _TAIL_BYTES))
    return opened.read().decode("utf-8", "replace").strip()


_BASE_BYTES = 2 * 2**30
_SHARE_OF_MACHINE = 0.75
_MARGIN_S = 30.0
_AT_ALL_S = 10 * 86_400.0
"""No load takes longer; the kernel's own waits end at 24 days."""
_HINT = (
    "does the server send far more than expected, such as a small gzip body that unpacks to a large one? "
    "See what one response has: curl --compressed URL | wc -c"
)


def longest_s(load: Load) -> float:
    """Return the most seconds that ``load`` can take, if each request and connect takes its timeout."""
    if load.amount.duration_s is not None:
        return load.amount.duration_s + load.timeout_s + _MARGIN_S
    requests = load.amount.requests or 0
    rounds = requests / max(load.users, 1) + 1
    scheduled_s = 0.0 if load.schedule is None else 2 * requests / load.schedule.rate
    return min(2 * rounds * (load.timeout_s + 1) + scheduled_s + _MARGIN_S, _AT_ALL_S)


class MemoryBound:
    """The memory that a generator called ``name`` may take for ``users``, each of whom may hold a response.

    At most three quarters of the machine's memory.
    """

    def __init__(self, name: str, users: int) -> None:
        self._name = name
        whole = psutil.virtual_memory().total
        self.most_bytes = min(_BASE_BYTES + users * MAX_RESPONSE, int(whole * _SHARE_OF_MACHINE))

    def check(self, pids: Iterable[int]) -> None:
        """Raise :class:`LoadError` if the processes ``pids`` together use more memory than that."""
        held = sum(_resident_bytes(pid) for pid in pids)
        if held > self.most_bytes:
            raise LoadError(
                f"{self._name} was ended: it took {held / 2**20:,.0f} MiB of memory, and may take "
                f"{self.most_bytes / 2**20:,.0f} MiB.",
                hint=_HINT,
            )


def _resident_bytes(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
