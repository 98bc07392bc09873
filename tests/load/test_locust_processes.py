"""The processes of the Locust engine: who joins whom, who is missed, and who ends with whom."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import pytest

import pytest_webbench
from pytest_webbench.load.locust import LocustEngine
from pytest_webbench.model.errors import LoadError

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, json_answer

RIGHT = json_answer(HELLO_JSON)
ROOT = Path(pytest_webbench.__file__).parents[1]
WAIT_S = 60


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


class Tell:
    """Says hello, and does something once, when ``number`` requests have come."""

    def __init__(self, number: int = 50) -> None:
        self.asked = threading.Event()
        self._number = number

    def do(self) -> None:
        self.asked.set()

    def __call__(self, server: Server, peer: Peer, number: int) -> None:
        if number == self._number:
            self.do()
        peer.send(RIGHT)


class Kill(Tell):
    """Sends ``signal_number`` to the process ``pid`` in the middle of a load."""

    def __init__(self, signal_number: int = signal.SIGKILL) -> None:
        super().__init__()
        self.pid = 0
        self._signal = signal_number

    def do(self) -> None:
        os.kill(self.pid, self._signal)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def run_role(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The documented command, which must have ended by itself or be killed."""
    command = [sys.executable, "-m", "pytest_webbench.load.locust", *arguments]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_gone(pids: tuple[int, ...]) -> None:
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=WAIT_S)
    assert alive == []


# Workers and a master that the engine starts.


def test_workers_that_are_killed_between_loads_and_in_one() -> None:
    """Between loads all are replaced; in a load the worker is named, and the others end."""
    with closing(LocustEngine(workers=2)) as engine:
        with Server(say_hello) as server:
            engine.run(make_load(requests=2), server.url)
            pids = engine.pids
            os.kill(pids[1], signal.SIGKILL)
            os.waitid(os.P_PID, pids[1], os.WEXITED | os.WNOWAIT)
            assert engine.run(make_load(requests=5), server.url).ok == 5
        others = engine.pids
        assert len(others) == 3
        assert not set(others) & set(pids)
        killer = Kill()
        killer.pid = others[-1]
        with Server(killer) as server:
            with pytest.raises(
                LoadError, match=rf"The load worker .*/{killer.pid} was lost \(exit code -9\)"
            ):
                engine.run(make_load(users=4, duration_s=600), server.url)
            server.wait()  # the other worker has let go of its connections, too
        assert engine.pids == ()
        assert_gone(pids + others)
        engine.close()  # once more, which is safe


def test_a_killed_master_ends_the_load() -> None:
    with closing(LocustEngine()) as engine:
        with Server(say_hello) as server:
            engine.run(make_load(requests=2), server.url)
        pids = engine.pids
        killer = Kill()
        killer.pid = pids[0]
        with Server(killer) as server:
            with pytest.raises(LoadError, match=r"The Locust master was lost .* \(exit code -9\)"):
                engine.run(make_load(users=4, duration_s=600), server.url)
            server.wait()
        assert_gone(pids)


def test_ctrl_c_ends_the_load() -> None:
    assert threading.current_thread() is threading.main_thread()
    killer = Kill(signal.SIGINT)
    killer.pid = os.getpid()
    with closing(LocustEngine()) as engine, Server(killer) as server:
        with pytest.raises(KeyboardInterrupt):
            engine.run(make_load(users=3, duration_s=600), server.url)
        server.wait()
        assert engine.pids == ()


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_webbench.load.locust import LocustEngine
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Amount, Load

def load(**amount):
    exchange = Exchange(request=Request(), answer=Answer())
    return Load(users=3, amount=Amount(**amount), exchanges=(exchange,))

engine = LocustEngine(**eval(sys.argv[3]))
engine.run(load(requests=2), sys.argv[2])
print(*engine.pids, flush=True)
engine.run(load(duration_s=600), sys.argv[2])
"""


def start_parent(url: str, **arguments: object) -> "subprocess.Popen[str]":
    """A process that makes load until it is killed, by an engine made with ``arguments``."""
    command = [sys.executable, "-c", PARENT, str(ROOT), url, repr(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_all_processes_die_with_the_one_that_started_them() -> None:
    tell = Tell()
    with Server(tell) as server, start_parent(server.url, workers=1) as parent:
        assert parent.stdout is not None
        pids = tuple(map(int, parent.stdout.readline().split()))
        assert len(pids) == 2
        assert tell.asked.wait(WAIT_S)
        parent.kill()
        server.wait()  # else the worker would hold its connections for ten minutes
        assert_gone(pids)


# Workers that join from elsewhere.


def test_workers_started_by_the_documented_command_join_stay_and_are_missed() -> None:
    """They are there before the master, serve load after load, and go with it. One that stops is missed,
    so is one that ends, and another takes its place."""
    address = f"127.0.0.1:{free_port()}"
    engine = LocustEngine(workers=2, bind=address)
    with run_role("worker", address) as one, run_role("worker", address) as two:
        try:
            with Server(say_hello) as server:
                for requests in (4, 101):
                    result = engine.run(make_load(users=4, requests=requests), server.url)
                    assert (result.sent, result.ok, unaccounted(result)) == (requests, requests, 0)
                assert server.requests == 105
            assert len(engine.pids) == 1
            with run_role("worker", address) as three:
                for lost, how in ((two, signal.SIGSTOP), (three, signal.SIGTERM)):
                    killer = Kill(how)
                    killer.pid = lost.pid
                    with Server(killer) as server:
                        with pytest.raises(LoadError, match=rf"The load worker .*/{lost.pid} was lost"):
                            engine.run(make_load(users=2, duration_s=600), server.url)
                        lost.kill()
                        server.wait()  # the other worker has stopped
        finally:
            engine.close()
        assert one.wait(WAIT_S) == 0


ALTERED = """
import sys
from pytest_webbench.load.locust import messages
exec(sys.argv.pop(1))
from pytest_webbench.load.locust.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
HISTOGRAMS = """
import pytest_webbench.load.locust.worker
from pytest_webbench.load.locust import accounts
accounts._EXACT_MOST = 100
"""
OTHER_VERSION = 'messages.protocol_version = lambda: "pytest-webbench 0.0, little-endian"'


def start_altered_worker(alteration: str, address: str) -> "subprocess.Popen[str]":
    """A worker in which ``alteration`` is executed first."""
    command = [sys.executable, "-c", ALTERED, alteration, "worker", address]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def test_workers_that_are_missing_or_of_another_version_and_times_as_a_histogram() -> None:
    """A histogram here from 100 requests on; a real worker keeps thousands one by one."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    with ExitStack() as stack:
        engine = stack.enter_context(closing(LocustEngine(bind=address, join_timeout_s=0.5)))
        with pytest.raises(LoadError, match=r"0 of 1 load workers joined") as caught:
            engine.run(make_load(requests=1), "http://127.0.0.1:9")
        assert f"python -m pytest_webbench.load.locust worker HOST:{port}" in caught.value.hint

        stranger = stack.enter_context(start_altered_worker(OTHER_VERSION, address))
        stack.callback(stranger.kill)
        assert stranger.wait(WAIT_S) == 0
        with pytest.raises(LoadError, match="A load worker was refused") as caught:
            engine.run(make_load(requests=1), "http://127.0.0.1:9")
        assert f"/{stranger.pid} has pytest-webbench 0.0" in caught.value.evidence

        worker = stack.enter_context(start_altered_worker(HISTOGRAMS, address))
        stack.callback(worker.kill)
        assert worker.stdout is not None
        assert "joined the master" in worker.stdout.readline()
        with Server(say_hello) as server:
            result = engine.run(make_load(users=2, requests=1001), server.url)
        assert (result.ok, len(result.latency_ns), len(result.ttfb_ns)) == (1001, 1001, 1001)
        assert 0 < result.ttfb_ns.min_ns <= result.latency_ns.max_ns < 60e9
        assert 0 < result.latency_ns.relative_error < 0.01


def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        engine = LocustEngine(bind=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(LoadError, match=r"The Locust master did not start") as caught:
            engine.run(make_load(requests=1), "http://127.0.0.1:9")
    assert "in use" in caught.value.evidence


def test_workers_from_elsewhere_stop_when_the_engine_is_killed() -> None:
    address = f"127.0.0.1:{free_port()}"
    tell = Tell()
    with run_role("worker", address) as worker, Server(tell) as server:
        with start_parent(server.url, workers=1, bind=address) as parent:
            assert parent.stdout is not None
            (master,) = map(int, parent.stdout.readline().split())
            assert tell.asked.wait(WAIT_S)
            parent.kill()
        server.wait()
        assert worker.wait(WAIT_S) == 0
        assert_gone((master,))


def test_a_worker_that_finds_no_master_gives_up() -> None:
    with run_role("worker", f"127.0.0.1:{free_port()}", "--wait", "0.5") as worker:
        assert worker.wait(WAIT_S) == 1


# A master that somebody has started.


def test_engines_join_a_master_one_after_the_other() -> None:
    """One hangs up, one is killed in a load, and one stays until the master is replaced by another."""
    control, joining = (f"127.0.0.1:{free_port()}" for _ in range(2))
    arguments = ["--bind", joining, "--control", control, "--workers", "1"]
    engine = LocustEngine(master=control)
    for killed in (True, False):
        with run_role("master", *arguments) as master, run_role("worker", joining) as worker:
            assert master.stdout is not None
            assert re.findall(r"127\.0\.0\.1:\d+", master.stdout.readline()) == [joining, control]
            if killed:
                tell = Tell()
                with Server(tell) as server, start_parent(server.url, master=control) as parent:
                    assert tell.asked.wait(WAIT_S)
                    parent.kill()
                    server.wait()
                with Server(say_hello) as server, closing(LocustEngine(master=control)) as before:
                    assert before.run(make_load(users=4, requests=50), server.url).ok == 50
                    assert before.run(make_load(users=4, requests=7), server.url).ok == 7
                    assert before.pids == ()
            with Server(say_hello) as server:
                result = engine.run(make_load(requests=20), server.url)
                assert (result.sent, result.ok, server.requests) == (20, 20, 20)
            master.terminate()
            assert master.wait(WAIT_S) == 130
            assert worker.wait(WAIT_S) == 0
    engine.close()


def test_a_port_of_somebody_else() -> None:
    with Server(say_hello, greeting=lambda peer: peer.send(b"220 welcome, I am no master")) as server:
        address = server.url.removeprefix("http://")
        with pytest.raises(LoadError, match=f"The Locust master at {address} does not answer"):
            LocustEngine(master=address).run(make_load(requests=1), "http://127.0.0.1:9")


def test_a_master_that_is_not_there() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(LoadError, match=f"No Locust master can be reached at {address}"):
        LocustEngine(master=address).run(make_load(requests=1), "http://127.0.0.1:9")
