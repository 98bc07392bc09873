"""Servers that run already: connections are shared evenly where that is seen, else drawn several times."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_webbench.host import running_server
from pytest_webbench.host.running_server import RunningServer
from pytest_webbench.load.command.run import main
from pytest_webbench.load.native import engine as native
from pytest_webbench.load.native.engine import NativeEngine

from .loads import ANYTHING, make_load

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

WORKER = """
import socket, sys, threading, time
port, delay_s = int(sys.argv[1]), float(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", port))
listener.listen(100)
def serve(peer):
    while peer.recv(65536):
        time.sleep(delay_s)
        peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
print("listening", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
SLOW_S, FAST_S = 0.04, 0.004


@contextmanager
def uneven_server() -> Iterator[str]:
    """Two processes that accept at one port, of which one is ten times slower; its address."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        workers = [
            subprocess.Popen([sys.executable, "-c", WORKER, str(port), str(delay)], stdout=subprocess.PIPE)
            for delay in (SLOW_S, FAST_S)
        ]
        try:
            for worker in workers:
                assert worker.stdout is not None
                assert worker.stdout.readline() == b"listening\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(10)
                assert worker.stdout is not None
                worker.stdout.close()


@contextmanager
def gunicorn(folder: Path) -> Iterator[int]:
    """Two workers of a real Gunicorn, started by somebody else; its port."""
    pytest.importorskip("gunicorn")
    (folder / "hello.py").write_text(
        "def app(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n"
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    command = [
        "-m",
        "gunicorn",
        "hello:app",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "2",
        "--threads",
        "4",
    ]
    process = subprocess.Popen([sys.executable, *command, "--no-control-socket"], cwd=folder)
    try:
        deadline = time.monotonic() + 30
        while True:
            held = RunningServer("127.0.0.1", port).connections()
            if held is not None and len(held.processes) == 2:
                break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers on a busy machine take connections late; here that must not end the wait for them."""
    monkeypatch.setattr(native, "_BALANCING_S", 60.0)
    monkeypatch.setattr(native, "_TAKING_S", 30.0)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.usefixtures("_patient")
def test_a_running_server_on_this_machine_has_its_connections_shared_evenly() -> None:
    """Two processes with listening sockets of their own, and no parent in common that has one."""
    engine = NativeEngine()
    with uneven_server() as url, closing(engine):
        for _ in range(3):
            look = RunningServer("127.0.0.1", port_of(url)).connections
            assert engine.run(make_load(ANYTHING, users=4, requests=40), url, look).held == (2, 2)


@pytest.mark.usefixtures("_patient")
def test_a_running_gunicorn_has_its_connections_shared_evenly(tmp_path: Path) -> None:
    engine = NativeEngine()
    with gunicorn(tmp_path) as port, closing(engine):
        for _ in range(3):
            look = RunningServer("localhost", port).connections
            result = engine.run(make_load(ANYTHING, users=4, requests=40), f"http://127.0.0.1:{port}", look)
            assert (result.ok, result.held) == (40, (2, 2))


def test_a_server_that_is_elsewhere_is_not_seen() -> None:
    assert RunningServer("192.0.2.1", 80).connections() is None
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert RunningServer("127.0.0.1", nobody.getsockname()[1]).connections() is None


def test_another_address_of_the_machine_is_another_server() -> None:
    with closing(socket.create_server(("127.0.0.2", 0))) as other:
        port = other.getsockname()[1]
        assert RunningServer("127.0.0.1", port).connections() is None
        held = RunningServer("127.0.0.2", port).connections()
        assert held is not None
        assert held.processes == (os.getpid(),)


def test_a_process_that_forwards_says_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as forwarder:
        port = forwarder.getsockname()[1]
        assert RunningServer("127.0.0.1", port).connections() is not None
        own_name = Path("/proc/self/comm").read_text().strip()
        monkeypatch.setattr(running_server, "_FORWARDERS", frozenset({own_name}))
        assert RunningServer("127.0.0.1", port).connections() is None


def test_a_processs_socket_that_cannot_be_looked_at_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> set[str]:
        raise PermissionError

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        monkeypatch.setattr(running_server, "sockets_of", refuse)
        assert RunningServer("127.0.0.1", listener.getsockname()[1]).connections() is None


def test_unseen_connections_are_drawn_several_times_and_what_differs_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one user, a set of connections is at the slow process or at the fast one."""
    monkeypatch.setattr(RunningServer, "connections", lambda _: None)
    with uneven_server() as url:
        for _ in range(8):  # all five at one process: once in 16
            assert main([url, "--users", "1", "--duration", "1", "--json"]) == 0
            said = json.loads(capsys.readouterr().out)
            assert len(said["draws_per_s"]) == said["connections_opened"] == 5
            assert said["requests_per_s"] == pytest.approx(sum(said["draws_per_s"]) / 5, rel=0.1)
            if min(said["draws_per_s"]) < 0.5 * max(said["draws_per_s"]):
                break
    assert any("5 sets of connections differ by up to" in each for each in said["warnings"])


def test_a_number_of_draws_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with uneven_server() as url:
        assert main([url, "--users", "2", "--requests", "21", "--draws", "3", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
    assert (said["requests_ok"], said["connections_opened"], len(said["draws_per_s"])) == (21, 6, 3)


def test_where_connections_are_seen_one_set_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    with uneven_server() as url:
        assert main([url, "--users", "4", "--duration", "0.5", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
    assert len(said["draws_per_s"]) == 1
    assert said["connections_opened"] == 4
