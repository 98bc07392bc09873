"""Waiting for a server's first right answer."""

import time

import httpx

from pytest_webbench.errors import StartError
from pytest_webbench.launchers import RunningStack
from pytest_webbench.launchers.probe import open_client, send
from pytest_webbench.logic.judging import judge

__all__ = ["wait_until_ready"]

POLL_S = 0.005
ANSWER_TIMEOUT_S = 5.0
"""How long a single answer may take, before the server is asked again."""
WRONG_ANSWER_PATIENCE_S = 3.0
"""How long a server may answer wrongly (while it warms up) before it is called wrong."""


def wait_until_ready(running: RunningStack, *, timeout_s: float) -> None:
    """Return with the first right answer of ``running`` to its stack's ``ready`` request.

    Raises :class:`~pytest_webbench.errors.StartError` as soon as the server has ended, keeps
    answering wrongly, or after ``timeout_s``.
    """
    stack = running.stack
    request = stack.ready.request
    asked = f"{request.method} {request.path}"
    begun = time.monotonic()
    wrong_since: float | None = None
    seen = "nothing answered"
    with open_client(running.base_url, timeout_s=ANSWER_TIMEOUT_S) as client:
        while (left_s := timeout_s - (time.monotonic() - begun)) > 0:
            why = running.ended()
            if why is not None:
                raise StartError(
                    f"{stack.name} did not start: {why}",
                    evidence=running.log_tail(),
                    hint=_hint_from(running.log_tail()),
                )
            try:
                client.timeout = httpx.Timeout(min(left_s, ANSWER_TIMEOUT_S))
                response = send(client, request)
            except httpx.HTTPError as error:
                seen = f"{asked} failed: {error}" if str(error) else f"{asked} failed: {type(error).__name__}"
            else:
                fault = judge(stack.ready.answer, response.status_code, response.content)
                if fault is None:
                    return
                seen = f"{asked}: {fault.why}"
                wrong_since = wrong_since or time.monotonic()
                if time.monotonic() - wrong_since > WRONG_ANSWER_PATIENCE_S:
                    break
            time.sleep(POLL_S)
    waited_s = time.monotonic() - begun
    raise StartError(
        f"{stack.name} gave no right answer within {waited_s:.0f} s ({seen})",
        evidence=running.log_tail(),
        hint="see the log above; a slow machine may need --webbench-start-timeout"
        if running.reachable_inside
        else "is the server there, and is --webbench-url right?",
    )


def _hint_from(log: str) -> str:
    if "in use" in log.lower():
        return "another process has its port: end that one, or let the command use {bind}, {fd} or {port}"
    return "the last lines of its log say why; start the command by hand in the stack's folder"
