"""Whether processes have ended."""

import time
from collections.abc import Callable, Iterable

import psutil

__all__ = ["gone", "lives", "soon"]

LIMIT_S = 60


def soon(holds: Callable[[], bool], limit_s: float = LIMIT_S) -> bool:
    """Whether it comes true; for what nobody announces."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether all have ended; waits for those that are about to."""
    watched = list(processes)
    return soon(lambda: not any(map(lives, watched)))


def lives(process: psutil.Process) -> bool:
    """Whether it has not ended; one that nobody has waited for has."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
