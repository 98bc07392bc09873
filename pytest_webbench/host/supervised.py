"""A program under a supervisor, as seen by the process that starts it."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pytest_webbench.host.closing import close_despite_interrupt

__all__ = ["Supervised"]

PROGRAM = Path(__file__).with_name("supervisor.py")
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 15.0
"""How long the supervisor may take to end everything, beyond the program's own time."""
KILLED = -9


class Supervised:
    """``command`` in ``folder``, which ends with us, as do all processes it starts: see the supervisor.

    ``pid`` is its process id, ``begun`` when it was started, by :func:`time.monotonic`. It has only
    ``environment``, is the leader of its own session, and inherits ``descriptors``. Standard output and error
    go to ``log``, unless ``stdout`` and ``stderr`` are descriptors for them. ``remove`` is a folder that is
    removed when everything has ended. The descriptors still belong to the caller.

    :meth:`close` must be called. Raises :class:`OSError` if the program cannot be run.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: IO[bytes],
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        descriptors: Sequence[int] = (),
        remove: Path | None = None,
    ) -> None:
        self._lines = b""
        self._replies: dict[str, Any] = {}
        handed = {stdin, stdout, stderr, *descriptors} - {None}
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(PROGRAM), str(os.getpid())],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=tuple(each for each in handed if each is not None),
            bufsize=0,
            start_new_session=True,
        )
        try:
            self._order(
                command=list(command),
                folder=str(folder),
                environment=dict(environment),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                descriptors=list(descriptors),
                remove=None if remove is None else str(remove),
            )
            self.pid, self.begun = self._started()
        except BaseException:
            self.close()
            raise

    def _started(self) -> tuple[int, float]:
        """Return the program's process id, and when it was started; raises :class:`OSError`."""
        self._await({"pid", "errno"}, START_TIMEOUT_S)
        if "pid" in self._replies:
            return self._replies["pid"], self._replies["begun"]
        number = self._replies.get("errno", 0)
        raise OSError(number, os.strerror(number) if number else "its supervisor did not start")

    def poll(self) -> int | None:
        """Return the program's exit code like :attr:`subprocess.Popen.returncode`; ``None`` while it runs."""
        self._await({"code"}, 0.0)
        return self._code()

    def wait(self, timeout_s: float) -> int | None:
        """Wait until the program has ended, for ``timeout_s`` at most; return the result of :meth:`poll`."""
        self._await({"code"}, timeout_s)
        return self._code()

    def send_signal(self, number: int) -> None:
        """Send a signal to the program and its process group, if it runs."""
        self._order(signal=number)

    def kill(self) -> None:
        """Kill the program and its process group."""
        self.send_signal(-KILLED)

    def end(self, grace_s: float) -> None:
        """Ask the program to end; after ``grace_s`` seconds kill the rest of all that it started.

        If Ctrl-C interrupts this, everything is killed at once.
        """
        try:
            self._order(end=grace_s)
            self._await({"left"}, grace_s + END_TIMEOUT_S)
        finally:
            self.close()

    def close(self) -> None:
        """Kill the program and all that it has started, and wait until it is gone. Safe to call again."""
        close_despite_interrupt(self._close)  # interrupted, the supervisor must still be awaited

    def _close(self) -> None:
        orders, replies = self._pipes()
        orders.close()
        if not replies.closed:
            self._await({"left"}, END_TIMEOUT_S)
            replies.close()
        with suppress(subprocess.TimeoutExpired):
            self._supervisor.wait(END_TIMEOUT_S)
        if left := self._replies.pop("left", None):
            sys.stderr.write(f"webbench: processes that cannot be ended are left: {left}\n")

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._supervisor.stdin is not None
        assert self._supervisor.stdout is not None
        return self._supervisor.stdin, self._supervisor.stdout

    def _code(self) -> int | None:
        code: int | None = self._replies.get("code")
        if code is None and self._supervisor.poll() is not None:
            return KILLED  # the kernel kills the program with its supervisor
        return code

    def _order(self, **order: Any) -> None:
        orders, _ = self._pipes()
        with suppress(BrokenPipeError, ValueError):  # it has already ended
            view = memoryview(json.dumps(order).encode() + b"\n")
            while view:
                view = view[orders.write(view) :]

    def _await(self, kinds: set[str], timeout_s: float) -> None:
        """Read replies until there is one of ``kinds``, no more can come, or the timeout has passed."""
        deadline = time.monotonic() + timeout_s
        _, replies = self._pipes()
        if replies.closed:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(replies, selectors.EVENT_READ)
            while not kinds & self._replies.keys():
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return
                data = os.read(replies.fileno(), 1 << 16)
                if not data:
                    return
                *lines, self._lines = (self._lines + data).split(b"\n")
                for line in lines:
                    self._replies |= json.loads(line)
