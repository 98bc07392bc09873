"""What is measured is the server that was launched, and no other that has its port."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.host.listening import foreign_holder, ports_of
from pytest_webbench.host.supervised import Supervised
from pytest_webbench.model.errors import StartError
from pytest_webbench.stacks import process
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.stacks.readiness import PORT_ATTEMPTS, OwnPort
from tests.stacks.conftest import APP, MakeStack
from tests.stacks.test_process import ask, failure

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

SQUATTER = """
import http.server, socket, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b'"ok"')

for line in sys.stdin:
    listener = socket.socket()
    if "share" in sys.argv:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", int(line)))
    listener.listen()
    server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    server.socket = listener
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("taken", flush=True)
"""
PATIENT = APP.replace(
    "    listener = socket.create_server",
    "    import time\n"
    "    time.sleep(600) if 'wait' in sys.argv else None\n"
    "    listener = socket.create_server",
)
SHARING = APP.replace(
    'create_server(("127.0.0.1", int(value)))', 'create_server(("127.0.0.1", int(value)), reuse_port=True)'
)


class Squatter:
    """Another process, which listens at a given port."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-c", SQUATTER, *words, "--password=secret"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def take(self, port: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(port, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "taken\n"


@contextmanager
def squatting(monkeypatch: pytest.MonkeyPatch, *words: str, times: int = 1000) -> Iterator[Squatter]:
    """A squatter that takes the port of each launch before its server does, so many ``times``."""
    squatter, spawn, left = Squatter(*words), Supervised, [times]

    def take_and_spawn(command: Any, *args: Any, **keywords: Any) -> Any:
        if left[0]:
            left[0] -= 1
            squatter.take(next(int(word.partition("=")[2]) for word in command if word.startswith("--port")))
        return spawn(command, *args, **keywords)

    monkeypatch.setattr(process, "Supervised", take_and_spawn)
    try:
        yield squatter
    finally:
        squatter.process.kill()
        squatter.process.communicate()


def test_a_squatter_is_not_measured(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server itself waits for its port, as Gunicorn does, while somebody else gives its responses."""
    with squatting(monkeypatch) as squatter:
        error = failure(launcher, make_stack(PATIENT, "--port={port}", "wait"))
    program = Path(sys.executable).resolve()
    assert re.fullmatch(
        rf"another server has the port of tiny: process {squatter.process.pid} \({program}\) listens on port "
        r"\d+",
        error.message,
    )
    assert "secret" not in str(error)
    assert len(list((tmp_path / "logs").iterdir())) == PORT_ATTEMPTS


def test_another_port_is_tried(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(APP, "--port={port}")
    with squatting(monkeypatch, times=PORT_ATTEMPTS - 1), launcher.start(stack) as running:
        assert ask(running, "/pid") == running.process.pid


def test_one_that_shares_the_port_is_not_measured_either(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with squatting(monkeypatch, "share") as squatter:
        error = failure(launcher, make_stack(SHARING, "--port={port}"))
    assert f"process {squatter.process.pid} " in error.message


def test_to_look_who_listens_is_no_part_of_the_start(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[float] = []
    monkeypatch.setattr(OwnPort, "refuse_others", lambda _: looked.append(time.monotonic()))
    with launcher.start(make_stack()) as running:
        assert running.launch.startup_s is not None
        assert running.process.begun + running.launch.startup_s <= looked[0]


def test_one_that_comes_later_is_found_before_anything_is_timed(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    squatter = Squatter("share")
    try:
        with launcher.start(make_stack(SHARING, "--port={port}")) as running:
            running.verify()
            squatter.take(running.own_port.port)
            with pytest.raises(StartError, match=f"process {squatter.process.pid} "):
                running.verify()
    finally:
        squatter.process.kill()
        squatter.process.communicate()


def test_a_socket_that_is_handed_over_cannot_be_taken(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    with launcher.start(make_stack()) as running, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", running.own_port.port))
        running.verify()


def test_a_server_that_listens_elsewhere_is_said_to(make_stack: MakeStack, tmp_path: Path) -> None:
    launcher = ProcessLauncher(cache=tmp_path, logs=tmp_path / "logs", start_timeout_s=1.0)
    error = failure(launcher, make_stack(APP, "--port=0", "{port}"))
    assert re.fullmatch(r"tiny listens on port \d+, not on the one that it was given \(\d+\)", error.message)
    assert error.hint == "let its command use {bind}, {fd} or {port}"


BACKGROUND = APP.replace(
    "listener.listen()",
    "listener.listen()\n"
    "if os.fork():\n"
    "    signal.pause() if 'stay' in sys.argv else os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork():\n"
    "    os._exit(0)\n"
    "threading.Timer(30, os._exit, [0]).start()",
).replace("import http.server", "import signal, threading, http.server")


@pytest.mark.parametrize("words", [(), ("stay",)])
def test_a_server_in_the_background_is_said_to_be_there(
    launcher: ProcessLauncher, make_stack: MakeStack, words: tuple[str, ...]
) -> None:
    error = failure(launcher, make_stack(BACKGROUND, "--fd={fd}", *words))
    found = re.fullmatch(
        r"tiny has put itself into the background: process (\d+) \(\S+\) listens on its port, but is not "
        r"a descendant of the process that was started",
        error.message,
    )
    assert found
    with suppress(ProcessLookupError):
        os.kill(int(found[1]), 9)  # it is ours


# --- who listens -------------------------------------------------------------------------------------


def test_who_listens_is_told_from_who_is_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert foreign_holder(os.getpid(), port) is None
        assert port in ports_of(os.getpid())
        with subprocess.Popen(["/bin/sleep", "60"]) as other:
            try:
                found = foreign_holder(other.pid, port)
                assert found is not None
                assert found.pid == os.getpid()
                assert ports_of(other.pid) == ()
            finally:
                other.kill()
    assert foreign_holder(os.getpid(), port) is None


@pytest.mark.parametrize(("address", "family"), [("0.0.0.0", "AF_INET"), ("::", "AF_INET6")])
def test_who_listens_on_all_addresses_is_seen(address: str, family: str) -> None:
    try:
        listener = socket.socket(getattr(socket, family))
        listener.bind((address, 0))
    except OSError:
        pytest.skip("this machine has no such address")
    with listener:
        listener.listen()
        assert foreign_holder(1 << 30, listener.getsockname()[1]) is not None


def test_sockets_of_a_process_that_ends_are_nobodys() -> None:
    """Threads that open and close sockets all the time are not taken for another user's."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def come_and_go() -> None:
            while not stop.is_set():
                with socket.create_server(("127.0.0.1", 0)):
                    pass

        thread = threading.Thread(target=come_and_go)
        thread.start()
        try:
            assert [foreign_holder(os.getpid(), port) for _ in range(20)] == [None] * 20
        finally:
            stop.set()
            thread.join()
