"""A worker: joins a master, and carries out its part of load after load until the master goes.

Run as ``python -m pytest_webbench.load.locust worker HOST:PORT``. Only this module, its imports, and the
master's import Locust, which on import replaces the sockets and threads of the whole process with gevent's;
so no other module imports them.
"""

import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, cast

import gevent
from gevent.event import Event
from gevent.os import tp_read
from locust.rpc import Message
from locust.runners import MASTER_HEARTBEAT_TIMEOUT, WorkerRunner

from pytest_webbench.host.own_process import end_with, raise_open_files
from pytest_webbench.load.frames import Failure, pack_reply, unpack_job
from pytest_webbench.load.locust.accounts import Accounts
from pytest_webbench.load.locust.messages import HELLO, JOB, READY, RESULT, START, STOP, protocol_version
from pytest_webbench.load.locust.users import LoadEnvironment, WebbenchUser
from pytest_webbench.model.load import LoadResult

__all__ = ["run_worker"]

_CLOSING_S = 10.0
_LINGER_MS = 500
"""How long the last message to the master may take."""


def run_worker(host: str, port: int, *, join_timeout_s: float, supervised: bool) -> int:
    """Serve the master at ``host`` and ``port`` until it goes; return the exit code of the process.

    Tries to connect for ``join_timeout_s`` seconds. A ``supervised`` worker ends with its parent.
    """
    if supervised:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
        end_with(os.getppid())
        gevent.spawn(_end_with_input)
    raise_open_files()
    environment = LoadEnvironment(user_classes=[WebbenchUser], catch_exceptions=False)
    runner: WorkerRunner | None = None
    with suppress(TimeoutError), gevent.Timeout(join_timeout_s, TimeoutError):
        runner = environment.create_worker_runner(host, port)
    if runner is None:
        print(f"No master answered at {host}:{port} within {join_timeout_s:g} s.", file=sys.stderr)
        return 1
    return _serve(environment, runner)


def _serve(environment: LoadEnvironment, runner: WorkerRunner) -> int:
    """Wait for jobs until the master goes, or the process is told to end."""
    name = f"{socket.gethostname()}/{os.getpid()}"
    events: Any = environment.events
    _Jobs(environment, runner)
    gevent.signal_handler(signal.SIGTERM, _interrupt)
    runner.send_message(HELLO, {"name": name, "version": protocol_version()})
    print(f"joined the master at {runner.master_host}:{runner.master_port} as {name}", flush=True)
    try:
        runner.greenlet.join()
        heard_s = runner.last_heartbeat_timestamp or time.time()
        code = int(time.time() - heard_s > MASTER_HEARTBEAT_TIMEOUT)
    except KeyboardInterrupt:
        events.quitting.fire(environment=environment)
        code = 130
    else:
        print(f"The master {'was lost' if code else 'has let go of this worker'}.", file=sys.stderr)
    client: Any = runner.client
    client.close(linger=_LINGER_MS)
    return code


def _interrupt() -> None:
    raise KeyboardInterrupt  # which gevent raises in the main greenlet


class _Jobs:
    """Carries out the master's jobs, one load at a time."""

    def __init__(self, environment: LoadEnvironment, runner: WorkerRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._greenlet: gevent.Greenlet[..., None] | None = None
        self._number = 0
        self._start = Event()
        runner.register_message(JOB, self._take)
        runner.register_message(START, self._begin)
        runner.register_message(STOP, self._abandon)

    def _take(self, msg: Message, **_: Any) -> None:
        self._kill()
        self._number = msg.data["load"]
        self._start.clear()
        self._greenlet = gevent.spawn(self._carry_out, msg.data["load"], msg.data["job"])

    def _begin(self, msg: Message, **_: Any) -> None:
        if msg.data["load"] == self._number:
            self._start.set()

    def _abandon(self, msg: Message, **_: Any) -> None:
        if msg.data["load"] == self._number:
            self._kill()

    def _kill(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _carry_out(self, number: int, job: bytes) -> None:
        try:
            reply: LoadResult | Failure = self._result(number, job)
        except Exception as exc:
            reply = Failure.of(exc, "load generator")
        self._runner.send_message(RESULT, {"load": number, "reply": pack_reply(reply)})

    def _result(self, number: int, job: bytes) -> LoadResult:
        self._environment.accounts = accounts = Accounts(unpack_job(job))
        users, events = self._runner.user_greenlets, cast("Any", self._environment.events)
        listeners = ((events.request, accounts.on_request), (events.user_error, accounts.on_user_error))
        for event, listener in listeners:
            event.add_listener(listener)
        try:
            self._runner.spawn_users({WebbenchUser.__name__: accounts.load.users})
            accounts.gather()
            self._runner.send_message(READY, {"load": number})
            self._start.wait()
            return accounts.carry_out(users)
        finally:
            users.kill(timeout=_CLOSING_S)
            for event, listener in listeners:
                event.remove_listener(listener)


def _end_with_input() -> None:
    """End this process when the parent closes its standard input."""
    with suppress(OSError):
        while tp_read(0, 1):
            pass
    os._exit(1)
