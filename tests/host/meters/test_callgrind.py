"""Instructions and calls of real servers, counted."""

import http.client
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_webbench.host.meters.callgrind import CallgrindMeter
from pytest_webbench.host.meters.calls import CallMeter
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import exchange
from pytest_webbench.model.errors import StackError, StartError
from pytest_webbench.model.growth import Place
from pytest_webbench.model.http import Request
from pytest_webbench.model.stack import RunningStack, Stack
from pytest_webbench.stacks.launcher import MeteredLauncher, MeteredStack
from pytest_webbench.stacks.process import ProcessLauncher

APP = """
def application(environ, start_response):
    work = helper(environ["PATH_INFO"].count("x"))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def helper(turns):
    return [len(str(each)) for each in range(turns)]
"""


SERVER = """
import ctypes, mmap, os, socket, sys

kind, listener = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
listener.listen()
if kind == "avx512":
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("62f17d48efc0c3"))  # vpxord zmm0, zmm0, zmm0; ret
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
ours, helpers = socket.socketpair()
if kind == "two" and os.fork() and os.fork():
    os.wait()
if kind == "helper" and os.fork() == 0:
    while helpers.recv(1):
        sum(range(100_000))
        helpers.send(b"x")
while True:
    connection, _ = listener.accept()
    while connection.recv(65536):
        if kind == "helper":
            ours.send(b"x")
            ours.recv(1)
        connection.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""

needs_valgrind = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("valgrind"), reason="needs Valgrind"
)


def bare(tmp_path: Path, kind: str) -> Stack:
    """A server without a framework, which is up soon."""
    (tmp_path / "server.py").write_text(SERVER)
    return Stack(name=kind, folder=tmp_path, command=("{python}", "-I", "server.py", kind, "{fd}"))


@pytest.fixture
def launch(tmp_path: Path) -> Callable[[Stack], AbstractContextManager[MeteredStack]]:
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path, start_timeout_s=300, grace_s=0)
    return MeteredLauncher(launcher, [CallgrindMeter]).start


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "app.py").write_text(dedent(APP))
    command = ("{python}", "-m", "gunicorn", "--threads", "2", "--timeout", "600", "--bind", "{bind}", "app")
    return Stack(name="small", folder=folder, command=command)


def ask(server: RunningStack, path: str, times: int = 1) -> None:
    for _ in range(times):
        exchange(Target.parse(server.base_url), Request(path=path), timeout_s=60)


@needs_valgrind
def test_instructions_are_counted_between_begin_and_end_and_repeat(stack: Stack, tmp_path: Path) -> None:
    meter = CallgrindMeter()
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path, start_timeout_s=120)
    counts = {}
    with MeteredLauncher(launcher, [lambda: meter]).start(stack) as server:
        ask(server, "/", 150)  # the interpreter specialises what runs often
        for turn, path in enumerate(("/", "/" + "x" * 300, "/")):
            meter.begin()
            ask(server, path, 40)
            counts[turn] = meter.end()
        functions = meter.instructions()
    plain, more, again = (counts[turn]["instructions"] / 40 for turn in range(3))
    assert 50_000 < plain < 5_000_000
    assert plain * 1.02 < more < plain * 3
    assert again == pytest.approx(plain, rel=0.01)
    assert counts[0]["syscalls"] > 5 * 40
    assert any("python3" in name for name in functions)
    found = sum(sum(each.values()) for each in functions.values())
    assert found == counts[2]["instructions"] + counts[2]["idle_instructions"]
    assert not list(tmp_path.rglob("vgdb*"))


def test_calls_are_counted_by_place_in_all_threads(stack: Stack, tmp_path: Path) -> None:
    meter = CallMeter(wake=lambda server: ask(server, "/"))
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path)
    with MeteredLauncher(launcher, [lambda: meter]).start(stack) as server:
        ask(server, "/", 3)
        for _ in range(2):
            meter.begin()
            ask(server, "/xxx", 10)
            meter.end()
            app = str(stack.folder / "app.py")
            own = {
                (each.function, each.called): count for each, count in meter.calls.items() if each.file == app
            }
            assert own["application", "helper"] == 10
            assert own["application", "str.count"] == 10
            assert sum(count for (_, called), count in own.items() if called == "len") == 30
            assert str(stack.folder) in meter.folders
    source = 'work = helper(environ["PATH_INFO"].count("x"))'
    assert Place(file=app, function="application", line=3, called="helper", source=source) in meter.calls


Launch = Callable[[Stack], AbstractContextManager[MeteredStack]]


def connected(server: RunningStack) -> http.client.HTTPConnection:
    """A connection that stays open, as that of a user does."""
    connection = http.client.HTTPConnection(server.base_url.removeprefix("http://"), timeout=300)
    connection.request("GET", "/")
    connection.getresponse().read()
    return connection


@needs_valgrind
def test_an_instruction_that_valgrind_does_not_know_is_named_while_the_server_starts(
    tmp_path: Path, launch: Launch
) -> None:
    with (
        pytest.raises(
            StartError, match="avx512 executes an instruction that Valgrind does not know"
        ) as caught,
        launch(bare(tmp_path, "avx512")),
    ):
        pass
    assert "Illegal opcode at address" in caught.value.evidence
    assert "AVX-512" in caught.value.hint


@needs_valgrind
def test_a_server_that_takes_requests_in_two_processes_is_not_counted(tmp_path: Path, launch: Launch) -> None:
    with launch(bare(tmp_path, "two")) as server:
        connection = connected(server)
        with pytest.raises(StackError, match="takes requests in 2 processes") as caught:
            server.meter.begin()
        connection.close()
    assert "{workers}" in caught.value.hint


@needs_valgrind
def test_a_process_that_helps_the_one_that_serves_is_counted_and_mentioned(
    tmp_path: Path, launch: Launch
) -> None:
    counts = {}
    for kind in ("alone", "helper"):
        with launch(bare(tmp_path, kind)) as server:
            connection = connected(server)
            server.meter.begin()
            for _ in range(5):
                connection.request("GET", "/")
                connection.getresponse().read()
            counts[kind] = server.meter.end()["instructions"]
            connection.close()
            notes = server.launch.notes
        assert bool(notes) is (kind == "helper")
    assert counts["helper"] > 10 * counts["alone"]
    assert "of 1 other process" in notes[0]


@needs_valgrind
def test_what_is_no_program_for_valgrind_is_named(tmp_path: Path, launch: Launch) -> None:
    stack = bare(tmp_path, "alone")
    with (
        pytest.raises(StartError, match=r"cannot be run by Valgrind: .*nothing"),
        launch(replace(stack, command=(str(tmp_path / "nothing"), "{fd}"))),
    ):
        pass
