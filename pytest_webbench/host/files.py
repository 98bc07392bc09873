"""Atomic writes, and disk errors turned into errors of the stack that needed the disk."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pytest_webbench.model.errors import StackError, StartError

__all__ = ["check_writable", "disk_faults", "full_folder", "raise_if_full", "write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` atomically: until all of it is on the disk, the old file stays.

    Anything but a regular file (a pipe, ``/dev/stdout``) is written directly. Raises :class:`OSError`.
    """
    if Path("/dev") in path.absolute().parents or (path.exists() and not path.is_file()):
        path.write_bytes(content)
        return
    target = Path(os.path.realpath(path))  # a link stays a link
    with _temporary(target.parent, content) as temporary:
        temporary.replace(target)


def check_writable(path: Path) -> None:
    """Raise :class:`OSError` if :func:`write_whole` could not write ``path``; changes nothing."""
    if Path("/dev") in path.absolute().parents or (path.exists() and not path.is_file()):
        path.open("ab").close()
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _temporary(target.parent, b"?"):
        pass


@contextmanager
def _temporary(folder: Path, content: bytes) -> Iterator[Path]:
    """Yield a file with ``content`` in ``folder`` that no pattern for JSON matches; remove it at the end."""
    path = folder / f".{uuid4().hex}.tmp"
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield path
    finally:
        path.unlink(missing_ok=True)


LEAST_FREE = 1 << 20
"""With fewer free bytes than this, a stack's database cannot grow, and commands cannot print rows."""
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_faults(name: str, cannot: str = "cannot be launched") -> Iterator[None]:
    """Raise ``StartError`` for an :class:`OSError` in work for stack ``name``.

    If the temporary folder is full, a failure of the stack itself says so as well: programs
    report a full disk in their own ways, or not at all.
    """
    try:
        yield
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        failure: StackError = StartError(
            f"{name} {cannot}: {(error.strerror or type(error).__name__).lower()}{place}",
            hint="free some space, or choose another folder with TMPDIR" if error.errno in FULL else "",
        )
    except StackError as error:
        full = full_folder(Path(tempfile.gettempdir()))
        if full is None:
            raise
        failure = type(error)(
            f"{error.message.rstrip('.')}; there is no space left in {full}",
            evidence=error.evidence,
            hint="free some space, or choose another folder with TMPDIR",
        )
    else:
        return
    raise failure from None


def raise_if_full(errors: Iterable[StackError]) -> None:
    """Raise the first of ``errors``, within :func:`disk_faults`, if the temporary folder is full.

    Then the failed scenarios are not at fault, and the others cannot be trusted.
    """
    for error in errors:
        if full_folder(Path(tempfile.gettempdir())) is not None:
            raise error
        return


def full_folder(folder: Path, least: int = LEAST_FREE) -> str | None:
    """Return ``folder`` with its free space, in words, if that is less than ``least`` bytes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return f"{folder} ({free >> 10} KiB free)" if free < least else None
