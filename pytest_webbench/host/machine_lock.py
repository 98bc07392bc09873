"""One measurement at a time: two that run at once on a machine spoil each other's figures."""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_webbench.model.errors import UsageError

__all__ = ["PLACE", "MachineLock"]

PLACE = "WEBBENCH_LOCK_DIR"
"""The environment variable that names another folder for the lock."""
_FOLDER = Path("/tmp")  # noqa: S108 - the one place that all runs of a user share, whatever their environment


class MachineLock:
    """The lock that each run holds while it measures, for all runs of a user on a machine.

    The kernel lets go of it however the run ends. What the file says is for people: who holds it.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._has_tried = False

    def take(self, folder: Path, *, wait: bool, say: Callable[[str], None]) -> bool:
        """Take the lock for the run in ``folder``; with ``wait``, when the one that has it has ended.

        Whether this was the first time. Raises :class:`~pytest_webbench.model.errors.UsageError` that names
        the other run. Where there can be no such lock, that is said and the run goes on.
        """
        if self._has_tried:
            return False
        self._has_tried = True
        path = Path(os.environ.get(PLACE) or _FOLDER) / f"pytest-webbench-{os.getuid()}.lock"
        try:
            descriptor = _open(path)
        except OSError as error:
            say(f"whether another run measures on this machine is not known: {path}: {error.strerror}")
            return True
        try:
            _lock(descriptor, wait=wait, say=say)
            os.ftruncate(descriptor, 0)
            about = {"pid": os.getpid(), "started": time.time(), "folder": str(folder)}
            os.pwrite(descriptor, json.dumps(about).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let the next one in. Safe to call again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int:
    """A descriptor of the file, made if need be; raises :class:`OSError` if it is somebody else's."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    about = os.fstat(descriptor)
    if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise PermissionError(0, "it is not a file of this user")
    return descriptor


def _lock(descriptor: int, *, wait: bool, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = _describe(descriptor)
        if not wait:
            raise UsageError(
                f"another run measures on this machine, and two would spoil each other's figures: {other}",
                hint="wait for its end with --webbench-wait, or end it",
            ) from None
        say(f"waiting for the run that measures on this machine: {other}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _describe(descriptor: int) -> str:
    """Who holds the lock, as the file says; it may be about to be written."""
    about: dict[str, Any] = {}
    with suppress(ValueError):
        about = json.loads(os.pread(descriptor, 1 << 16, 0))
    try:
        since = datetime.fromtimestamp(about["started"]).astimezone()
        return f"process {about['pid']}, since {since:%Y-%m-%d %H:%M:%S}, in {about['folder']}"
    except (KeyError, TypeError, ValueError, OverflowError):
        return "a process that has only just begun"
