"""Temporary folders: gone when they are left, and swept by the next run if their owner was killed."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pytest_webbench.host.leftovers import (
    OWNER,
    Claim,
    describe_swept,
    owned_folder,
    sweep,
    temporary_folders,
)
from tests.processes import gone

HOLDER = """
import os, subprocess, sys, time
from pytest_webbench.host.leftovers import owned_folder

with owned_folder() as claim:
    (claim.folder / "data").write_text("x")
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    leader = subprocess.Popen(sleep, start_new_session=True)
    claim.add(leader.pid)
    elsewhere = subprocess.Popen(sleep, start_new_session=True, env={**os.environ, "HOME": str(claim.folder)})
    other = subprocess.Popen(sleep, start_new_session=True)
    print(claim.folder, leader.pid, elsewhere.pid, other.pid, flush=True)
    sys.stdin.read()
    for each in (leader, elsewhere, other):
        each.kill()
        each.wait()
"""


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def hold() -> tuple["subprocess.Popen[str]", Path, list[psutil.Process]]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    folder, *pids = holder.stdout.readline().split()
    return holder, Path(folder), [psutil.Process(int(pid)) for pid in pids]


def test_what_a_killed_run_left_is_swept_with_its_processes_and_nothing_else() -> None:
    holder, folder, (leader, elsewhere, other) = hold()
    with holder:
        holder.send_signal(signal.SIGKILL)
    try:
        assert folder.exists()
        swept = sweep(temporary_folders())
        assert swept.folders == (folder,)
        assert swept.processes == 2
        assert describe_swept(swept) == f"2 processes; {folder}"
        assert not folder.exists()
        assert gone([leader, elsewhere])
        assert other.is_running()
    finally:
        other.kill()


def test_what_a_living_run_has_is_left_alone() -> None:
    holder, folder, processes = hold()
    with holder:
        assert sweep(temporary_folders()).folders == ()
        assert (folder / "data").exists()
        assert all(each.is_running() for each in processes)
        holder.communicate("", timeout=60)
    assert not folder.exists()


def test_a_process_whose_number_is_used_again_is_not_killed(tmp_path: Path) -> None:
    folder = tmp_path / "webbench-old"
    folder.mkdir()
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(sleep, start_new_session=True) as innocent:
        claim = Claim(folder)
        claim.add(innocent.pid)
        claim.release()
        file = folder / OWNER
        host, pid, started = file.read_text().splitlines()[1].rsplit("/", 2)
        owner = file.read_text().splitlines()[0]
        file.write_text(f"{owner}\n{host}/{pid}/{int(started) - 1000}\n")
        assert sweep([folder]).processes == 0
        assert innocent.poll() is None
        assert not folder.exists()
        innocent.kill()


@pytest.mark.parametrize("content", [None, "", "nonsense\n", "another-machine/1/1\n"])
def test_a_folder_that_is_not_known_to_be_a_dead_runs_is_left_alone(
    tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "webbench-mine"
    folder.mkdir()
    (folder / "thesis").write_text("x")
    if content is not None:
        (folder / OWNER).write_text(content)
    assert sweep(temporary_folders()).folders == ()
    assert (folder / "thesis").exists()


def test_a_folder_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "webbench-theirs"
    folder.mkdir()
    Claim(folder).release()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert sweep([folder]).folders == ()
    assert folder.exists()


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    Claim(folder).release()
    link = tmp_path / "webbench-link"
    link.symlink_to(folder)
    assert sweep([link]).folders == ()
    assert folder.exists()


def test_an_interrupt_of_the_removal_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupts = [KeyboardInterrupt()]
    remove = shutil.rmtree

    def interrupted(folder: Path, *, ignore_errors: bool) -> None:
        if interrupts:
            raise interrupts.pop()
        remove(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), owned_folder() as claim:
        (claim.folder / "data").write_text("x")
    assert temporary_folders() == []
