"""Instructions and calls of real servers, counted."""

import shutil
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pytest_webbench.host.meters.callgrind import CallgrindMeter
from pytest_webbench.host.meters.calls import CallMeter
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import exchange
from pytest_webbench.model.growth import Place
from pytest_webbench.model.http import Request
from pytest_webbench.model.stack import RunningStack, Stack
from pytest_webbench.stacks.launcher import MeteredLauncher
from pytest_webbench.stacks.process import ProcessLauncher

APP = """
def application(environ, start_response):
    work = helper(environ["PATH_INFO"].count("x"))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def helper(turns):
    return [len(str(each)) for each in range(turns)]
"""


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


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("valgrind"), reason="needs Valgrind")
def test_instructions_are_counted_between_begin_and_end_and_repeat(stack: Stack, tmp_path: Path) -> None:
    meter = CallgrindMeter()
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path, start_timeout_s=120)
    counts = {}
    with MeteredLauncher(launcher, [lambda: meter]).start(stack) as server:
        ask(server, "/", 150)  # the interpreter specialises what runs often
        for turn, path in enumerate(("/", "/" + "x" * 300, "/")):
            meter.begin()
            ask(server, path, 20)
            counts[turn] = meter.end()
        functions = meter.instructions()
    plain, more, again = (counts[turn]["instructions"] / 20 for turn in range(3))
    assert 50_000 < plain < 5_000_000
    assert plain * 1.02 < more < plain * 3
    assert again == pytest.approx(plain, rel=0.01)
    assert counts[0]["syscalls"] > 20
    assert any("python3" in name for name in functions)
    assert sum(sum(each.values()) for each in functions.values()) == counts[2]["instructions"]
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
