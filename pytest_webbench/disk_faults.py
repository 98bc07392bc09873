"""A disk that is full or cannot be written to, as an error of the stack that needed it."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_webbench.errors import StackError, StartError

__all__ = ["disk_faults", "full_folder"]

LEAST_FREE = 1 << 20
"""With fewer bytes than these left, a database of a stack cannot grow, nor a command print its rows."""
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_faults(name: str, cannot: str = "cannot be launched") -> Iterator[None]:
    """Raise :class:`~pytest_webbench.errors.StartError` for an :class:`OSError` in work for stack ``name``.

    To a failure of the stack itself it adds that the temporary folder is full, where it is: programs that
    find no space left say so in their own ways, or not at all.
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


def full_folder(folder: Path, least: int = LEAST_FREE) -> str | None:
    """``folder`` and how much space it has left, in words, if that is less than ``least`` bytes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return f"{folder} ({free >> 10} KiB free)" if free < least else None
