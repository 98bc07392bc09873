"""The Locust engine, as pytest sees it; nothing of Locust is imported here."""

import json
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.locust.line import Line
from pytest_webbench.load.locust.messages import parse_address, speaks
from pytest_webbench.load.locust.process import RoleProcess
from pytest_webbench.load.memory import MemoryBound
from pytest_webbench.load.native.frames import Failure, Order, pack_order, unpack_reply
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.load import Load, LoadResult, Look, nothing

__all__ = ["LocustEngine"]

_LOOPBACK = "127.0.0.1"
_ANY_PORT = f"{_LOOPBACK}:0"
_GREETING_S = 30.0
_GREETING_BYTES = 2**16
_MARGIN_S = 30.0
_GOODBYE_S = 3.0
"""How long a master may take to send the workers home that others have started."""


class LocustEngine:
    """Makes load by Locust, with as many workers as it takes, on one machine or on several.

    * ``LocustEngine(workers=4)`` starts a master and four workers on this machine.
    * ``LocustEngine(workers=4, bind="0.0.0.0:5557")`` starts a master alone, and waits until four workers
      have joined it, each started by ``python -m pytest_webbench.load.locust worker HOST:5557``.
    * ``LocustEngine(master="HOST:5558")`` joins a master that was started, with its workers, by
      ``python -m pytest_webbench.load.locust master``, at its control port.

    Users are spread over the workers as evenly as possible. A load waits ``patience_s`` seconds for workers
    that are missing. The ports know no passwords and belong into a trusted network.

    If :meth:`run` is left by an exception, also by Ctrl-C, no load goes on. What this engine has started
    ends with the process that started it, however that ends. Not for use by several threads at once; on
    Linux workers end with the *thread* that started them.
    """

    name = "locust"

    def __init__(
        self,
        workers: int = 1,
        *,
        bind: str | None = None,
        master: str | None = None,
        patience_s: float = 60.0,
    ) -> None:
        if workers < 1:
            raise UsageError("A load needs at least one worker.")
        if bind is not None and master is not None:
            raise UsageError("A Locust master is either started here or joined, but not both.")
        for address in (bind, master):
            if address is not None:
                _check_address(address)
        self._workers = workers
        self._bind = bind
        self._address = master
        self._patience_s = patience_s
        self._master: _Master | None = None

    def run(
        self,
        load: Load,
        base_url: str,
        look: Look | None = None,  # noqa: ARG002
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Carry out ``load`` against the server at ``base_url``, such as ``http://192.0.2.1:8000/api``.

        Raises :class:`LoadError` if Locust is not installed, too few workers join, a worker is lost, the
        load makes no sense, or it is not done in the longest time that it can take.
        """
        Target.parse(base_url)
        if self._master is not None and not self._master.lives():
            self.close()
        try:
            if self._master is None:
                self._master = self._get_master()
            before_start()
            reply = self._master.carry_out(Order(load=load, base_url=base_url), self._longest_s(load))
        except BaseException:
            self.close()
            raise
        if isinstance(reply, Failure):
            if self._bind is None:
                self.close()
            raise LoadError(reply.message, evidence=reply.evidence, hint=reply.hint)
        return reply

    def close(self) -> None:
        """End what was started, or hang up. Safe to call again; the next load starts or joins another."""
        master, self._master = self._master, None
        if master is not None:
            master.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the master and of the workers that were started here."""
        return () if self._master is None else tuple(process.pid for process in self._master.processes)

    def _get_master(self) -> "_Master":
        if self._address is not None:
            return _Master(_call(self._address), self._address)
        if find_spec("locust") is None:
            raise LoadError(
                "The Locust engine needs Locust, which is not installed.",
                hint='pip install "pytest-webbench[locust]"',
            )
        return _start(self._workers, self._bind, self._patience_s)

    def _longest_s(self, load: Load) -> float:
        """Seconds after which ``load`` must have ended, each request and each connect taking its timeout."""
        longest_s = self._patience_s + _MARGIN_S
        if load.amount.duration_s is not None:
            return longest_s + load.amount.duration_s + load.timeout_s
        requests = load.amount.requests or 0
        rounds = requests / max(load.users, 1) + 1
        scheduled_s = 0.0 if load.schedule is None else 2 * requests / load.schedule.rate
        return longest_s + 2 * rounds * (load.timeout_s + 1) + scheduled_s


def _check_address(text: str) -> None:
    try:
        parse_address(text)
    except ValueError as exc:
        raise UsageError(f"The address {exc}.", hint="give an address such as 0.0.0.0:5557") from exc


def _call(address: str) -> socket.socket:
    """A connection to the control port of a master."""
    try:
        sock = socket.create_connection(parse_address(address), timeout=_GREETING_S)
    except OSError as exc:
        raise LoadError(
            f"No Locust master can be reached at {address}: {exc}.",
            hint="start one: python -m pytest_webbench.load.locust master --workers N",
        ) from exc
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _start(workers: int, bind: str | None, patience_s: float) -> "_Master":
    """A master of our own, with workers unless they come from elsewhere."""
    ours, theirs = socket.socketpair()
    arguments = ["--bind", bind or _ANY_PORT, "--workers", str(workers), "--wait", str(patience_s)]
    process = RoleProcess("master", *arguments, line=theirs)
    master = _Master(ours, "this machine", process, patient=bind is not None)
    try:
        port = master.greeting["port"]
        if bind is None:
            for _ in range(workers):
                master.processes.append(RoleProcess("worker", f"{_LOOPBACK}:{port}"))
    except BaseException:
        master.close()
        raise
    return master


class _Master:
    """A master, started here or not, and the workers that were started here."""

    def __init__(
        self, sock: socket.socket, where: str, process: RoleProcess | None = None, *, patient: bool = False
    ) -> None:
        self._where = where
        self._patient = patient
        self._process = process
        self._line = Line(sock, self._watch)
        self._bound: MemoryBound | None = None
        self.processes = [] if process is None else [process]
        try:
            self.greeting = self._greet()
        except BaseException:
            self.close()
            raise

    def _greet(self) -> dict[str, Any]:
        try:
            said = self._line.receive(time.monotonic() + _GREETING_S, at_most=_GREETING_BYTES)
            greeting: dict[str, Any] = json.loads(said)
        except EOFError as exc:
            raise self._lost("did not start" if self._process else "hung up") from exc
        except (TimeoutError, ValueError) as exc:
            raise LoadError(
                f"The Locust master at {self._where} does not answer.",
                hint="is this its control port, and does nobody else use it just now?",
            ) from exc
        if greeting["speaks"] != speaks():
            raise LoadError(
                f"The Locust master at {self._where} has {greeting['speaks']}; here is {speaks()}.",
                hint="install the same version on all machines",
            )
        return greeting

    def lives(self) -> bool:
        """Whether the master, and all that was started here, is still there."""
        return self._line.is_open() and all(process.exit_code is None for process in self.processes)

    def carry_out(self, order: Order, longest_s: float) -> LoadResult | Failure:
        """The reply to ``order``. Raises :class:`LoadError` if there is none after ``longest_s`` seconds."""
        deadline = time.monotonic() + longest_s
        self._bound = MemoryBound("Locust", order.load.users)
        try:
            self._line.send(pack_order(order), deadline)
            return unpack_reply(self._line.receive(deadline))
        except EOFError as exc:
            raise self._lost("was lost in the middle of a load") from exc
        except TimeoutError as exc:
            raise LoadError(f"The Locust workers were not done after {longest_s:.0f} s.") from exc

    def close(self) -> None:
        """Hang up, and end what was started here. Safe to call again."""
        self._line.close()
        if self._patient and self._process is not None:
            self._process.wait(_GOODBYE_S)
        for process in self.processes:
            process.kill()

    def _watch(self) -> None:
        """Raise :class:`LoadError` if a worker has ended, which the master would see only later.

        So it does if what was started here takes far more memory than its users need.
        """
        if self._bound is not None:
            self._bound.check(process.pid for process in self.processes)
        for process in self.processes:
            if process is not self._process and process.exit_code is not None:
                process.kill()
                name = f"{socket.gethostname()}/{process.pid}"
                why = f"The load worker {name} was lost (exit code {process.exit_code})."
                raise LoadError(why, evidence=process.last_words)

    def _lost(self, what: str) -> LoadError:
        if self._process is None:
            return LoadError(f"The Locust master at {self._where} {what}.")
        self._process.kill()
        why = f"The Locust master {what} (exit code {self._process.exit_code})."
        return LoadError(why, evidence=self._process.last_words)
