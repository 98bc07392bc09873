"""The master: splits a load between workers, starts them together, and merges their results.

Started by :class:`~pytest_webbench.load.locust.engine.LocustEngine` with a socket as standard input, or by
hand; then it waits for engines on its control port. It greets an engine in JSON, and then replies to each
job, both packed as in :mod:`pytest_webbench.load.frames`.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import gevent
from gevent import socket
from gevent.queue import Empty, Queue
from gevent.socket import wait_read
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner

from pytest_webbench.load.frames import (
    Failure,
    LoadJob,
    pack_job,
    pack_reply,
    unpack_job,
    unpack_reply,
)
from pytest_webbench.load.locust.messages import HELLO, JOB, READY, RESULT, START, STOP, protocol_version
from pytest_webbench.load.partition import merge, partition
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import LoadResult

__all__ = ["run_master"]

_LOOK_S = 0.1
"""How often to check whether all workers are there, in seconds."""
_ORPHAN_S = 1.0
_MOST_BYTES = 2**30


def run_master(
    bind: tuple[str, int], control: tuple[str, int] | None, *, workers: int, join_timeout_s: float
) -> int:
    """Wait for workers at ``bind`` and for engines at ``control``; return the exit code of the process.

    Without ``control``, standard input is a socket to the only engine, and the master ends with it.
    """
    runner = Environment(user_classes=[]).create_master_runner(*bind)
    pool = _WorkerPool(runner, wanted=workers, join_timeout_s=join_timeout_s)
    gevent.signal_handler(signal.SIGTERM, _interrupt)
    try:
        if control is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
            gevent.spawn(_end_with, os.getppid(), runner)
            _serve(os.dup(0), pool)
        else:
            _listen(control, bind[0], pool)
    except KeyboardInterrupt:
        return 130
    finally:
        runner.quit()
    return 0


def _interrupt() -> None:
    raise KeyboardInterrupt  # which gevent raises in the main greenlet


def _end_with(parent: int, runner: MasterRunner) -> None:
    """End with the parent, even if another process holds the other end of the socket."""
    while os.getppid() == parent:
        gevent.sleep(_ORPHAN_S)
    runner.quit()
    os._exit(1)


def _listen(control: tuple[str, int], host: str, pool: "_WorkerPool") -> None:
    """Serve one engine after the other."""
    with socket.create_server(control) as listener:
        at = "{}:{}".format(*listener.getsockname()[:2])
        print(f"workers join at {host}:{pool.port}; engines, one at a time, at {at}", flush=True)
        while True:
            accepted, _ = listener.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            _serve(accepted.detach(), pool)


def _serve(descriptor: int, pool: "_WorkerPool") -> None:
    """Carry out the jobs that arrive, until the connection ends."""
    os.set_blocking(descriptor, True)  # gevent does the waiting; what follows arrives whole
    with closing(Connection(descriptor)) as connection, suppress(EOFError, OSError):
        greeting = {"version": protocol_version(), "port": pool.port}
        connection.send_bytes(json.dumps(greeting).encode())
        while True:
            wait_read(descriptor)
            work: gevent.Greenlet[..., bytes] = gevent.spawn(_reply, pool, connection.recv_bytes(_MOST_BYTES))
            # An engine sends nothing during a load: readable then means closed.
            gone = gevent.spawn(wait_read, descriptor)
            both: list[gevent.Greenlet[..., Any]] = [work, gone]
            gevent.joinall(both, count=1)
            gone.kill()
            if not work.ready():
                work.kill()
                return
            connection.send_bytes(work.get())


def _reply(pool: "_WorkerPool", job: bytes) -> bytes:
    try:
        return pack_reply(pool.carry_out(unpack_job(job)))
    except Exception as exc:
        return pack_reply(Failure.of(exc, "Locust master"))


class _WorkerPool:
    """The workers that have joined, and the loads that they carry out together."""

    def __init__(self, runner: MasterRunner, *, wanted: int, join_timeout_s: float) -> None:
        self._wanted = wanted
        self._join_timeout_s = join_timeout_s
        self._runner = runner
        self._names: dict[str, str] = {}
        self._refused: list[str] = []
        self._news: Queue[tuple[str, bytes | None]] = Queue()
        """Each worker's message about the load, with its result; ``None`` if it is ready to start."""
        self._load = 0
        runner.register_message(HELLO, self._joined)
        runner.register_message(READY, self._told)
        runner.register_message(RESULT, self._told)

    @property
    def port(self) -> int:
        """The port at which workers join."""
        return int(self._runner.server.port)

    def carry_out(self, job: LoadJob) -> LoadResult:
        """Split ``job`` between the workers and return the merged result.

        Raises :class:`LoadError` if there are too few workers, or one fails or is lost on the way.
        """
        members = self._gather()
        parts = dict(zip(members, partition(job.load, len(members)), strict=False))
        self._load += 1
        try:
            for member, part in parts.items():
                self._tell(JOB, member, job=pack_job(LoadJob(load=part.load, base_url=job.base_url)))
            self._await_each(parts)
            for member in parts:
                self._tell(START, member)
            results = self._await_each(parts)
        except BaseException:
            for member in parts:
                self._tell(STOP, member)
            raise
        return merge([(part, results[member]) for member, part in parts.items()])

    # Messages to the runner.

    def _joined(self, msg: Message, **_: Any) -> None:
        name, version = str(msg.data["name"]), str(msg.data["version"])
        if version == protocol_version():
            self._names[msg.node_id] = name
            return
        self._refused.append(f"{name} has {version}; the master has {protocol_version()}")
        self._runner.send_message("quit", client_id=msg.node_id)

    def _told(self, msg: Message, **_: Any) -> None:
        if msg.data["load"] == self._load:
            self._news.put((msg.node_id, msg.data.get("reply")))

    # The parts of a load.

    def _gather(self) -> list[str]:
        """Wait for as many workers as are wanted, and return them in the order in which they joined."""
        deadline = time.monotonic() + self._join_timeout_s
        while len(present := [worker for worker in self._names if self._lives(worker)]) < self._wanted:
            if self._refused:
                evidence, self._refused = "\n".join(self._refused), []
                hint = "install the same version on all machines"
                raise LoadError("A load worker was refused.", evidence=evidence, hint=hint)
            if time.monotonic() > deadline:
                within = f"within {self._join_timeout_s:g} s"
                raise LoadError(
                    f"{len(present)} of {self._wanted} load workers joined {within}.",
                    hint=f"start more: python -m pytest_webbench.load.locust worker HOST:{self.port}, "
                    "where HOST is the machine of the master",
                )
            gevent.sleep(_LOOK_S)
        return present[: self._wanted]

    def _lives(self, worker: str) -> bool:
        node = self._runner.clients.get(worker)
        return node is not None and node.state != STATE_MISSING

    def _tell(self, kind: str, worker: str, **data: Any) -> None:
        self._runner.send_message(kind, {"load": self._load, **data}, worker)

    def _await_each(self, workers: Iterable[str]) -> dict[str, Any]:
        """Return the next message of each of ``workers``: its result, or that it is ready.

        Raises :class:`LoadError` if one fails or is lost.
        """
        pending, said = set(workers), {}
        while pending:
            for worker in pending:
                if not self._lives(worker):
                    raise LoadError(
                        f"The load worker {self._names[worker]} was lost in the middle of a load.",
                        evidence="the master has not heard from it for seconds, or it said goodbye",
                        hint="see what it printed, and start it again",
                    )
            with suppress(Empty):
                worker, reply = self._news.get(timeout=_LOOK_S)
                said[worker] = reply and unpack_reply(reply)
                if isinstance(failure := said[worker], Failure):
                    raise replace(
                        failure, evidence=failure.evidence or f"in worker {self._names[worker]}"
                    ).error()
                pending.discard(worker)
        return said
