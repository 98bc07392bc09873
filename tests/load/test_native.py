"""The native engine: its worker serves, dies and comes back."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_webbench
from pytest_webbench.load.frames import START_SIGNAL, LoadJob, frame, pack_job
from pytest_webbench.load.native import engine as native
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import LoadEngine

from .loads import HELLO_JSON, make_load, unaccounted
from .servers import Peer, Server, json_answer

RIGHT = json_answer(HELLO_JSON)
ROOT = Path(pytest_webbench.__file__).parents[1]


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


@pytest.fixture
def engine() -> Iterator[NativeEngine]:
    engine = NativeEngine()
    yield engine
    engine.close()


def test_it_is_an_engine(engine: NativeEngine) -> None:
    as_engine: LoadEngine = engine
    assert as_engine.name == "native"
    assert engine.pid is None


def test_one_worker_carries_out_load_after_load(engine: NativeEngine) -> None:
    pids = set()
    with Server(say_hello) as server:
        for requests in (1, 100, 37):
            result = engine.run(make_load(users=4, requests=requests), server.url)
            assert (result.sent, result.ok, unaccounted(result)) == (requests, requests, 0)
            assert len(result.latency_ns) == requests
            assert result.latency_ns.min_ns > 0
            pids.add(engine.pid)
        assert server.requests == 138
    assert len(pids) == 1


def test_several_generators_share_the_load() -> None:
    engine = NativeEngine(generators=3)
    try:
        with Server(say_hello) as server:
            for load in (make_load(users=7, requests=500), make_load(users=2, requests=5)):
                before = server.requests
                result = engine.run(load, server.url)
                assert (result.users, result.sent, result.ok, unaccounted(result)) == (
                    load.users,
                    load.amount.requests,
                    load.amount.requests,
                    0,
                )
                assert len(result.latency_ns) == len(result.ttfb_ns) == load.amount.requests
                assert server.requests - before == load.amount.requests
    finally:
        engine.close()


def test_each_request_of_several_generators_has_its_number() -> None:
    paths = [f"/items/{number}" for number in range(40)]
    exchanges = tuple(Exchange(request=Request(path=path), answer=Answer()) for path in paths)
    asked: list[str] = []

    def some_bad(server: Server, peer: Peer, number: int) -> None:
        path = peer.path
        asked.append(path)
        peer.send(json_answer({}, status=500) if path.endswith("7") else RIGHT)

    engine = NativeEngine(generators=2)
    try:
        with Server(some_bad) as server:
            load = make_load(*exchanges, users=4, requests=40, repeat=False, changes=True)
            result = engine.run(load, server.url)
    finally:
        engine.close()
    assert sorted(asked) == sorted(paths)
    assert result.unconfirmed == (7, 17, 27, 37)


def test_one_generator_that_dies_ends_the_load_of_all() -> None:
    engine = NativeEngine(generators=2)

    def kill(server: Server, peer: Peer, number: int) -> None:
        if number == 20 and engine.pid is not None:
            os.kill(engine.pid, signal.SIGKILL)
        peer.send(RIGHT)

    with Server(kill) as server:
        with pytest.raises(LoadError, match=r"exit code -9"):
            engine.run(make_load(users=4, duration_s=60), server.url)
        server.wait()  # the other one has let go of its connections
    assert engine.pid is None


def test_what_makes_no_sense_is_said_and_the_worker_goes_on(engine: NativeEngine) -> None:
    bad = Exchange(request=Request(path="no slash"), answer=Answer())
    with pytest.raises(LoadError, match="cannot be sent as it stands") as caught:
        engine.run(make_load(bad, requests=1), "http://127.0.0.1:9")
    assert "percent-encoded" in caught.value.hint
    pid = engine.pid
    with Server(say_hello) as server:
        assert engine.run(make_load(requests=3), server.url).ok == 3
    assert engine.pid == pid


def test_an_address_that_makes_no_sense_starts_nothing(engine: NativeEngine) -> None:
    with pytest.raises(LoadError, match="https is not supported"):
        engine.run(make_load(requests=1), "https://127.0.0.1:9")
    assert engine.pid is None


def test_a_worker_that_dies_fails_its_load_alone(engine: NativeEngine) -> None:
    def kill(server: Server, peer: Peer, number: int) -> None:
        if number == 20 and engine.pid is not None:
            os.kill(engine.pid, signal.SIGKILL)
        peer.send(RIGHT)

    with Server(kill) as server:
        with pytest.raises(LoadError, match=r"ended in the middle of a load \(exit code -9\)"):
            engine.run(make_load(users=3, duration_s=60), server.url)
        assert engine.pid is None
        assert engine.run(make_load(users=3, requests=10), server.url).ok == 10


def test_a_worker_that_died_between_loads_is_replaced(engine: NativeEngine) -> None:
    with Server(say_hello) as server:
        engine.run(make_load(requests=1), server.url)
        assert engine.pid is not None
        pid = engine.pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert engine.run(make_load(requests=5), server.url).ok == 5
        assert engine.pid != pid


def test_ctrl_c_ends_the_load(engine: NativeEngine) -> None:
    assert threading.current_thread() is threading.main_thread()

    def interrupt(server: Server, peer: Peer, number: int) -> None:
        if number == 20:
            os.kill(os.getpid(), signal.SIGINT)
        peer.send(RIGHT)

    with Server(interrupt) as server:
        with pytest.raises(KeyboardInterrupt):
            engine.run(make_load(users=3, duration_s=60), server.url)
        server.wait()  # the worker has let go of all connections
        assert engine.pid is None
    with Server(say_hello) as server:
        assert engine.run(make_load(requests=5), server.url).ok == 5


def test_the_worker_leaves_ctrl_c_to_its_parent(engine: NativeEngine) -> None:
    def interrupt(server: Server, peer: Peer, number: int) -> None:
        if engine.pid is not None:
            os.kill(engine.pid, signal.SIGINT)
        peer.send(RIGHT)

    with Server(interrupt) as server:
        assert engine.run(make_load(requests=20), server.url).ok == 20


def test_a_worker_that_takes_too_long_is_given_up(
    engine: NativeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "longest_s", lambda load: 0.5)
    with Server(lambda server, peer, number: peer.hold()) as server:
        with pytest.raises(LoadError, match="was not done after"):
            engine.run(make_load(requests=1), server.url)
        assert engine.pid is None


def test_a_load_that_may_take_months_is_waited_for(engine: NativeEngine) -> None:
    """So long may ten million requests take, each its whole timeout; here the first one kills the worker."""

    def kill(server: Server, peer: Peer, number: int) -> None:
        if engine.pid is not None:
            os.kill(engine.pid, signal.SIGKILL)

    with Server(kill) as server, pytest.raises(LoadError, match="exit code -9"):
        engine.run(make_load(users=1, requests=10_000_000), server.url)


def test_closing_twice_and_going_on(engine: NativeEngine) -> None:
    engine.close()
    with Server(say_hello) as server:
        engine.run(make_load(requests=1), server.url)
        engine.close()
        engine.close()
        assert engine.pid is None
        assert engine.run(make_load(requests=2), server.url).ok == 2


PARENT = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Amount, Load
load = Load(users=3, amount=Amount(duration_s=600), exchanges=(Exchange(request=Request(), answer=Answer()),))
NativeEngine().run(load, sys.argv[2])
"""


def test_the_worker_dies_with_its_parent() -> None:
    asked = threading.Event()

    def tell(server: Server, peer: Peer, number: int) -> None:
        if number == 50:
            asked.set()
        peer.send(RIGHT)

    with Server(tell) as server:
        parent = subprocess.Popen([sys.executable, "-c", PARENT, str(ROOT), server.url])
        assert asked.wait(60)
        parent.kill()
        parent.wait()
        server.wait()  # else the worker would hold its connections for ten minutes


def test_the_worker_ends_in_a_load_when_its_input_ends() -> None:
    """So it goes where the kernel does not end a process with its parent."""
    asked = threading.Event()

    def tell(server: Server, peer: Peer, number: int) -> None:
        asked.set()
        peer.send(RIGHT)

    with Server(tell) as server:
        order = LoadJob(load=make_load(duration_s=600), base_url=server.url)
        command = [sys.executable, "-m", "pytest_webbench.load.native.worker"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as worker:
            assert worker.stdin is not None
            worker.stdin.write(frame(pack_job(order)))
            worker.stdin.write(START_SIGNAL.pack(1, 0))
            worker.stdin.flush()
            assert asked.wait(60)
            worker.stdin.close()
            assert worker.wait(60) == 1


def run_worker(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *code.split(" ", 1)], input="", capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_the_worker_ends_with_its_input() -> None:
    done = run_worker("-m pytest_webbench.load.native.worker")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_worker_imports_nothing_heavy() -> None:
    heavy = ("pytest", "httpx", "numpy", "scipy", "rich", "pluggy")
    code = f"import pytest_webbench.load.native.worker, sys; print([m for m in {heavy} if m in sys.modules])"
    assert run_worker(f"-c {code}").stdout.strip() == "[]"
