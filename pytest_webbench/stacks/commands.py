"""Commands of a stack's Python that run beside it, from a server of them that waits in between.

Each round of a stack needs several, and an interpreter that starts takes longer than most of them.
"""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_webbench.host.supervised import Supervised

__all__ = ["Commands"]

PROGRAM = Path(__file__).with_name("command_server.py")
END_TIMEOUT_S = 10.0


class Commands:
    """Runs commands by ``python`` in ``folder``, one after the other, isolated from the user's site.

    The server is started by the first one; leaving the context ends it, with what may still run.
    """

    def __init__(self, python: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self._python = python
        self._folder = folder
        self._environment = environment
        self._server: _Server | None = None

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self, arguments: Sequence[str], *, timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
        """What ``python`` makes of ``arguments``, as :func:`subprocess.run` says it.

        Raises :class:`subprocess.TimeoutExpired`, and :class:`OSError` if it cannot be run.
        """
        server = self._server = self._server or self._start()
        try:
            server.orders.write(
                json.dumps({"arguments": list(arguments), "timeout_s": timeout_s}).encode() + b"\n"
            )
            server.orders.flush()
            head = json.loads(server.replies.readline())
        except (BrokenPipeError, ValueError):
            code = server.process.wait(END_TIMEOUT_S)
            self._end()
            raise OSError(f"the server of commands ended with code {code}") from None
        output, errors = server.replies.read(head["output"]), server.replies.read(head["errors"])
        if head["code"] == -signal.SIGALRM:
            raise subprocess.TimeoutExpired(list(arguments), timeout_s, output, errors)
        return subprocess.CompletedProcess(list(arguments), head["code"], output, errors)

    def _start(self) -> "_Server":
        with ExitStack() as theirs:
            ours = ExitStack()
            try:
                their_orders, orders = os.pipe()
                theirs.callback(os.close, their_orders)
                writer = ours.enter_context(os.fdopen(orders, "wb"))
                replies, their_replies = os.pipe()
                theirs.callback(os.close, their_replies)
                reader = ours.enter_context(os.fdopen(replies, "rb"))
                log = theirs.enter_context(Path(os.devnull).open("wb"))  # that of each command is its own
                process = Supervised(
                    [str(self._python), "-I", str(PROGRAM)],
                    folder=self._folder,
                    environment=self._environment,
                    log=log,
                    stdin=their_orders,
                    stdout=their_replies,
                )
            except BaseException:
                ours.close()
                raise
        return _Server(process=process, orders=writer, replies=reader)

    def _end(self) -> None:
        """End the server, and what it runs."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.end()
        except KeyboardInterrupt:
            server.end()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    process: Supervised
    orders: IO[bytes]
    replies: IO[bytes]

    def end(self) -> None:
        self.process.close()
        for pipe in (self.orders, self.replies):
            with suppress(BrokenPipeError):
                pipe.close()
