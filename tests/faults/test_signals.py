"""Signals at random moments of a run: what is left is counted, and is nothing.

The moments come from a seed that is printed; the environment variable WEBBENCH_SIGNALS_SEED repeats one.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from pytest_webbench.host.leftovers import Owner
from pytest_webbench.host.machine import PLACE, MachineLock
from pytest_webbench.model.errors import EngineError
from pytest_webbench.stacks.docker.engine import Engine, connect
from pytest_webbench.stacks.docker.image import base_image_id
from pytest_webbench.stacks.docker.labels import OWNER as OWNER_LABEL
from pytest_webbench.stacks.docker.labels import sweep
from tests.faults.conftest import FEW_PLUGINS
from tests.processes import soon

LIMIT_S = 180.0
"""For one run, on a machine that is busy."""
GONE_WITHIN_S = 15.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
CODES = {signal.SIGINT: 2, signal.SIGTERM: 143, signal.SIGKILL: -9}
SAID_ALL = re.compile(r" in \d+\.\d+s( \([\d:]+\))? =+")
"""The last line of pytest."""

SERVER = """
import http.server, os, signal, socket, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *arguments):
        pass

address = sys.argv[1]
server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
if address.startswith("fd://"):
    server.socket = socket.socket(fileno=int(address[5:]))
else:
    host, port = address.rsplit(":", 1)
    server.socket = socket.create_server((host, int(port)))
server.socket.listen()
server.serve_forever()
"""
CONFTEST = """
from pathlib import Path
from pytest_webbench import Amount, Answer, Exchange, NoDataset, Request, Scenario, Stack, Suite

def ask(records, count, rng):
    return [Exchange(request=Request(path="/"), answer=Answer(status=200))]

def pytest_webbench_suites():
    return [Suite(name="mine", dataset=NoDataset())]

def pytest_webbench_scenarios():
    return [Scenario(name="ping", suite="mine", users=4, amount=Amount(duration_s=0.3), traffic=ask)]

def pytest_webbench_stacks():
    folder = Path(__file__).parent / "app"
    command = ("{python}", "server.py", "{bind}")
    ready = Exchange(request=Request(path="/"), answer=Answer(status=200))
    return [Stack(name="stubborn", suite="mine", folder=folder, command=command, ready=ready, LOCK)]
"""


@dataclass
class Left:
    """What was seen after all runs together."""

    runs: int = 0
    processes: list[str] = field(default_factory=list)
    locks: int = 0
    folders: list[Path] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.runs} signals: left {len(self.processes)} processes, {self.locks} locks, "
            f"{len(self.folders)} folders; other faults: {len(self.faults)}"
        )


class Place:
    """A folder in which runs are made and signals sent to them; ``launcher`` launches their servers.

    All that a run starts has its folder for temporary files in its environment, by which it is found.
    """

    def __init__(
        self, folder: Path, launcher: str, measure: Sequence[str] = ("--webbench-profile=smoke",)
    ) -> None:
        self._folder = folder
        self._temporary = folder / "tmp"
        self._temporary.mkdir()
        self._arguments = (
            *("-p", "no:cacheprovider", "--webbench", f"--webbench-launcher={launcher}"),
            *("--webbench-stack=stubborn", *measure, "webbench/mine"),
        )
        self.pids: set[int] = set()
        (folder / "app").mkdir()
        (folder / "app" / "server.py").write_text(SERVER)
        (folder / "app" / "current.lock").write_text("# no dependencies\n")
        lock = "lock='current.lock'" if launcher == "container" else "lock=None"
        (folder / "conftest.py").write_text(CONFTEST.replace("LOCK", lock))
        (folder / "pytest.ini").write_text("[pytest]\n")
        for words in (("init", "-q"), ("add", "."), ("-c", "user.name=t", "-c", "user.email=t@t", "commit")):
            extra = ("-q", "-m", "all") if words[-1] == "commit" else ()
            subprocess.run(["git", *words, *extra], cwd=folder, check=True)

    def run(
        self,
        options: Sequence[str],
        number: signal.Signals | None = None,
        moment_s: float = 0.0,
        event: Callable[[], bool] = lambda: True,
    ) -> tuple[int, float, str]:
        """A run, to which a signal is sent so long after its header, and after ``event``.

        Its exit code, its length from then on, and its output.
        """
        environment = {
            **os.environ,
            "TMPDIR": str(self._temporary),
            PLACE: str(self._folder),
            **FEW_PLUGINS,
        }
        with (self._folder / "output").open("w+") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *self._arguments, *options],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            self.pids.add(process.pid)
            try:
                assert soon(lambda: "webbench: " in self._said() or process.poll() is not None, LIMIT_S)
                assert soon(event, LIMIT_S), self._said()
                begun = time.monotonic()
                if number is not None:
                    time.sleep(moment_s)  # the moment is what is tried
                    process.send_signal(number)
                code = process.wait(LIMIT_S)
            finally:
                process.kill()
                process.wait()
            return code, time.monotonic() - begun, self._said()

    def _said(self) -> str:
        return (self._folder / "output").read_text(errors="replace")

    def processes(self) -> list[str]:
        """Those that live and were started by a run here."""
        return [
            f"{process.pid} {process.name()}"
            for process in psutil.process_iter()
            if _environment_of(process).get("TMPDIR") == str(self._temporary)
            and process.status() != psutil.STATUS_ZOMBIE
        ]

    def folders(self) -> list[Path]:
        """Temporary folders and copies of the stacks."""
        return [*self._temporary.glob("webbench-*"), *self._folder.glob(".webbench/*/against")]

    def files(self, pattern: str) -> Iterator[Path]:
        """Those in the folder for temporary files."""
        return self._temporary.rglob(pattern)

    def lock_is_held(self) -> bool:
        """Whether nobody could measure now."""
        lock = MachineLock()
        try:
            lock.take(self._folder, wait=False, say=pytest.fail)
        except Exception:
            return True
        lock.release()
        return False


def _environment_of(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="signals-") as name:
        yield Path(name)


def send_many(
    place: Place, count: int, variants: Sequence[tuple[str, ...]], signals: Sequence[signal.Signals] = SIGNALS
) -> Left:
    """Send ``count`` signals, ``signals`` in turn, to as many runs, and count what each has left.

    Folders of one that was killed outright are left to the next run.
    """
    seed = int(os.environ.get("WEBBENCH_SIGNALS_SEED") or random.randrange(10**6))
    print(f"seed {seed}")
    rng = random.Random(seed)
    lengths_s = {}
    for options in variants:
        code, lengths_s[options], output = place.run(options)
        assert code == 0, output
    left = Left()
    for each in range(count):
        number, options = signals[each % len(signals)], variants[each // len(signals) % len(variants)]
        moment_s = rng.uniform(0, lengths_s[options])
        code, _, output = place.run(options, number, moment_s)
        left.runs += 1
        what = f"{number.name} after {moment_s:.2f} s of {lengths_s[options]:.2f} s, {' '.join(options)}"
        if not soon(lambda: not place.processes(), GONE_WITHIN_S):
            left.processes += [f"{what}: {process}" for process in place.processes()]
        left.locks += place.lock_is_held()
        if number is not signal.SIGKILL:
            left.folders += place.folders()
        if not SAID_ALL.search(output) and (code != CODES[number] or "Traceback" in output):
            left.faults.append(f"{what}: exit code {code}\n{output}")
    code, _, output = place.run(variants[0])
    if code:
        left.faults.append(f"the last run: exit code {code}\n{output}")
    left.folders += place.folders()
    print(left)
    return left


PROCESSES = (
    (),
    ("--webbench-explain",),
    (
        "--webbench-against=HEAD",
        "--webbench-rounds=3",
        "--webbench-budget=1s",
        "--webbench-fail=time: 900%",  # a run that is left alone has to pass, on any machine
        "--webbench-fail=cpu: 900%",
    ),
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere sessions of their own are not found")
@pytest.mark.parametrize(
    ("count", "variants"), [(3, PROCESSES[:1]), pytest.param(60, PROCESSES, marks=pytest.mark.slow)]
)
def test_nothing_of_processes_is_left(folder: Path, count: int, variants: Sequence[tuple[str, ...]]) -> None:
    left = send_many(Place(folder, "process"), count, variants)
    assert (left.processes, left.locks, left.folders, left.faults) == ([], 0, [], []), str(left)


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("valgrind"), reason="needs Valgrind")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_nothing_of_a_counted_launch_is_left(folder: Path, number: signal.Signals) -> None:
    """Not the pipes of vgdb, nor what callgrind writes, while requests are under way that take long."""
    place = Place(folder, "process", ("--webbench-measure=instructions", "--webbench-requests=1000000"))
    code, _, output = place.run((), number, 1.0, event=lambda: any(place.files("callgrind_agent.py")))
    assert code == CODES[number], output
    assert soon(lambda: not place.processes() and not place.folders(), GONE_WITHIN_S), place.processes()
    assert not any(place.files("*vgdb*"))
    assert not place.lock_is_held()


@pytest.fixture
def engine() -> Iterator[Engine]:
    try:
        engine = connect()
        base_image_id(engine, "python:3.13-slim")
    except EngineError as error:
        if os.environ.get("WEBBENCH_REQUIRE_ENGINE"):
            pytest.fail(f"an engine is required here: {error}", pytrace=False)
        pytest.skip(str(error.message))
    yield engine
    engine.close()


@pytest.mark.container
@pytest.mark.parametrize(
    ("count", "signals"), [(1, [signal.SIGKILL]), pytest.param(30, SIGNALS, marks=pytest.mark.slow)]
)
def test_nothing_of_containers_is_left(
    folder: Path, engine: Engine, count: int, signals: Sequence[signal.Signals]
) -> None:
    """What a run leaves that is killed outright, the next one removes."""
    place = Place(folder, "container")
    left = send_many(place, count, [()], signals)
    containers = _containers_of(engine, place.pids)
    print(f"left {len(containers)} containers")
    assert containers == []
    assert (left.processes, left.locks, left.folders, left.faults) == ([], 0, [], []), str(left)
    assert sweep(engine) == []


def _containers_of(engine: Engine, pids: set[int]) -> list[str]:
    found = []
    for container in engine.client.containers.list(all=True, ignore_removed=True):
        owner = Owner.parse(container.labels.get(OWNER_LABEL, ""))
        if owner is not None and owner.pid in pids:
            found.append(str(container.name))
    return found
