"""The engine of this package: asyncio, uvloop and httptools, in a process of its own."""

import os
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from pytest_webbench.errors import LoadError
from pytest_webbench.load.frames import LENGTH, Failure, Order, frame, pack_order, unpack_reply
from pytest_webbench.load.wire import Target
from pytest_webbench.values.load import Load, LoadResult

__all__ = ["NativeEngine"]

_PACKAGES = Path(__file__).parents[2]
_BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest_webbench
sys.path.append(sys.path.pop(0))
from pytest_webbench.load.worker import main
main()
"""
"""Runs the worker of this very package, installed or not, and lets its directory shadow nothing else."""
_MARGIN_S = 30.0
_KILL_WAIT_S = 10.0
_TAIL_BYTES = 2000


class NativeEngine:
    """Makes load in a worker process that is started for the first load and serves those after it.

    A worker that has died is replaced. If :meth:`run` is left by an exception, also by Ctrl-C, the
    worker is killed, so that no load goes on. Not for use by several threads at once; on Linux the
    worker ends with the *thread* that started it.
    """

    name = "native"

    def __init__(self) -> None:
        self._worker: _Worker | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the worker; ``None`` if there is none."""
        return None if self._worker is None else self._worker.pid

    def run(self, load: Load, base_url: str) -> LoadResult:
        """Carry out ``load`` against the server at ``base_url``, such as ``http://127.0.0.1:8000/api``.

        Raises :class:`LoadError` if the address, the load or one of its requests makes no sense, and
        if the worker dies or is not done in the longest time that the load can take.
        """
        Target.parse(base_url)
        worker = self._living_worker()
        try:
            reply = worker.carry_out(Order(load=load, base_url=base_url), _longest_s(load))
        except BaseException:
            self.close()
            raise
        if isinstance(reply, Failure):
            raise LoadError(reply.message, evidence=reply.evidence, hint=reply.hint)
        return reply

    def close(self) -> None:
        """End the worker. Safe to call again; the next load starts another."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    def _living_worker(self) -> "_Worker":
        if self._worker is not None and not self._worker.lives():
            self.close()
        if self._worker is None:
            self._worker = _Worker()
        return self._worker


def _longest_s(load: Load) -> float:
    """Seconds after which ``load`` must have ended, each request and each connect taking its timeout."""
    if load.amount.duration_s is not None:
        return load.amount.duration_s + load.timeout_s + _MARGIN_S
    rounds = (load.amount.requests or 0) / max(load.users, 1) + 1
    return 2 * rounds * (load.timeout_s + 1) + _MARGIN_S


class _Worker:
    """A process that runs :mod:`pytest_webbench.load.worker`."""

    def __init__(self) -> None:
        self._last_words = ""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, str(_PACKAGES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders = self._process.stdin
        self._replies = self._process.stdout
        os.set_blocking(self._orders.fileno(), False)
        os.set_blocking(self._replies.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lives(self) -> bool:
        """Whether it can take an order."""
        return self._process.poll() is None

    def carry_out(self, order: Order, longest_s: float) -> LoadResult | Failure:
        """Send ``order`` and wait for the reply, ``longest_s`` seconds at most.

        Raises :class:`LoadError` if the worker dies before it replies, or takes longer.
        """
        deadline = time.monotonic() + longest_s
        try:
            self._send(frame(pack_order(order)), deadline)
            (length,) = LENGTH.unpack(self._receive(LENGTH.size, deadline))
            return unpack_reply(self._receive(length, deadline))
        except (BrokenPipeError, EOFError) as exc:
            self.kill()
            code = self._process.returncode
            raise LoadError(
                f"The load worker ended in the middle of a load (exit code {code}).",
                evidence=self._last_words,
            ) from exc
        except TimeoutError as exc:
            self.kill()
            raise LoadError(
                f"The load worker was not done after {longest_s:.0f} s.", evidence=self._last_words
            ) from exc

    def kill(self) -> None:
        """End the process at once and let go of its files. Safe to call again."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait(_KILL_WAIT_S)
        self._orders.close()
        self._replies.close()
        if not self._stderr.closed:
            self._last_words = self._tail()
            self._stderr.close()

    def _tail(self) -> str:
        """The end of what the process has written to standard error."""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _TAIL_BYTES))
        return self._stderr.read().decode("utf-8", "replace").strip()

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._orders, selectors.EVENT_WRITE, deadline)
            view = view[os.write(self._orders.fileno(), view) :]

    def _receive(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait(self._replies, selectors.EVENT_READ, deadline)
            piece = os.read(self._replies.fileno(), min(size - len(data), 2**20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _wait(self, stream: IO[bytes], event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
