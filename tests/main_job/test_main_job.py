"""The main job with real servers: what a user starts, and what must be there when it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_webbench.model.codec import from_json
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.stack import VERSION_SETS
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

RUN_LIMIT_S = 600
POLL_S = 0.02


def webbench(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``pytest --webbench`` in ``folder`` to its end."""
    return subprocess.run(
        _command(*arguments),
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )


def _command(*arguments: str) -> list[str]:
    base = [sys.executable, "-m", "pytest", "--webbench", "-p", "no:cacheprovider"]
    if not any(each.startswith("--webbench-url") for each in arguments):
        base.append("--webbench-launcher=process")
    return [*base, *arguments]


def _rows(file: Path) -> dict[str, dict[str, Any]]:
    """The row of each cell, without those of its other metrics."""
    rows = json.loads(file.read_text())["benchmarks"]
    return {row["name"]: row for row in rows if row["extra_info"]["metric"] == "time_per_request"}


def _stacks_running(folder: Path) -> list[psutil.Process]:
    """The servers of the run whose temporary folder is ``folder``; others may be at work, too."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("HOME", "").startswith(f"{folder}/")
    ]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("smoke")
    done = webbench(
        folder,
        "--webbench-profile=smoke",
        "--webbench-seed=7",
        "--benchmark-json=figures.json",
        "--benchmark-autosave",
    )
    return folder, done


@pytest.mark.alone
def test_smoke_measures_all_35_cells(smoke: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = smoke
    assert done.returncode == 0, done.stdout + done.stderr
    assert "35 passed" in done.stdout
    rows = _rows(folder / "figures.json")
    assert set(rows) == {f"{scenario.name}[{stack.name}]" for scenario in SCENARIOS for stack in STACKS}
    for name, row in rows.items():
        ours = row["extra_info"]["webbench"]
        assert ours["errors"] == {}, name
        assert ours["requests_sent"] == ours["requests_ok"] + ours["in_flight"], name
        assert ours["server_cpu_s_per_request"] > 0, name
        assert ours["server_peak_rss_bytes"] > 10 << 20, name
        assert 0 < ours["ttfb_p50_s"] <= ours["p99_s"], name
        assert ours["startup_s"] > 0, name
        assert ours["config"]["journal_mode"] == "WAL", name
        assert {"python", "gunicorn"} <= set(ours["versions"]), name
        assert row["fullname"] == f"webbench/items::{name}"
        assert row["group"] == row["extra_info"]["scenario"]


@pytest.mark.alone
def test_exact_numbers_of_requests_are_shared_by_the_users(
    smoke: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    rows = _rows(smoke[0] / "figures.json")
    for stack in STACKS:
        assert rows[f"get_item[{stack.name}]"]["extra_info"]["webbench"]["requests_ok"] == 20
        assert rows[f"delete_item[{stack.name}]"]["extra_info"]["webbench"]["requests_ok"] == 10


@pytest.mark.alone
def test_every_trial_is_on_disk_and_can_be_read_again(
    smoke: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    (file,) = (smoke[0] / ".webbench").glob("*/trials.jsonl")
    trials = [from_json(Measurement, json.loads(line)["trial"]) for line in file.read_text().splitlines()]
    assert len(trials) == 35
    even = [trial for trial in trials if trial.load.held == (-(-trial.users // 2), trial.users // 2)]
    assert len(even) >= 32  # two workers, each with as many connections; a starved machine has no time for it
    for trial in trials:
        assert len(trial.load.latency_ns) == trial.load.ok
        assert trial.state.checked
        assert trial.state.faults == ()


@pytest.mark.alone
def test_a_second_run_needs_no_network_and_compares(
    smoke: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = smoke
    done = webbench(
        folder,
        "--webbench-profile=smoke",
        "-k",
        "hello and flask-sqlite3",
        "--benchmark-compare",
        UV_OFFLINE="1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello[flask-sqlite3] (0001" in done.stdout


def test_ctrl_c_keeps_finished_trials_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command("--webbench-stack=flask-sqlite3", "--webbench-rounds=50", "--benchmark-autosave"),
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            finished = _wait_for_trials(tmp_path, process, 2)
            assert _stacks_running(tmp_path)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=RUN_LIMIT_S)
        finally:
            process.kill()
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert _stacks_running(tmp_path) == []
    assert not list(tmp_path.glob(".benchmarks/*/*.json"))
    assert len(_trial_lines(tmp_path)) >= finished
    assert "of 50 rounds were made" in output


def test_a_killed_run_leaves_no_server(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command("--webbench-stack=flask-sqlite3", "--webbench-rounds=50"),
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for_trials(tmp_path, process, 1)
            assert _stacks_running(tmp_path)
        finally:
            process.kill()
    servers = _stacks_running(tmp_path)  # they are told by the kernel, and may take a moment
    _, alive = psutil.wait_procs(servers, timeout=30)
    assert alive == []


def _trial_lines(folder: Path) -> list[str]:
    return [
        line for file in folder.glob(".webbench/*/trials.jsonl") for line in file.read_text().splitlines()
    ]


def _wait_for_trials(folder: Path, process: "subprocess.Popen[Any]", count: int) -> int:
    """Poll until ``count`` trials are on disk: an event of another process that nobody announces."""
    deadline = time.monotonic() + RUN_LIMIT_S
    while len(_trial_lines(folder)) < count:
        assert process.poll() is None, "the run ended before it was interrupted"
        assert time.monotonic() < deadline, "no trial was made"
        time.sleep(POLL_S)
    return len(_trial_lines(folder))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stack that somebody else launched and filled; its URL."""
    launcher = ProcessLauncher(cache=default_cache(), logs=tmp_path_factory.mktemp("logs"))
    (stack,) = (stack for stack in STACKS if stack.name == "flask-sqlite3")
    stack = with_versions(stack, VERSION_SETS["current"])
    with launcher.start(stack) as running:
        SUITE.dataset.prepare(running, SUITE.dataset.records(50))
        SUITE.dataset.load(running)
        yield running.base_url


def test_an_attached_server_is_measured_and_what_is_unknown_is_said(server: str, tmp_path: Path) -> None:
    done = webbench(
        tmp_path,
        f"--webbench-url=mine={server}",
        "--webbench-profile=smoke",
        "--benchmark-json=figures.json",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed, 3 skipped" in done.stdout
    assert "the database could not be checked" in done.stdout
    ours = _rows(tmp_path / "figures.json")["list_items[mine]"]["extra_info"]["webbench"]
    assert ours["launcher"] == "attached"
    assert ours["server_cpu_s_per_request"] is None
    assert ours["startup_s"] is None
    assert ours["config"]["records"] == 50


def test_an_attached_server_is_written_to_only_when_that_is_allowed(server: str, tmp_path: Path) -> None:
    done = webbench(
        tmp_path,
        f"--webbench-url=mine={server}",
        "--webbench-allow-writes",
        "--webbench-profile=smoke",
        "--webbench-scenario=*_item",
        "--webbench-requests=5",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_lock_that_does_not_install_fails_its_own_stack_alone(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "bad.lock").write_text("flask==3.1.0 --hash=sha256:" + "0" * 64 + "\n")
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from pytest_webbench import Stack\n"
        "def pytest_webbench_stacks(config):\n"
        "    folder = Path(__file__).parent / 'app'\n"
        "    return [Stack(name='broken', folder=folder, command=('{python}',), lock='bad.lock')]\n"
    )
    done = webbench(
        tmp_path,
        "--webbench-profile=smoke",
        "--webbench-stack=broken,flask-sqlite3",
        "--webbench-scenario=hello",
        "--webbench-cache",
        str(default_cache()),
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "the lock of broken does not install" in done.stdout
    assert "Traceback" not in done.stdout
