"""The master: shares a load between workers, starts them together, and puts their results together.

Started by :class:`~pytest_webbench.load.locust.engine.LocustEngine` with a socket as standard input, or by
hand, and then it waits for engines on its control port. What it says there, and understands, are the frames
of :mod:`pytest_webbench.load.native.frames`: first a greeting in JSON, then a reply to each order.
"""

import json
import os
import signal
import time
import traceback
from typing import Any, NamedTuple

import gevent
from gevent import socket
from gevent.queue import Empty, Queue
from locust import runners
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_MISSING, MasterRunner

from pytest_webbench.load.locust.messages import (
    HEARTBEAT_S,
    HELLO,
    MISSED_BEATS,
    ORDER,
    READY,
    RESULT,
    START,
    STOP,
    speaks,
)
from pytest_webbench.load.native.frames import (
    LENGTH,
    Failure,
    Order,
    frame,
    pack_order,
    pack_reply,
    unpack_order,
    unpack_reply,
)
from pytest_webbench.load.partition import merge, share
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import LoadResult

__all__ = ["lead"]

_LOOK_S = 0.1
"""How often it is looked whether all workers are there."""
_ORPHAN_S = 1.0


def lead(bind: tuple[str, int], control: tuple[str, int] | None, *, workers: int, patience_s: float) -> int:
    """Wait for workers at ``bind`` and for engines at ``control``; the exit code of the process.

    Without ``control``, standard input is a socket to the one engine there is, and this ends with it.
    """
    runners.HEARTBEAT_INTERVAL = HEARTBEAT_S  # type: ignore[assignment]
    runners.HEARTBEAT_LIVENESS = MISSED_BEATS
    runner = Environment(user_classes=[]).create_master_runner(*bind)
    crew = _Crew(runner, wanted=workers, patience_s=patience_s)
    gevent.signal_handler(signal.SIGTERM, _interrupt)
    try:
        if control is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
            gevent.spawn(_end_with, os.getppid(), runner)
            _serve(socket.socket(fileno=os.dup(0)), crew)
        else:
            _listen(control, bind[0], crew)
    except KeyboardInterrupt:
        return 130
    finally:
        runner.quit()
    return 0


def _interrupt() -> None:
    raise KeyboardInterrupt  # which gevent raises in the main greenlet


def _end_with(parent: int, runner: MasterRunner) -> None:
    """End with the parent, also where somebody else holds the other end of the socket."""
    while os.getppid() == parent:
        gevent.sleep(_ORPHAN_S)
    runner.quit()
    os._exit(1)


def _listen(control: tuple[str, int], host: str, crew: "_Crew") -> None:
    """Serve one engine after the other."""
    with socket.create_server(control) as listener:
        at = "{}:{}".format(*listener.getsockname()[:2])
        print(f"workers join at {host}:{crew.port}; engines, one at a time, at {at}", flush=True)
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            _serve(connection, crew)


def _serve(connection: socket.socket, crew: "_Crew") -> None:
    """Carry out the orders that come, until the connection ends."""
    with connection:
        try:
            greeting = {"speaks": speaks(), "port": crew.port, "workers": crew.wanted}
            connection.sendall(frame(json.dumps(greeting).encode()))
            while (payload := _read_frame(connection)) is not None:
                reply = _carry_out_while(connection, crew, payload)
                if reply is None:
                    return
                connection.sendall(frame(pack_reply(reply)))
        except OSError:  # the engine is gone, and with it whoever wants to know
            return


def _carry_out_while(connection: socket.socket, crew: "_Crew", payload: bytes) -> LoadResult | Failure | None:
    """The reply to the order in ``payload``; ``None``, and no load any more, if the engine goes meanwhile."""
    work = gevent.spawn(_carry_out, crew, payload)
    gone = gevent.spawn(_wait_for_end, connection)
    both: list[gevent.Greenlet[..., Any]] = [work, gone]
    gevent.joinall(both, count=1)
    gone.kill()
    if work.ready():
        return work.get()
    work.kill()
    return None


def _wait_for_end(connection: socket.socket) -> None:
    """An engine says nothing during a load: what can be read then is the end."""
    try:
        connection.recv(1)
    except OSError:
        return


def _carry_out(crew: "_Crew", payload: bytes) -> LoadResult | Failure:
    try:
        return crew.carry_out(unpack_order(payload))
    except LoadError as exc:
        return Failure(message=exc.message, evidence=exc.evidence, hint=exc.hint)
    except Exception:
        return Failure(message="The Locust master failed.", evidence=traceback.format_exc())


def _read_frame(connection: socket.socket) -> bytes | None:
    """The next frame, or ``None`` at the end of the connection."""
    length = _read(connection, LENGTH.size)
    return None if length is None else _read(connection, LENGTH.unpack(length)[0])


def _read(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 2**20))
        if not piece:
            return None
        data += piece
    return bytes(data)


class _News(NamedTuple):
    """What a worker said of a load."""

    worker: str
    kind: str
    data: dict[str, Any]


class _Crew:
    """The workers that have joined, and the loads that they carry out together."""

    def __init__(self, runner: MasterRunner, *, wanted: int, patience_s: float) -> None:
        self.wanted = wanted
        self._patience_s = patience_s
        self._runner = runner
        self._names: dict[str, str] = {}
        self._refused: list[str] = []
        self._news: Queue[_News] = Queue()
        self._load = 0
        runner.register_message(HELLO, self._joined)
        runner.register_message(READY, self._said)
        runner.register_message(RESULT, self._said)

    @property
    def port(self) -> int:
        """The port at which workers join."""
        return int(self._runner.server.port)

    def carry_out(self, order: Order) -> LoadResult:
        """Share ``order`` between the workers.

        Raises :class:`LoadError` if there are too few, one fails, or one is lost on the way.
        """
        members = self._gather()
        shares = share(order.load, len(members))
        members = members[: len(shares)]
        self._load += 1
        try:
            for member, part in zip(members, shares, strict=True):
                packed = pack_order(Order(load=part.load, base_url=order.base_url))
                self._tell(ORDER, member, order=packed)
            self._await_ready(members)
            for member in members:
                self._tell(START, member)
            results = self._await_results(members)
        except BaseException:
            for member in members:
                self._tell(STOP, member)
            raise
        return merge([(part, results[member]) for part, member in zip(shares, members, strict=True)])

    # What the runner hears.

    def _joined(self, msg: Message, **_: Any) -> None:
        name, theirs = str(msg.data["name"]), str(msg.data["speaks"])
        if theirs == speaks():
            self._names[msg.node_id] = name
            return
        self._refused.append(f"{name} has {theirs}; the master has {speaks()}")
        self._runner.send_message("quit", client_id=msg.node_id)

    def _said(self, msg: Message, **_: Any) -> None:
        if msg.node_id in self._runner.clients:  # heartbeats wait behind a long reply
            self._runner.clients[msg.node_id].heartbeat = MISSED_BEATS
        if msg.data["load"] == self._load:
            self._news.put(_News(msg.node_id, msg.type, msg.data))

    # The parts of a load.

    def _gather(self) -> list[str]:
        """As many workers as are wanted, those first that joined first."""
        deadline = time.monotonic() + self._patience_s
        while len(present := [worker for worker in self._names if self._lives(worker)]) < self.wanted:
            if self._refused:
                evidence, self._refused = "\n".join(self._refused), []
                hint = "install the same version on all machines"
                raise LoadError("A load worker was refused.", evidence=evidence, hint=hint)
            if time.monotonic() > deadline:
                raise LoadError(
                    f"{len(present)} of {self.wanted} load workers joined within {self._patience_s:g} s.",
                    hint=f"start more: python -m pytest_webbench.load.locust worker HOST:{self.port}, "
                    "where HOST is the machine of the master",
                )
            gevent.sleep(_LOOK_S)
        return present[: self.wanted]

    def _lives(self, worker: str) -> bool:
        node = self._runner.clients.get(worker)
        return node is not None and node.state != STATE_MISSING

    def _tell(self, kind: str, worker: str, **data: Any) -> None:
        self._runner.send_message(kind, {"load": self._load, **data}, worker)

    def _await_ready(self, members: list[str]) -> None:
        pending = set(members)
        while pending:
            news = self._next(pending)
            if news is None:
                continue
            if news.kind == RESULT:
                self._complete(news.worker, news.data["piece"])
            pending.discard(news.worker)

    def _await_results(self, members: list[str]) -> dict[str, LoadResult]:
        pending = set(members)
        pieces: dict[str, bytearray] = {member: bytearray() for member in members}
        results = {}
        while pending:
            news = self._next(pending)
            if news is None or news.kind != RESULT:
                continue
            pieces[news.worker] += news.data["piece"]
            if news.data["last"]:
                results[news.worker] = self._complete(news.worker, bytes(pieces.pop(news.worker)))
                pending.discard(news.worker)
        return results

    def _next(self, pending: set[str]) -> _News | None:
        """What one of the workers said; ``None`` if none did for a moment.

        Raises :class:`LoadError` if one of ``pending`` is lost.
        """
        for worker in pending:
            if not self._lives(worker):
                raise LoadError(
                    f"The load worker {self._names[worker]} was lost in the middle of a load.",
                    evidence=f"it missed {MISSED_BEATS} heartbeats, {HEARTBEAT_S:g} s apart, or said goodbye",
                    hint="see what it printed, and start it again",
                )
        try:
            return self._news.get(timeout=_LOOK_S)
        except Empty:
            return None

    def _complete(self, worker: str, reply: bytes) -> LoadResult:
        """The result in ``reply``. Raises :class:`LoadError` if the worker failed."""
        result = unpack_reply(reply)
        if isinstance(result, Failure):
            evidence = result.evidence or f"in worker {self._names[worker]}"
            raise LoadError(result.message, evidence=evidence, hint=result.hint)
        return result
