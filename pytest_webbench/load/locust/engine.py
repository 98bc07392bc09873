"""The part of the Locust engine inside pytest; nothing of Locust is imported here."""

import json
import socket
import struct
import time
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection
from typing import Any

from pytest_webbench.load.frames import Failure, LoadJob, pack_job, unpack_reply
from pytest_webbench.load.generator import GeneratorProcess, MemoryBound, longest_s
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.locust.messages import parse_address, protocol_version
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.load import ConnectionProbe, Load, LoadResult, nothing

__all__ = ["LocustEngine"]

_PROGRAM = "pytest_webbench.load.locust.__main__"
_LOOPBACK = "127.0.0.1"
_GREETING_S = 30
_GREETING_BYTES = 2**16
_LOOK_S = 0.1
_GOODBYE_S = 3.0
"""How long a master may take to dismiss workers that were started by hand."""


class LocustEngine:
    """Makes load with Locust, with any number of workers, on one machine or on several.

    * ``LocustEngine(workers=4)`` starts a master and four workers on this machine.
    * ``LocustEngine(workers=4, bind="0.0.0.0:5557")`` starts only a master, and waits until four workers
      have joined it, each started by ``python -m pytest_webbench.load.locust worker HOST:5557``.
    * ``LocustEngine(master="HOST:5558")`` joins a master that was started, with its workers, by
      ``python -m pytest_webbench.load.locust master``, at its control port.

    Users are spread over the workers as evenly as possible. A load waits ``join_timeout_s`` seconds for
    missing workers. The ports have no authentication and belong in a trusted network.

    If :meth:`run` is left by an exception, including Ctrl-C, the load ends. All processes that this engine
    has started end with the process that started it, however that ends. Not for use by several threads at
    once; on Linux workers end with the *thread* that started them.
    """

    name = "locust"

    def __init__(
        self,
        workers: int = 1,
        *,
        bind: str | None = None,
        master: str | None = None,
        join_timeout_s: float = 60.0,
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
        self._join_timeout_s = join_timeout_s
        self._master: _Master | None = None

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,  # noqa: ARG002
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Run ``load`` against the server at ``base_url``, such as ``http://192.0.2.1:8000/api``.

        Raises :class:`LoadError` if Locust is not installed, too few workers join, a worker is lost, the
        load is invalid, or it exceeds the longest time that it can take.
        """
        Target.parse(base_url)
        if self._master is not None and not self._master.lives():
            self.close()
        try:
            if self._master is None:
                self._master = self._get_master()
            before_start()
            allowed_s = longest_s(load) + self._join_timeout_s
            reply = self._master.carry_out(LoadJob(load=load, base_url=base_url), allowed_s)
        except BaseException:
            self.close()
            raise
        if isinstance(reply, Failure):  # of this load only; the workers have cancelled it and continue
            raise reply.error()
        return reply

    def close(self) -> None:
        """Stop what was started, or disconnect.

        Safe to call again; the next load starts or joins another master.
        """
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
        ours, theirs = socket.socketpair()
        with theirs:
            bind = self._bind or f"{_LOOPBACK}:0"
            options = ["--workers", str(self._workers), "--wait", str(self._join_timeout_s), "--supervised"]
            process = GeneratorProcess(_PROGRAM, "master", "--bind", bind, *options, stdin=theirs.fileno())
        master = _Master(ours, "this machine", process, has_guests=self._bind is not None)
        if self._bind is None:
            master.start_workers(self._workers)
        return master


def _check_address(text: str) -> None:
    try:
        parse_address(text)
    except ValueError as exc:
        raise UsageError(f"The address {exc}.", hint="give an address such as 0.0.0.0:5557") from exc


def _call(address: str) -> socket.socket:
    """Connect to the control port of a master."""
    try:
        sock = socket.create_connection(parse_address(address), timeout=_GREETING_S)
    except OSError as exc:
        raise LoadError(
            f"No Locust master can be reached at {address}: {exc}.",
            hint="start one: python -m pytest_webbench.load.locust master --workers N",
        ) from exc
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


class _Master:
    """A master, started here or elsewhere, and the workers that were started here."""

    def __init__(
        self,
        sock: socket.socket,
        where: str,
        process: GeneratorProcess | None = None,
        *,
        has_guests: bool = False,
    ) -> None:
        self._where = where
        self._has_guests = has_guests
        self._process = process
        self._bound: MemoryBound | None = None
        self.processes = [] if process is None else [process]
        sock.setblocking(True)
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # within one message
            sock.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", _GREETING_S, 0))
        self._connection = Connection(sock.detach())
        try:
            self._port = self._greet()["port"]
        except BaseException:
            self.close()
            raise

    def start_workers(self, count: int) -> None:
        """Start ``count`` workers beside the master."""
        try:
            for _ in range(count):
                at = f"{_LOOPBACK}:{self._port}"
                self.processes.append(GeneratorProcess(_PROGRAM, "worker", at, "--supervised"))
        except BaseException:
            self.close()
            raise

    def _greet(self) -> dict[str, Any]:
        try:
            greeting: dict[str, Any] = json.loads(self._receive(_GREETING_S, _GREETING_BYTES))
        except (EOFError, ConnectionError) as exc:
            raise self._lost("did not start" if self._process else "hung up") from exc
        except (OSError, ValueError) as exc:
            raise LoadError(
                f"The Locust master at {self._where} does not answer.",
                hint="is this its control port, and is no other run using it?",
            ) from exc
        if greeting["version"] != protocol_version():
            theirs, ours = greeting["version"], protocol_version()
            raise LoadError(
                f"The Locust master at {self._where} has {theirs}; here is {ours}.",
                hint="install the same version on all machines",
            )
        return greeting

    def lives(self) -> bool:
        """Tell whether the master and all processes started here are alive; an idle master sends nothing."""
        return not self._connection.poll() and all(each.exit_code is None for each in self.processes)

    def carry_out(self, job: LoadJob, allowed_s: float) -> LoadResult | Failure:
        """Return the reply to ``job``.

        Raises :class:`LoadError` if there is none after ``allowed_s`` seconds.
        """
        self._bound = MemoryBound("Locust", job.load.users)
        try:
            self._connection.send_bytes(pack_job(job))
            return unpack_reply(self._receive(allowed_s))
        except TimeoutError as exc:
            raise LoadError(f"The Locust workers were not done after {allowed_s:.0f} s.") from exc
        except (EOFError, OSError) as exc:
            raise self._lost("was lost in the middle of a load") from exc

    def close(self) -> None:
        """Disconnect, and stop what was started here. Safe to call again."""
        self._connection.close()
        if self._has_guests and self._process is not None:
            self._process.wait(_GOODBYE_S)
        for process in self.processes:
            process.kill()

    def _receive(self, allowed_s: float, most: int | None = None) -> bytes:
        """Return the master's next message. Raises :class:`TimeoutError` after ``allowed_s`` seconds."""
        deadline = time.monotonic() + allowed_s
        while not self._connection.poll(_LOOK_S):
            self._watch()
            if time.monotonic() > deadline:
                raise TimeoutError
        return self._connection.recv_bytes(most)

    def _watch(self) -> None:
        """Raise :class:`LoadError` if a worker has ended, which the master would notice only later.

        Also if the processes started here use far more memory than their users need.
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
