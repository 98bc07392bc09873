"""Two runs on one machine: the second ends with exit code 4, or waits for the first."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_webbench.host.machine import PLACE
from tests.faults.conftest import FEW_PLUGINS
from tests.flow.conftest import RunWebbench
from tests.processes import LIMIT_S

CONFTEST = """
from pathlib import Path
from pytest_webbench import Amount, Answer, Exchange, NoDataset, Request, Scenario, Stack, Suite

PROGRAM = '''
import http.server, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.socket.listen()
server.serve_forever()
'''

def ask(records, count, rng):
    return [Exchange(request=Request(path="/"), answer=Answer(status=200))]

def pytest_webbench_suites():
    return [Suite(name="mine", dataset=NoDataset())]

def pytest_webbench_scenarios():
    return [Scenario(name="ping", suite="mine", users=1, amount=Amount(requests=20), traffic=ask)]

def pytest_webbench_stacks():
    command = ("{python}", "-c", PROGRAM, "{fd}")
    ready = Exchange(request=Request(path="/"), answer=Answer(status=200))
    return [Stack(name="tiny", suite="mine", folder=Path(__file__).parent, command=command, ready=ready)]
"""
ARGUMENTS = ("--webbench-launcher=process", "--webbench-stack=tiny", "--webbench-rounds=1")


STANDING = """
import time

def test_still(webbench_stack):
    open("up", "w").close()
    time.sleep(600)
"""


class Machine:
    """A folder to run in, and a place for the lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "standing.py").write_text(STANDING)
        (folder / "pytest.ini").write_text("[pytest]\n")

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "pytest", "--webbench", "-p", "no:cacheprovider", *ARGUMENTS]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.folder,
            env={**os.environ, **FEW_PLUGINS, PLACE: str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def first(machine: Machine) -> Iterator["subprocess.Popen[str]"]:
    """A run that measures, and stands still in the middle until it is ended."""
    with machine.begin("standing.py", "-s", "--webbench-output=first") as process:
        while not (machine.folder / "up").exists():
            assert process.poll() is None, process.communicate()
        yield process
        process.kill()


@pytest.mark.parametrize("argument", ["webbench/mine", "standing.py"], ids=["plan", "fixture"])
def test_the_second_ends_with_code_4_and_names_the_first(
    machine: Machine, first: "subprocess.Popen[str]", argument: str
) -> None:
    with machine.begin(argument) as second:
        output, errors = second.communicate(timeout=LIMIT_S)
    assert second.returncode == pytest.ExitCode.USAGE_ERROR
    message = "another run is measuring on this machine, and two would distort each other's results"
    assert f"{message}: process {first.pid}, since " in output
    assert str(machine.folder / "first") in output
    assert "--webbench-wait" in output
    assert "Traceback" not in output + errors
    assert not (machine.folder / ".webbench").exists()
    assert first.poll() is None


@pytest.mark.parametrize("argument", ["--collect-only", "--webbench-list"])
def test_what_measures_nothing_needs_no_machine(
    machine: Machine, first: "subprocess.Popen[str]", argument: str
) -> None:
    with machine.begin("webbench/mine", argument) as second:
        second.communicate(timeout=LIMIT_S)
    assert second.returncode == 0


def test_an_engine_that_makes_no_load_needs_no_machine(
    machine: Machine, first: "subprocess.Popen[str]", run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLACE, str(machine.folder))
    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-scenario=hello", "webbench/items")
    assert outcome.exit_code == 0


def wait_for(first: "subprocess.Popen[str]", second: "subprocess.Popen[str]") -> None:
    """Return once ``second`` has said that it waits for ``first``."""
    assert second.stdout is not None
    while "webbench: waiting for the run" not in (line := second.stdout.readline()):
        assert line
    assert f"process {first.pid}, since " in line


def test_ctrl_c_ends_the_waiting(machine: Machine, first: "subprocess.Popen[str]") -> None:
    with machine.begin("webbench/mine", "--webbench-wait") as second:
        wait_for(first, second)
        second.send_signal(signal.SIGINT)
        output, errors = second.communicate(timeout=LIMIT_S)
    assert second.returncode == pytest.ExitCode.INTERRUPTED
    assert "Traceback" not in output + errors
    assert first.poll() is None


def test_one_that_waits_goes_on_when_the_first_was_killed(
    machine: Machine, first: "subprocess.Popen[str]"
) -> None:
    with machine.begin("webbench/mine", "--webbench-wait") as second:
        wait_for(first, second)
        first.kill()
        output, _ = second.communicate(timeout=LIMIT_S)
    assert second.returncode == 0
    assert "1 passed" in output
