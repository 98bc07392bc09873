"""A program under a supervisor: it is as if we had started it, and nothing of it stays."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_webbench.host.supervised import Supervised
from tests.processes import LIMIT_S, gone, soon

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not give orphans to a reaper")
READY = "open('ready', 'w').close(); time.sleep(600)"
STUBBORN = f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); {READY}"
CHILD = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open("pids", "a").write(f"{{child.pid}} ")
{READY}
"""
DAEMON = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("pids", "a").write(f"{{os.getpid()}} ")
        {READY}
    os._exit(0)
time.sleep(600)
"""
START = {"stubborn": STUBBORN, "session": CHILD, "daemon": DAEMON}

Launch = Callable[..., Supervised]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Starts a program of Python in the test's folder."""
    started: list[Supervised] = []

    def start(program: str, **options: Any) -> Supervised:
        with (tmp_path / "log").open("wb") as log:
            command = options.pop("command", [sys.executable, "-c", program])
            environment = options.pop("environment", {"PATH": os.defpath})
            started.append(Supervised(command, folder=tmp_path, environment=environment, log=log, **options))
        return started[-1]

    yield start
    for each in started:
        each.close()


def family(program: Supervised, folder: Path) -> list[psutil.Process]:
    """The program and the processes that it names, once they are there."""
    assert soon((folder / "ready").exists)
    return [psutil.Process(program.pid), *named(folder)]


def named(folder: Path) -> list[psutil.Process]:
    pids = folder / "pids"
    return [psutil.Process(int(each)) for each in pids.read_text().split()] if pids.exists() else []


# --- as if we had started it ------------------------------------------------------------------------

ABOUT = """
import json, os, signal, sys
print(json.dumps({
    "arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ),
    "leader": os.getsid(0) == os.getpgid(0) == os.getpid(), "input": sys.stdin.read(),
    "ignored": [n for n in (1, 2, 13, 15, 17, 25) if signal.getsignal(n) == signal.SIG_IGN],
    "open": sorted(int(each) for each in os.listdir("/dev/fd"))[:-1],
}), flush=True)
"""


def test_it_is_as_the_standard_library_would_start_it(launch: Launch, tmp_path: Path) -> None:
    with (tmp_path / "inherited").open("w+") as inherited:
        descriptor = inherited.fileno()
        environment = {"PATH": os.defpath, "ODD": "\udcff=\n"}
        command = [sys.executable, "-c", ABOUT, "a b", "\udcfe"]
        mine = launch("", command=command, environment=environment, descriptors=(descriptor,))
        assert mine.wait(LIMIT_S) == 0
        theirs = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=(descriptor,),
            start_new_session=True,
            timeout=LIMIT_S,
            check=True,
        )
    assert (tmp_path / "log").read_bytes() == theirs.stdout


def test_the_time_of_its_start_is_by_our_clock(launch: Launch) -> None:
    before = time.monotonic()
    program = launch("import time; time.sleep(600)")
    assert before < program.begun < time.monotonic()


def test_its_pipes_are_the_callers(launch: Launch) -> None:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    program = launch("print(input())", stdin=theirs_in, stdout=theirs_out)
    os.close(theirs_in)
    os.close(theirs_out)
    os.write(ours_out, b"word\n")
    os.close(ours_out)
    with os.fdopen(ours_in, "rb") as answers:
        assert answers.read() == b"word\n"  # and its end is seen: nobody else has the other end open
    assert program.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("program", "code"),
    [("raise SystemExit(7)", 7), ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", -6)],
)
def test_how_it_ended_is_passed_on(launch: Launch, program: str, code: int) -> None:
    started = launch(program)
    assert started.wait(LIMIT_S) == code
    assert started.poll() == code
    started.close()
    assert started.poll() == code


def test_one_that_runs_has_no_code(launch: Launch) -> None:
    assert launch("import time; time.sleep(600)").poll() is None


def supervisors() -> set[psutil.Process]:
    """Those of this process, of which other tests may have some, too."""
    return {child for child in psutil.Process().children() if "supervisor.py" in str(child.cmdline())}


def test_one_that_cannot_be_run_is_an_error_with_its_reason(launch: Launch, tmp_path: Path) -> None:
    before = supervisors()
    with pytest.raises(FileNotFoundError, match="No such file"):
        launch("", command=["no-such-program"])
    (tmp_path / "closed").write_text("")
    with pytest.raises(PermissionError):
        launch("", command=["./closed"])
    assert supervisors() <= before


def test_it_holds_no_socket_that_its_program_has(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        program = launch("import time; time.sleep(600)", descriptors=(listener.fileno(),))
    program.kill()
    assert program.wait(LIMIT_S) == -signal.SIGKILL
    with pytest.raises(ConnectionRefusedError), socket.create_connection(address, timeout=LIMIT_S):
        pass


def test_it_sleeps(launch: Launch) -> None:
    program = launch("import time; time.sleep(600)")
    supervisor = psutil.Process(program.pid).parent()
    assert supervisor is not None
    assert soon(lambda: supervisor.status() == psutil.STATUS_SLEEPING)
    before = supervisor.num_ctx_switches().voluntary
    launch("").wait(LIMIT_S)  # as long as it takes to start another
    assert supervisor.num_ctx_switches().voluntary == before


# --- its end ----------------------------------------------------------------------------------------


@LINUX
@pytest.mark.parametrize("program", START.values(), ids=START)
@pytest.mark.parametrize("how", ["end", "close"])
def test_all_that_it_started_ends_with_it(launch: Launch, tmp_path: Path, program: str, how: str) -> None:
    started = launch(program)
    processes = family(started, tmp_path)
    started.end(0.1) if how == "end" else started.close()
    assert not any(each.is_running() for each in processes)


@LINUX
def test_what_it_left_behind_when_it_ended_by_itself_ends_with_the_launch(
    launch: Launch, tmp_path: Path
) -> None:
    started = launch(DAEMON.rpartition("time")[0])
    assert started.wait(LIMIT_S) == 0
    assert soon((tmp_path / "ready").exists)
    daemon = psutil.Process(int((tmp_path / "pids").read_text()))
    assert daemon.is_running()
    started.end(5.0)
    assert not daemon.is_running()


def test_one_that_ends_when_asked_is_not_kept_waiting_for(launch: Launch, tmp_path: Path) -> None:
    handler = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))"
    started = launch(f"import time; {handler}; {READY}")
    assert soon((tmp_path / "ready").exists)
    started.end(600.0)
    assert started.poll() == 3


def test_a_signal_in_the_grace_period_kills_at_once(launch: Launch, tmp_path: Path) -> None:
    class InterruptError(Exception):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise InterruptError

    started = launch(STUBBORN)
    processes = family(started, tmp_path)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(InterruptError):
            started.end(600.0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not any(each.is_running() for each in processes)


OWNER = """
import os, sys, time
from pathlib import Path
from pytest_webbench.host.supervised import Supervised

folder, program = Path(sys.argv[1]), sys.argv[2]
made = folder / "made"
made.mkdir()
with (folder / "log").open("wb") as log:
    started = Supervised([sys.executable, "-c", program], folder=folder, environment={}, log=log, remove=made)
if os.fork() == 0:  # holds what we have open, after we have ended
    time.sleep(600)
print(started.pid, flush=True)
time.sleep(600)
"""


@LINUX
@pytest.mark.parametrize("program", START.values(), ids=START)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_us_however_we_end(tmp_path: Path, program: str, number: signal.Signals) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path), program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        started = psutil.Process(int(owner.stdout.readline()))
        holder = [each for each in psutil.Process(owner.pid).children() if each.pid != started.ppid()]
        assert soon((tmp_path / "ready").exists)
        processes = [started, *named(tmp_path)]
        owner.send_signal(number)
        try:
            assert gone(processes)
            assert soon(lambda: not (tmp_path / "made").exists())
        finally:
            for each in holder:
                each.kill()


@LINUX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_supervisor_that_is_asked_to_end_ends_all(
    launch: Launch, tmp_path: Path, number: signal.Signals
) -> None:
    started = launch(DAEMON)
    processes = family(started, tmp_path)
    supervisor = psutil.Process(started.pid).parent()
    assert supervisor is not None
    supervisor.send_signal(number)
    assert gone(processes)
    assert started.wait(LIMIT_S) == -signal.SIGKILL


@LINUX
def test_a_program_ends_with_its_supervisor(launch: Launch, tmp_path: Path) -> None:
    started = launch(STUBBORN)
    (program,) = family(started, tmp_path)
    supervisor = program.parent()
    assert supervisor is not None
    supervisor.kill()
    assert gone([program])
    assert soon(lambda: started.poll() == -signal.SIGKILL)
