"""Commands of a stack's Python that run beside it, from a server of them that waits in between.

Each round of a stack needs several, and an interpreter that starts takes longer than most of them.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

__all__ = ["Commands"]

PROGRAM = Path(__file__).with_name("command_server.py")


class Commands:
    """Runs commands by ``python`` in ``folder``, one after the other, isolated from the user's site.

    The server is started by the first one; leaving the context ends it, with what may still run.
    """

    def __init__(self, python: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._environment = environment
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self, arguments: Sequence[str], *, timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
        """What ``python`` makes of ``arguments``, as :func:`subprocess.run` says it.

        Raises :class:`subprocess.TimeoutExpired`, and :class:`OSError` if it cannot be run.
        """
        server = self._server = self._server or self._start()
        orders, replies = _pipes(server)
        try:
            orders.write(json.dumps({"arguments": list(arguments), "timeout_s": timeout_s}).encode() + b"\n")
            orders.flush()
            head = json.loads(replies.readline())
        except (BrokenPipeError, ValueError):
            self._end()
            raise OSError(f"the server of commands ended with code {server.returncode}") from None
        output, errors = replies.read(head["output"]), replies.read(head["errors"])
        if head["code"] == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(arguments), timeout_s, output, errors)
        return subprocess.CompletedProcess(list(arguments), head["code"], output, errors)

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [self._python, "-I", PROGRAM],
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # that of each command is its own
            start_new_session=True,
        )

    def _end(self) -> None:
        """End the server, and what it runs."""
        server, self._server = self._server, None
        if server is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        for pipe in _pipes(server):
            with suppress(BrokenPipeError):
                pipe.close()


def _pipes(server: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert server.stdin is not None
    assert server.stdout is not None
    return server.stdin, server.stdout
