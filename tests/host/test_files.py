"""Files are written whole or not at all, even if interrupted."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_webbench.host.files import write_whole

LARGE = b"x" * 100_000

FULL = """
import resource, sys
from pathlib import Path
from pytest_webbench.host.files import write_whole

folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for name in ("old", "new"):
    try:
        write_whole(folder / name, b"x" * 100_000)
    except OSError as error:
        print(error.strerror)
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
