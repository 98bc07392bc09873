"""Owners of temporary folders and containers, and the sweep of those that killed runs left behind.

A file in each folder names the owner, for people and for the sweep, and the owner holds a lock on that file.
The lock decides: the kernel releases it however its holder ends, and neither a reused process id nor a
changed clock can mislead it.
"""

import fcntl
import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_webbench.host.closing import close_despite_interrupt

__all__ = ["Claim", "Owner", "Swept", "describe_swept", "owned_folder", "sweep", "temporary_folders"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process on a machine; its start time distinguishes it from a later one with the same id."""

    host: str
    pid: int
    started: int

    @classmethod
    def ourselves(cls) -> "Owner":
        """Return this process."""
        return cls.of(psutil.Process())

    @classmethod
    def of(cls, process: psutil.Process) -> "Owner":
        """Return a process of this machine; raises :class:`psutil.Error` if it has ended."""
        return cls(host=socket.gethostname(), pid=process.pid, started=int(process.create_time()))

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """Return the inverse of ``str``; ``None`` if ``text`` is something else."""
        try:
            host, pid, started = text.rsplit("/", 2)
            return cls(host=host, pid=int(pid), started=int(started))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def is_here(self) -> bool:
        """Return whether it is a process of this machine."""
        return self.host == socket.gethostname()

    def lives(self) -> bool:
        """Return whether the process still runs; one on another machine is assumed to."""
        return not self.is_here() or self.process() is not None

    def process(self) -> psutil.Process | None:
        """Return the process, if it runs on this machine."""
        try:
            process = psutil.Process(self.pid)
            found = abs(process.create_time() - self.started) < 2
        except psutil.Error:
            return None
        return process if found and self.is_here() else None


PREFIX = "webbench-"
OWNER = "webbench-owner"
"""The file with the owner in its first line, and the first process of each launch in those after it."""
END_TIMEOUT_S = 10.0


class Claim:
    """Marks ``folder``, which must exist, as belonging to this process until it ends or :meth:`remove`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(folder / OWNER, flags, 0o600)
        self.release = weakref.finalize(self, os.close, self._descriptor)
        """Gives up the ownership, as the end of this process does."""
        with suppress(OSError):  # a file system without locks; there nothing is swept
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._write(Owner.ourselves())

    def add(self, pid: int) -> None:
        """Note a process that must end with this one."""
        with suppress(psutil.Error):  # it has ended already
            self._write(Owner.of(psutil.Process(pid)))

    def _write(self, owner: Owner) -> None:
        os.write(self._descriptor, f"{owner}\n".encode())

    def remove(self) -> None:
        """Remove the folder. Safe to call again, even after an interruption."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()


@contextmanager
def owned_folder() -> Iterator[Claim]:
    """Yield a new temporary folder of this process; remove it at the end, even after an interrupt."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        claim = Claim(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield claim
    finally:
        close_despite_interrupt(claim.remove)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The swept folders, and the number of ended processes."""

    folders: tuple[Path, ...]
    processes: int


def describe_swept(swept: Swept) -> str:
    """Return a description such as ``2 processes; /tmp/webbench-a, /tmp/webbench-b``."""
    processes = f"{swept.processes} process{'es' * (swept.processes != 1)}; " if swept.processes else ""
    return processes + ", ".join(map(str, swept.folders))


def temporary_folders() -> list[Path]:
    """Return the folders that :func:`owned_folder` created in this user's temporary directory."""
    return sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


def sweep(folders: Iterable[Path]) -> Swept:
    """Remove those of ``folders`` whose owner is gone, and end the processes noted in them.

    Folders of other users, unclaimed folders and those that this process may not touch are left alone.
    """
    swept, ended = [], 0
    for folder in folders:
        with _taken_over(folder) as lines:
            if lines is None:
                continue
            ended += _end(folder, [owner for line in lines[1:] if (owner := Owner.parse(line))])
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                swept.append(folder)
    return Swept(folders=tuple(swept), processes=ended)


@contextmanager
def _taken_over(folder: Path) -> Iterator[list[str] | None]:
    """Yield the lines of the owner's file of ``folder`` if the owner is gone; else ``None``."""
    try:
        descriptor = os.open(folder / OWNER, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        yield None
        return
    try:
        yield _content_if_free(folder, descriptor)
    finally:
        os.close(descriptor)


def _content_if_free(folder: Path, descriptor: int) -> list[str] | None:
    try:
        about = folder.lstat()
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = os.read(descriptor, 1 << 16).decode(errors="replace")
    except OSError:  # it is held, or the folder is gone
        return None
    ours = about.st_uid == os.getuid() == os.fstat(descriptor).st_uid and not folder.is_symlink()
    lines = content.splitlines()
    owner = Owner.parse(lines[0]) if lines else None  # else it is being claimed this moment
    return lines if ours and owner is not None and owner.is_here() else None


def _end(folder: Path, leaders: list[Owner]) -> int:
    """Kill the sessions that ``leaders`` began, and all processes with ``folder`` as home.

    Returns their number.
    """
    sessions = {leader.pid for leader in leaders if leader.process() is not None}
    doomed = [process for process in psutil.process_iter() if _belongs(process, sessions, folder)]
    for process in doomed:
        with suppress(psutil.Error):
            process.kill()  # psutil refuses if the process id has been reused
    psutil.wait_procs(doomed, END_TIMEOUT_S)
    return len(doomed)


def _belongs(process: psutil.Process, sessions: set[int], folder: Path) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        if os.getsid(process.pid) in sessions:
            return True
        return process.uids().real == os.getuid() and process.environ().get("HOME") == str(folder)
    except (psutil.Error, OSError):
        return False
