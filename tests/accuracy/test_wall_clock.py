"""The wall clock is set back in the middle of a load."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import pytest_webbench

from .measuring import nearest_rank, within_the_bound
from .noise import attempted
from .requiring import require
from .running import Program

ROOT = Path(pytest_webbench.__file__).parents[1]
SET_BACK_S = 3600
SET_BACK_AT = 150
MEDIAN_S = 0.25
USERS = 120
DURATION_S = 2.5
RATE = 200
REQUESTS = 500
TIMES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99}

SITECUSTOMIZE = '''
"""In each Python process: write down what the wall clock says, less what the monotonic clock says."""
import ctypes, os, pathlib, select, threading, time

# Two known faults of libfaketime: though told to leave the monotonic clock alone, it moves the timers of that
# clock in clock_nanosleep, by which Python sleeps, and in timerfd_settime.
time.sleep = lambda seconds: select.select([], [], [], seconds)
load_library = ctypes.CDLL
ctypes.CDLL = lambda name, *args, **more: load_library(name or "libc.so.6", *args, **more)

def watch():
    log = pathlib.Path(os.environ["WALL_CLOCKS"], str(os.getpid()))
    with log.open("w", buffering=1) as file:
        while True:
            print(time.time() - time.monotonic(), file=file)
            time.sleep(0.25)  # not more often: the load must not wait for this thread

threading.Thread(target=watch, daemon=True).start()
'''


@pytest.fixture
def libfaketime() -> str:
    """The library that gives a process another wall clock; the real one is everybody's."""
    found = [
        *Path("/usr").glob("lib*/faketime/libfaketimeMT.so.1"),
        *Path("/usr/lib").glob("*/faketime/*MT.so.1"),
    ]
    return require("libfaketime", str(found[0]) if found else None, "apt-get install faketime")


class WallClock:
    """The wall clock of the processes that run with ``environment``, which a file sets."""

    def __init__(self, library: str, folder: Path) -> None:
        self._setting = folder / "setting"
        self._logs = folder / "clocks"
        self._logs.mkdir()
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITECUSTOMIZE)
        self.set("+0")
        self.environment = {
            **os.environ,
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._setting),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": str(site),
            "WALL_CLOCKS": str(self._logs),
        }

    def set(self, offset: str) -> None:
        """Set it to the real one with an offset in seconds, all at once."""
        new = self._setting.with_suffix(".new")
        new.write_text(offset)
        new.replace(self._setting)

    def seen(self) -> list[list[float]]:
        """Of each process, what its wall clock was ahead of its monotonic one, in order."""
        logs = sorted(self._logs.iterdir())
        return [[float(line) for line in log.read_text().split("\n")[:-1]] for log in logs]


def run_command(words: Sequence[str], wall_clock: WallClock) -> tuple[dict[str, Any], list[float]]:
    """What ``python -m pytest_webbench.load`` says, and the server's log; the clock is set back meanwhile."""
    with Program("delaying", MEDIAN_S, 0.5, SET_BACK_AT) as server:
        command = [sys.executable, "-m", "pytest_webbench.load", server.url, "--json"]
        command += ["--users", f"{USERS}", *words]
        with subprocess.Popen(
            command,
            env=wall_clock.environment,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            start_new_session=True,
        ) as load:
            try:
                assert server.line() == f"request {SET_BACK_AT}"
                wall_clock.set(f"-{SET_BACK_S}")
                out, _ = load.communicate(timeout=60)
            finally:
                load.kill()
        account = server.account()
    assert load.returncode == 0
    return json.loads(out), [each / 1e9 for each in account["spent_ns"]]


@pytest.mark.parametrize(
    "words",
    [
        ("--requests", f"{REQUESTS}"),
        ("--duration", f"{DURATION_S}"),
        ("--requests", f"{REQUESTS}", "--rate", f"{RATE}"),
        ("--requests", f"{REQUESTS}", "--rate", f"{RATE}", "--generators", "2"),
    ],
    ids=["closed loop", "closed loop for a time", "open loop", "open loop by two generators"],
)
def test_it_changes_nothing(words: Sequence[str], libfaketime: str, tmp_path: Path) -> None:
    def measure() -> tuple[object, object]:
        wall_clock = WallClock(libfaketime, Path(tempfile.mkdtemp(dir=tmp_path)))
        said, spent_s = run_command(words, wall_clock)
        assert_set_back_once(wall_clock, processes=1 + said["generators"])
        assert said["errors"] == {}
        assert said["requests_sent"] == said["requests_ok"] + said["in_flight"]
        assert_right_end(words, said, spent_s)
        # The server's log, which nobody has set back, is the truth.
        truth_s = [nearest_rank(spent_s, share) for share in TIMES.values()]
        return [said[name] for name in TIMES], [within_the_bound(each) for each in truth_s]

    seen, expected = attempted(measure)
    assert seen == expected


def assert_set_back_once(wall_clock: WallClock, processes: int) -> None:
    """It was set back indeed, in the command and in all its generators."""
    clocks = wall_clock.seen()
    assert len(clocks) == processes
    for seen in clocks:
        assert seen[-1] - seen[0] == pytest.approx(-SET_BACK_S, abs=1)


def assert_right_end(words: Sequence[str], said: dict[str, Any], spent_s: list[float]) -> None:
    """The load ended when it had to, by arithmetic."""
    if "--duration" in words:
        assert DURATION_S <= said["elapsed_s"] < DURATION_S + 1
        return
    assert said["requests_ok"] == len(spent_s) == REQUESTS
    if "--rate" in words:
        # From the start to the end of the last request; each ends a latency after it was due.
        last_due_s = (REQUESTS - 1) / RATE
        assert last_due_s <= said["elapsed_s"] <= last_due_s + said["max_s"]
    else:
        least_s = sum(spent_s) / USERS
        assert least_s <= said["elapsed_s"] < least_s + max(spent_s) + 1
