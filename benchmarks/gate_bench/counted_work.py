"""Additional work that an application does for each request, in units that are counted.

This file is copied beside an application. Nothing of the project is imported here.
"""

import hashlib
import os
import threading
from pathlib import Path

TREE, _units = Path(__file__).with_name("units.txt").read_text().split()
UNITS = int(_units)
"""Units per request. Base and head differ only in this and the name of the tree."""
BLOCK = bytes(1024)  # so short that hashlib keeps the interpreter's lock, as Python code does
TELL_EVERY = 10


class Counter:
    """The work that this process has done so far, in all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._units = 0

    def add(self, units: int) -> None:
        """Count a request with ``units``; every tenth time, write to the log.

        Not at the end: a worker of Gunicorn may be ended by a second signal while it shuts down.
        """
        with self._lock:
            self._requests += 1
            self._units += units
            requests, done = self._requests, self._units
        if requests % TELL_EVERY == 0:
            line = f"counted tree={TREE} pid={os.getpid()} requests={requests} units={done}\n"
            print(line, end="", flush=True)  # in one piece, since the workers share the log


counter = Counter()


def work() -> None:
    """Do the units of one request."""
    done = 0
    for _ in range(UNITS):
        hashlib.sha256(BLOCK).digest()
        done += 1
    counter.add(done)
