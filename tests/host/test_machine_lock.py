"""The lock that one run at a time has, and what another one says of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_webbench.host.machine import PLACE, MachineLock
from pytest_webbench.model.errors import UsageError
from tests.processes import LIMIT_S

HOLDER = """
import sys, time
from pathlib import Path
from pytest_webbench.host.machine import MachineLock
lock = MachineLock()
lock.take(Path("/runs/first"), wait=False, say=print)
print("taken", flush=True)
sys.stdin.read()
"""


def hold() -> "subprocess.Popen[str]":
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "taken\n"
    return holder


def take(*, wait: bool = False) -> list[str]:
    """What is said."""
    said: list[str] = []
    lock = MachineLock()
    lock.take(Path("/runs/second"), wait=wait, say=said.append)
    lock.release()
    return said


def test_the_second_is_told_of_the_first_and_the_next_may() -> None:
    with hold() as holder:
        with pytest.raises(UsageError) as caught:
            take()
        assert re.fullmatch(
            "another run is measuring on this machine, and two would distort each other's results: "
            rf"process {holder.pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d, in /runs/first",
            caught.value.message,
        )
        assert "--webbench-wait" in caught.value.hint
        holder.communicate("", timeout=LIMIT_S)
    assert take() == []


def test_it_is_free_once_its_holder_was_killed() -> None:
    with hold() as holder:
        holder.send_signal(signal.SIGKILL)
    assert take() == []


def test_one_that_waits_says_for_whom_and_goes_on_when_the_other_has_ended() -> None:
    with hold() as holder:
        said: list[str] = []
        lock = MachineLock()

        def say(line: str) -> None:
            said.append(line)
            holder.send_signal(signal.SIGKILL)

        lock.take(Path("/runs/second"), wait=True, say=say)
        lock.release()
    assert len(said) == 1
    assert said[0].startswith(f"waiting for the run that measures on this machine: process {holder.pid}, ")


def test_a_signal_ends_the_waiting_at_once() -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with hold() as holder:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            take(wait=True)
        timer.join()
        assert holder.poll() is None
        holder.communicate("", timeout=LIMIT_S)


def test_it_is_taken_once_for_a_run(tmp_path: Path) -> None:
    lock = MachineLock()
    assert lock.take(tmp_path, wait=False, say=print)
    assert not lock.take(tmp_path, wait=False, say=print)
    lock.release()
    lock.release()


def test_what_is_not_our_file_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    path = tmp_path / f"pytest-webbench-{os.getuid()}.lock"
    path.symlink_to(tmp_path / "victim")
    (line,) = take()
    assert line.startswith(f"whether another run measures on this machine is not known: {path}: ")
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"pid": 1, "started": 1e99, "folder": "x"})])
def test_a_holder_that_has_not_written_yet_is_named_so(tmp_path: Path, content: str) -> None:
    with hold() as holder:
        (tmp_path / f"pytest-webbench-{os.getuid()}.lock").write_text(content)
        with pytest.raises(UsageError, match="a process that has only just begun"):
            take()
        holder.communicate("", timeout=LIMIT_S)


def test_by_default_all_runs_of_a_user_find_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever they were told to keep temporary files; nothing is locked here, for a run may be at work."""
    monkeypatch.delenv(PLACE)
    program = (
        "import fcntl; from pytest_webbench.host import machine; fcntl.flock = print; "
        "opened = machine._open; machine._open = lambda path: print(path) or exit(); "
        "machine.MachineLock().take('x', wait=False, say=print)"
    )
    places = set()
    for folder in ("/tmp", "/var/tmp"):
        environment = {**os.environ, "TMPDIR": folder, "HOME": folder, "XDG_RUNTIME_DIR": folder}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        places.add(done.stdout.strip())
    assert places == {f"/tmp/pytest-webbench-{os.getuid()}.lock"}
