"""A worker: joins a master, and carries out its share of load after load until the master goes.

Run as ``python -m pytest_webbench.load.locust worker HOST:PORT``. Only this module and the master's import
Locust, which puts gevent in place of the sockets and threads of the whole process as it is imported; so
nothing imports from them.
"""

import os
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from time import perf_counter_ns
from typing import Any

import gevent
from gevent.event import Event
from gevent.os import tp_read
from locust import User, runners, task
from locust.env import Environment
from locust.exception import StopUser
from locust.rpc import Message
from locust.runners import WorkerRunner

from pytest_webbench.load.locust.messages import (
    HEARTBEAT_S,
    HELLO,
    ORDER,
    PIECE,
    READY,
    RESULT,
    START,
    STOP,
    WITHOUT_MASTER_S,
    speaks,
)
from pytest_webbench.load.locust.run import Run
from pytest_webbench.load.locust.users import make_user
from pytest_webbench.load.native.frames import Failure, pack_reply, unpack_order
from pytest_webbench.load.native.worker import end_with, raise_open_files
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import LoadResult

__all__ = ["work"]

_MOST_TRIES = 100
_CLOSING_S = 10.0
_LINGER_MS = 500
"""How long the last word to the master may take."""


class _Environment(Environment):
    """Locust's environment, and the load that its users take part in."""

    run: Run


class _User(User):
    """A Locust user with one task, which lasts for a whole load."""

    environment: _Environment

    @task
    def take_part(self) -> None:
        """Send requests from the beginning of the load to its end."""
        make_user(self.environment.run).take_part()
        raise StopUser


def work(host: str, port: int, *, patience_s: float, supervised: bool) -> int:
    """Serve the master at ``host`` and ``port`` until it goes; the exit code of the process.

    Tries for ``patience_s`` seconds to reach it. A ``supervised`` worker ends with its parent.
    """
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        end_with(os.getppid())
        gevent.spawn(_end_with_input)
    raise_open_files()
    runners.HEARTBEAT_INTERVAL = HEARTBEAT_S  # type: ignore[assignment]
    runners.MASTER_HEARTBEAT_TIMEOUT = WITHOUT_MASTER_S  # type: ignore[assignment]
    runners.CONNECT_TIMEOUT = max(1.0, patience_s / _MOST_TRIES)  # type: ignore[assignment]
    runners.CONNECT_RETRY_COUNT = int(patience_s / runners.CONNECT_TIMEOUT)
    environment = _Environment(user_classes=[_User], catch_exceptions=False)
    try:
        runner = environment.create_worker_runner(host, port)
    except ConnectionError:
        print(f"No master answered at {host}:{port} within {patience_s:g} s.", file=sys.stderr)
        return 1
    return _serve(environment, runner)


def _serve(environment: _Environment, runner: WorkerRunner) -> int:
    """Wait for orders until the master goes, or somebody ends this process."""
    runner.last_heartbeat_timestamp = time.time()  # else a master is not missed that never answered one
    agent = _Agent(environment, runner)
    gevent.signal_handler(signal.SIGTERM, _interrupt)
    agent.say_hello()
    print(f"joined the master at {runner.master_host}:{runner.master_port} as {_own_name()}", flush=True)
    try:
        runner.greenlet.join()
        lost = time.time() - runner.last_heartbeat_timestamp > WITHOUT_MASTER_S
    except KeyboardInterrupt:
        environment.events.quitting.fire(environment=environment)  # type: ignore[no-untyped-call]
        code = 130
    else:
        print(f"The master {'was lost' if lost else 'has let go of this worker'}.", file=sys.stderr)
        code = int(lost)
    runner.client.close(linger=_LINGER_MS)  # type: ignore[no-untyped-call]
    return code


def _own_name() -> str:
    """What people know this worker by."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _interrupt() -> None:
    raise KeyboardInterrupt  # which gevent raises in the main greenlet


class _Agent:
    """Does what the master asks for, one load at a time."""

    def __init__(self, environment: _Environment, runner: WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._number = 0
        self._start = Event()
        runner.register_message(ORDER, self._ordered)
        runner.register_message(START, self._started)
        runner.register_message(STOP, self._stopped)

    def say_hello(self) -> None:
        """Tell the master who this is."""
        self._runner.send_message(HELLO, {"name": _own_name(), "speaks": speaks()})

    def _ordered(self, msg: Message, **_: Any) -> None:
        self._abandon()
        self._number = msg.data["load"]
        self._start.clear()
        self._greenlet = gevent.spawn(self._carry_out, msg.data["load"], msg.data["order"])

    def _started(self, msg: Message, **_: Any) -> None:
        if msg.data["load"] == self._number:
            self._start.set()

    def _stopped(self, msg: Message, **_: Any) -> None:
        if msg.data["load"] == self._number:
            self._abandon()

    def _abandon(self) -> None:
        """Let no load go on."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _carry_out(self, number: int, payload: bytes) -> None:
        try:
            reply = self._result(number, payload)
        except LoadError as exc:
            reply = Failure(message=exc.message, evidence=exc.evidence, hint=exc.hint)
        except Exception:
            reply = Failure(message="The load generator failed.", evidence=traceback.format_exc())
        self._send(number, pack_reply(reply))

    def _result(self, number: int, payload: bytes) -> LoadResult | Failure:
        self._environment.run = run = Run(unpack_order(payload))
        try:
            self._runner.spawn_users({_User.__name__: run.load.users})
            run.gather()
            self._runner.send_message(READY, {"load": number})
            self._start.wait()
            return run.carry_out()
        finally:
            run.stop(perf_counter_ns())
            self._runner.user_greenlets.kill(timeout=_CLOSING_S)

    def _send(self, number: int, reply: bytes) -> None:
        for begin in range(0, len(reply), PIECE):
            last = begin + PIECE >= len(reply)
            data: dict[str, Any] = {"load": number, "piece": reply[begin : begin + PIECE], "last": last}
            self._runner.send_message(RESULT, data)
            gevent.sleep(0)  # for heartbeats


def _end_with_input() -> None:
    """End this process with its standard input, which is its parent's to close."""
    with suppress(OSError):
        while tp_read(0, 1):
            pass
    os._exit(1)
