"""Waits for a server's first successful response, and makes sure that it came from the launched server."""

import time
from dataclasses import dataclass
from pathlib import Path

from pytest_webbench.analysis.text import mask_path
from pytest_webbench.host.listening import foreign_holder, ports_of
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import NoResponseError, cause_of_silence, exchange
from pytest_webbench.load.http1.judging import bytes_to_keep, judge_whole
from pytest_webbench.model.errors import LoadError, StartError
from pytest_webbench.model.http import Exchange
from pytest_webbench.model.stack import RunningStack

__all__ = ["PORT_ATTEMPTS", "OwnPort", "PortTakenError", "wait_until_ready"]

POLL_S = 0.005
LOOK_S = 0.5
"""How often to check the log, in seconds."""
WRONG_RESPONSE_PATIENCE_S = 3.0
"""How long a server may respond wrongly (while it warms up) before that counts as a failure."""
NOT_YET = {502, 503, 504}
"""With these a server, or a proxy before it, says that it is not ready yet: that may take all the time."""


def wait_until_ready(running: RunningStack, *, timeout_s: float, port: "OwnPort | None" = None) -> float:
    """Wait for the first successful response to the stack's ``ready`` request.

    Returns when it came, by :func:`time.monotonic`.

    A single response may take all the remaining time; with ``port``, only the launched server can have sent
    it. Raises :class:`~pytest_webbench.model.errors.StartError` as soon as the server has ended or keeps
    responding wrongly, or after ``timeout_s``, and what the methods of ``port`` raise.
    """
    try:
        _Wait(running, timeout_s).wait()
    except StartError:
        if port is not None:
            port.refuse_others()
            port.explain_silence(running.log_tail())
        raise
    ready = time.monotonic()
    if port is not None:
        port.refuse_others()
    return ready


class _Wait:
    """The wait for one server."""

    def __init__(self, running: RunningStack, timeout_s: float) -> None:
        self._running = running
        self._timeout_s = timeout_s
        self._ready = running.stack.ready
        self._asked = f"{self._ready.request.method} {mask_path(self._ready.request.path)}"
        self._seen = "nothing answered"
        self._has_seen = False
        self._silence: NoResponseError | None = None
        self._looked = 0.0
        self._is_wrong = False
        """Whether the last response was wrong, and not of the kind that says "not yet"."""

    def wait(self) -> None:
        target = self._target()
        begun = time.monotonic()
        wrong_since: float | None = None
        while (left_s := self._timeout_s - (time.monotonic() - begun)) > 0:
            self._refuse_if_ended()
            if self._ask(target, left_s):
                return
            if self._is_wrong:
                wrong_since = wrong_since or time.monotonic()
                if time.monotonic() - wrong_since > WRONG_RESPONSE_PATIENCE_S:
                    break
            time.sleep(POLL_S)
        self._refuse_if_ended()
        waited_s = min(time.monotonic() - begun, self._timeout_s)  # a busy machine ends the wait later
        if self._silence is not None and (cause := cause_of_silence(target, self._silence)):
            self._seen = f"{self._asked} failed: {cause}"
        raise self._failure(waited_s)

    def _target(self) -> Target:
        try:
            return Target.parse(self._running.base_url)
        except LoadError as error:
            raise StartError(f"{self._running.stack.name}: {error.message}", hint=error.hint) from None

    def _refuse_if_ended(self) -> None:
        why = self._running.ended()
        if why is not None:
            log = self._running.log_tail()
            raise StartError(
                f"{self._running.stack.name} did not start: {why}", evidence=log, hint=_hint_from(log)
            )
        if self._running.stack.fatal and time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            log = self._running.log_tail()
            if sign := self._running.stack.fatal_sign(log):
                raise StartError(sign[0], evidence=log, hint=sign[1])

    def _ask(self, target: Target, left_s: float) -> bool:
        """Return whether the response is successful; if not, it is noted."""
        try:
            wrong = _fault(self._ready, target, left_s, self._running)
        except NoResponseError as error:
            if error.late and self._has_seen and left_s < self._timeout_s / 2:
                return False  # the last attempt, cut short; the earlier result says more
            self._is_wrong = False
            self._silence = error
            self._seen = f"{self._asked} failed: {error.why}"
            self._has_seen = True
            return False
        except LoadError as error:
            raise StartError(f"{self._running.stack.name}: {error.message}", hint=error.hint) from None
        self._silence = None
        if wrong is None:
            return True
        status, why = wrong
        self._is_wrong = status not in NOT_YET
        self._seen = f"{self._asked}: {why}"
        self._has_seen = True
        return False

    def _failure(self, waited_s: float) -> StartError:
        if self._is_wrong:
            hint = "correct the application, or the ready request of its stack and what it expects"
        elif self._running.reachable_inside:
            hint = "see the log above; a slow machine may need --webbench-start-timeout"
        else:
            hint = "is the server there, and is --webbench-url right? One that is slow needs "
            hint += "--webbench-start-timeout"
        return StartError(
            f"{self._running.stack.name} did not become ready within {waited_s:.0f} s ({self._seen})",
            evidence=self._running.log_tail(),
            hint=hint,
        )


def _fault(ready: Exchange, target: Target, left_s: float, running: RunningStack) -> tuple[int, str] | None:
    """Return the status of an unsuccessful response, and what is wrong with it.

    ``None`` for a successful one.
    """
    keep = bytes_to_keep(ready.answer)
    response = exchange(
        target, ready.request, timeout_s=left_s, keep=keep, in_vain=lambda: running.ended() is not None
    )
    fault = judge_whole(ready.answer, response)
    return None if fault is None else (response.status, fault.why)


def _hint_from(log: str) -> str:
    if "in use" in log.lower():
        return "another process has its port: end that one, or let the command use {bind}, {fd} or {port}"
    return "the last lines of its log say why; start the command by hand in the stack's folder"


PORT_ATTEMPTS = 3
"""The number of ports on which to try to start a stack, if other processes take them."""


class PortTakenError(StartError):
    """Another process has the port; another port may work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPort:
    """The port of this machine on which the process ``pid``, or a descendant of it, has to listen."""

    stack: str
    pid: int
    port: int
    home: Path | None = None
    """The home folder of the launch, which identifies what it started."""

    def refuse_others(self) -> None:
        """Raise if another process listens on it.

        Raises :class:`PortTakenError`, and :class:`~pytest_webbench.model.errors.StartError` for a server
        that has put itself into the background.
        """
        holder = foreign_holder(self.pid, self.port)
        if holder is None:
            return
        if holder.pid is not None and self.home is not None and _is_home_of(holder.pid, self.home):
            raise StartError(
                f"{self.stack} has put itself into the background: {holder} listens on its port, but is not "
                "a descendant of the process that was started",
                hint="start it in the foreground: leave out --daemon and the like",
            )
        raise PortTakenError(
            f"another server has the port of {self.stack}: {holder} listens on port {self.port}",
            hint="end that one, or let the command take the socket that it is given: {bind} or {fd}",
        )

    def explain_silence(self, log: str) -> None:
        """Raise ``StartError`` if the server listens elsewhere than it should."""
        ports = ports_of(self.pid)
        if ports and self.port not in ports:
            shown = " and ".join(map(str, ports))
            raise StartError(
                f"{self.stack} listens on port {shown}, not on the one that it was given ({self.port})",
                evidence=log,
                hint="let its command use {bind}, {fd} or {port}",
            )


def _is_home_of(pid: int, home: Path) -> bool:
    try:
        return f"HOME={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
