"""The commands of ``Stack.prepare``, run before the server starts: migrations, the tables of a database."""

import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from pytest_webbench.host.leftovers import Claim
from pytest_webbench.host.supervised import Supervised
from pytest_webbench.model.errors import StartError
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.environment import fill_in

__all__ = ["preparation_failure", "preparation_timeout", "run_preparation"]

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

    Their output goes to ``log``. All of them together may take ``timeout_s``; what they leave running is
    ended. Raises :class:`~pytest_webbench.model.errors.StartError` for the first one that fails.
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
    """That ``command`` failed; ``why`` goes on after its name, ``output`` is all that it wrote."""
    return StartError(
        f"{stack.name} was not prepared: {shlex.join(command)} {why}",
        evidence="\n".join(output.rstrip().splitlines()[-SHOWN_LINES:]),
        hint="run the command by hand in the stack's folder, or correct the stack's prepare",
    )


def preparation_timeout(stack: Stack, command: Sequence[str], timeout_s: float, output: str) -> StartError:
    """That the commands took too long, the last of them being ``command``."""
    return StartError(
        f"{stack.name} was not prepared within {timeout_s:g} s: {shlex.join(command)} did not end",
        evidence="\n".join(output.rstrip().splitlines()[-SHOWN_LINES:]),
        hint="does it wait for something? A slow machine may need --webbench-start-timeout",
    )
