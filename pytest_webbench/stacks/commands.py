"""Commands of a stack: those that prepare it, and Python commands that run beside it."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_webbench.host.closing import close_despite_interrupt
from pytest_webbench.host.leftovers import Claim
from pytest_webbench.host.supervised import Supervised
from pytest_webbench.model.errors import StartError
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.environment import fill_in

__all__ = ["Commands", "preparation_failure", "preparation_timeout", "run_preparation"]

SHOWN_LINES = 15


def run_preparation(
    stack: Stack,
    fill: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    log: Path,
    claim: Claim,
    timeout_s: float,
) -> None:
    """Run the commands one after the other, as local processes in the folder of ``stack``.

    Their output goes to ``log``. All of them together may take ``timeout_s``; processes they leave running
    are ended. Raises :class:`~pytest_webbench.model.errors.StartError` for the first one that fails.
    """
    deadline = time.monotonic() + timeout_s
    for command in stack.prepare:
        with log.open("ab") as output:
            begin = output.tell()
            process = _started(stack, command, fill, environment, output)
        try:
            claim.add(process.pid)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            process.close()
        said = log.read_bytes()[begin:].decode(errors="replace")
        if code is None:
            raise preparation_timeout(stack, command, timeout_s, said)
        if code < 0:
            why = f"was ended by signal {signal.Signals(-code).name}"
            raise preparation_failure(stack, command, why, said)
        if code:
            raise preparation_failure(stack, command, f"exited with code {code}", said)


def _started(
    stack: Stack,
    command: Sequence[str],
    fill: Mapping[str, str],
    environment: Mapping[str, str],
    output: IO[bytes],
) -> Supervised:
    words = [fill_in(word, fill) for word in command]
    try:
        return Supervised(words, folder=stack.folder, environment=environment, log=output)
    except OSError as error:
        raise StartError(
            f"{stack.name} cannot be prepared: {words[0]}: {error.strerror}",
            hint=f"is the first word of {shlex.join(command)} in its environment?",
        ) from None


def preparation_failure(stack: Stack, command: Sequence[str], why: str, output: str) -> StartError:
    """Return the error for a failed ``command``; ``why`` follows its name, ``output`` is its output."""
    return StartError(
        f"{stack.name} was not prepared: {shlex.join(command)} {why}",
        evidence="\n".join(output.rstrip().splitlines()[-SHOWN_LINES:]),
        hint="run the command by hand in the stack's folder, or correct the stack's prepare",
    )


def preparation_timeout(stack: Stack, command: Sequence[str], timeout_s: float, output: str) -> StartError:
    """Return the error for commands that took too long, ``command`` being the last of them."""
    return StartError(
        f"{stack.name} was not prepared within {timeout_s:g} s: {shlex.join(command)} did not end",
        evidence="\n".join(output.rstrip().splitlines()[-SHOWN_LINES:]),
        hint="does it wait for something? A slow machine may need --webbench-start-timeout",
    )


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
        """Run ``python`` with ``arguments`` and return the result, like :func:`subprocess.run`.

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
        """End the server, and the command it runs."""
        server, self._server = self._server, None
        if server is not None:
            close_despite_interrupt(server.end)


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
