"""Engines that do not respond; these tests need no engine."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_webbench.host.leftovers import Owner
from pytest_webbench.model.errors import EngineError
from pytest_webbench.model.settings import Settings
from pytest_webbench.stacks.docker.engine import brought_to_its_end, connect, within
from pytest_webbench.stacks.launcher import make_launcher


@pytest.fixture
def mute_engine(tmp_path: Path) -> Iterator[str]:
    """An engine that takes connections and never says a word."""
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(16)
        yield f"unix://{path}"


def test_no_engine_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineError, match="no container engine answers: no such file or directory") as caught:
        connect()
    assert "--webbench-launcher=process" in caught.value.hint


def test_a_mute_engine_is_given_up(monkeypatch: pytest.MonkeyPatch, mute_engine: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", mute_engine)
    with pytest.raises(EngineError, match=r"it does not respond \(timed out\)"):
        connect()


@pytest.fixture
def dripping_engine(tmp_path: Path) -> Iterator[str]:
    """An engine that responds to each request at once, but never ends: a byte now and then."""
    path = tmp_path / "drip.sock"
    over = threading.Event()

    def drip(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(65_536)
            line.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
            )
            while not over.wait(0.05):
                line.sendall(b" ")

    def serve(listener: socket.socket) -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                threading.Thread(target=drip, args=(listener.accept()[0],)).start()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(0.1)
        listener.bind(str(path))
        listener.listen(16)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"unix://{path}"
        over.set()
        thread.join()


def test_an_engine_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, dripping_engine: str) -> None:
    monkeypatch.setattr("pytest_webbench.stacks.docker.engine.CONNECT_TIMEOUT_S", 1.0)
    monkeypatch.setenv("DOCKER_HOST", dripping_engine)
    with pytest.raises(EngineError, match=r"it does not respond \(timed out\)"):
        connect()


def test_what_is_done_in_time_is_passed_on() -> None:
    assert within(60, lambda: 7) == 7
    with pytest.raises(TimeoutError, match="its own"):
        within(60, lambda: (_ for _ in ()).throw(TimeoutError("its own")))


def test_auto_takes_processes_and_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    launcher = make_launcher(Settings(), tmp_path, tmp_path / "Dockerfile")
    assert launcher.name == "process"
    assert launcher.about == "local processes (no container engine answers: no such file or directory)"


def test_containers_by_name_are_never_replaced(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--webbench", "--webbench-launcher=container"],
        cwd=tmp_path,
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no container engine answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_owner_is_told_from_a_later_process_of_its_number() -> None:
    ours = Owner.ourselves()
    assert Owner.parse(str(ours)) == ours
    assert ours.lives()
    assert not Owner(host=ours.host, pid=ours.pid, started=ours.started - 1000).lives()
    assert Owner(host="another machine", pid=1, started=1).lives()
    assert Owner.parse("nonsense") is None


def test_an_interrupt_waits_for_what_the_engine_does_already() -> None:
    done: list[bool] = []

    def make() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        released.wait(60)
        done.append(True)

    released = threading.Event()
    timer = threading.Timer(0.3, released.set)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        brought_to_its_end(make)
    assert done
    timer.join()


def test_what_the_engine_returns_or_raises_is_passed_on() -> None:
    assert brought_to_its_end(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        brought_to_its_end(lambda: 1 // 0)
