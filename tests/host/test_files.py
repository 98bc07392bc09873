"""Files are written whole or not at all, whatever happens in between."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from pytest_webbench.host.files import write_new, write_whole

LARGE = b"x" * 100_000

FULL = """
import resource, sys
from pathlib import Path
from pytest_webbench.host.files import write_new, write_whole

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for write in (
    lambda: write_whole(folder / "old", b"x" * 100_000),
    lambda: write_new(folder, lambda: "new", b"x" * 100_000),
):
    try:
        write()
    except OSError as error:
        print(error.strerror)
"""

SAVE_MANY = """
import sys
from pathlib import Path
from pytest_webbench.host.files import write_new

folder, me = Path(sys.argv[1]), sys.argv[2]

def choose():
    taken = [int(file.name[:4]) for file in folder.glob("[0-9][0-9][0-9][0-9]_*")]
    return f"{max(taken, default=0) + 1:04}_{me}"

print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    write_new(folder, choose, f"{me} {number}".encode())
"""


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    for content in (b"old", b"new"):
        write_whole(file, content)
        assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    """The kernel refuses to let a file grow beyond a limit, as it refuses on a disk that is full."""
    (tmp_path / "old").write_text("old")
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines() == [os.strerror(errno.EFBIG)] * 2
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link, target = tmp_path / "latest", tmp_path / "there" / "file"
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        write_whole(Path("/dev/full"), LARGE)
    assert Path("/dev/full").is_char_device()


def test_a_name_that_is_taken_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("theirs")
    (tmp_path / "2").symlink_to("nowhere")
    names = map(str, count(1))
    assert write_new(tmp_path, lambda: next(names), b"ours").name == "3"
    assert (tmp_path / "1").read_text() == "theirs"
    with pytest.raises(FileExistsError):
        write_new(tmp_path, lambda: "1", b"ours")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1", "2", "3"]


def test_where_there_are_no_hard_links_nothing_is_replaced_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "1").write_text("theirs")
    names = map(str, count(1))
    assert write_new(tmp_path, lambda: next(names), b"ours").read_bytes() == b"ours"
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"1": "theirs", "2": "ours"}


@contextmanager
def saving(folder: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", SAVE_MANY, str(folder), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_processes_that_save_at_once_lose_nothing_and_share_no_number(tmp_path: Path) -> None:
    with saving(tmp_path, "a") as one, saving(tmp_path, "b") as two, saving(tmp_path, "b") as three:
        for process in (one, two, three):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in (one, two, three):
            assert process.wait(timeout=60) == 0
    files = sorted(tmp_path.iterdir())
    assert [int(file.name[:4]) for file in files] == list(range(1, 76))
    written = sorted(file.read_text() for file in files)
    assert written == sorted(f"{name} {number}" for name in "abb" for number in range(25))
