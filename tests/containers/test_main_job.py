"""The main job in containers: each stack with another set of versions, all 35 cells, an interrupted run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.stacks.docker.engine import Engine
from pytest_webbench.suites.items import SCENARIOS, STACKS

pytestmark = [pytest.mark.container, pytest.mark.usefixtures("engine", "leftovers")]

RUN_LIMIT_S = 900
POLL_S = 0.02


def _command(*arguments: str) -> list[str]:
    base = [sys.executable, "-m", "pytest", "--webbench", "-p", "no:cacheprovider"]
    return [*base, "--webbench-profile=smoke", *arguments]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), cwd=folder, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False
    )


def _rows(file: Path) -> dict[str, dict[str, Any]]:
    """What we say of each cell, without the rows of its other metrics."""
    rows = json.loads(file.read_text())["benchmarks"]
    cells = [row for row in rows if row["extra_info"]["metric"] == "time_per_request"]
    return {row["name"]: row["extra_info"]["webbench"] for row in cells}


def _check_cells(
    folder: Path, scenarios: Sequence[str], python: str, *, alone: bool
) -> dict[str, dict[str, Any]]:
    """Assert on what a run in ``folder`` measured; what is said of each cell."""
    rows = _rows(folder / "figures.json")
    assert set(rows) == {f"{scenario}[{stack.name}]" for scenario in scenarios for stack in STACKS}
    for name, ours in rows.items():
        assert ours["launcher"] == "container", name
        assert ours["errors"] == {}, name
        assert ours["server_cpu_s_per_request"] > 0, name
        assert ours["server_peak_rss_bytes"] > 10 << 20, name
        assert ours["config"]["image_bytes"] > 0, name
        assert ours["versions"]["python"].startswith(python), name
    (trials,) = (folder / ".webbench").glob("*/trials.jsonl")
    shares = [json.loads(line)["trial"]["load"]["held"] for line in trials.read_text().splitlines()]
    even = [held for held in shares if held and max(held) - min(held) <= 1]  # seen from outside of it, too
    assert len(shares) == len(rows)
    assert len(even) >= (0.9 if alone else 0.5) * len(
        rows
    )  # evening out takes time, which a busy machine lacks
    return rows


def test_auto_measures_in_containers_with_the_versions_of_the_paper(tmp_path: Path) -> None:
    words = ("--webbench-versions=paper", "--webbench-scenario=hello,update_item")
    done = _run(tmp_path, *words, "--benchmark-json=figures.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout
    assert "webbench: containers (" in done.stdout
    rows = _check_cells(tmp_path, ("hello", "update_item"), "3.11.", alone=False)
    versions = {name: ours["versions"] for name, ours in rows.items()}
    assert {each["gunicorn"] for each in versions.values()} == {"23.0.0"}
    assert versions["hello[fastapi-sqlalchemy]"]["fastapi"] == "0.115.12"
    assert versions["hello[fastapi-sqlalchemy]"]["sqlmodel"] == "0.0.24"
    assert versions["hello[flask-sqlalchemy]"]["flask"] == "3.1.0"
    assert versions["hello[flask-sqlalchemy]"]["flask-sqlalchemy"] == "3.1.1"
    assert versions["hello[django-drf]"]["django"] == "5.2.1"
    assert versions["hello[django-drf]"]["djangorestframework"] == "3.16.0"


@pytest.mark.alone
@pytest.mark.slow
def test_auto_measures_all_35_cells_in_containers(tmp_path: Path) -> None:
    done = _run(tmp_path, "--benchmark-json=figures.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "35 passed" in done.stdout
    _check_cells(tmp_path, [scenario.name for scenario in SCENARIOS], "3.13.", alone=True)


@pytest.mark.parametrize(
    ("number", "times"),
    [
        (signal.SIGINT, 2),
        (signal.SIGTERM, 1),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 2, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_leaves_nothing(
    engine: Engine, tmp_path: Path, leftovers: Callable[[], set[str]], number: signal.Signals, times: int
) -> None:
    before = leftovers()
    with subprocess.Popen(
        _command("--webbench-stack=flask-sqlite3", "--webbench-rounds=100"),
        cwd=tmp_path,
        env={**os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            _wait_for_a_trial(tmp_path, process)
            for _ in range(times):
                process.send_signal(number)
            output, _ = process.communicate(timeout=RUN_LIMIT_S)
        finally:
            process.kill()
    code = 128 + number if number == signal.SIGTERM else pytest.ExitCode.INTERRUPTED
    assert process.returncode == code, output
    assert leftovers() == before


def _wait_for_a_trial(folder: Path, process: "subprocess.Popen[str]") -> None:
    """Poll until a trial is on disk: an event of another process that nobody announces."""
    deadline = time.monotonic() + RUN_LIMIT_S
    while not any(file.read_text() for file in folder.glob(".webbench/*/trials.jsonl")):
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, "no trial was made"
        time.sleep(POLL_S)
