"""Work that an application does for each request beside its own, in units that are counted.

This file is copied beside an application. Nothing of the project is imported here.
"""

import hashlib
import os
import threading
from pathlib import Path

TREE, _units = Path(__file__).with_name("units.txt").read_text().split()
UNITS = int(_units)
"""Units for each request. This and the name of the tree are all in which base and head differ."""
BLOCK = bytes(1024)  # so short that hashlib keeps the interpreter's lock, as Python code does
TELL_EVERY = 10


class Counter:
    """What this process has done so far, for all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._units = 0

    def add(self, units: int) -> None:
        """A request with ``units`` is over; every tenth time the log is told.

        Not at the end: a worker of Gunicorn may be ended by a second signal while it ends.
        """
        with self._lock:
            self._requests += 1
            self._units += units
            requests, done = self._requests, self._units
        if requests % TELL_EVERY == 0:
            line = f"counted tree={TREE} pid={os.getpid()} requests={requests} units={done}\n"
            print(line, end="", flush=True)  # in one piece, for the workers share the log


counter = Counter()


def work() -> None:
    """Do the units of one request."""
    done = 0
    for _ in range(UNITS):
        hashlib.sha256(BLOCK).digest()
        done += 1
    counter.add(done)
