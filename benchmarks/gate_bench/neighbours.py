"""Other work on the machine that keeps all its processors busy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["busy_processors"]

HOG = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""
"""Ends with the process that started it, even if that is killed."""


@contextmanager
def busy_processors(*, busy: bool) -> Iterator[None]:
    """Keep one process per processor computing, if ``busy``, until the context is left."""
    with ExitStack() as started:
        for _ in range((os.cpu_count() or 1) if busy else 0):
            process = subprocess.Popen(
                [sys.executable, "-c", HOG, str(os.getpid())], stdin=subprocess.DEVNULL
            )
            started.callback(process.wait)
            started.callback(process.kill)
        yield
