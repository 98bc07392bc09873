"""Saved runs, written and read: the module that writes a file also reads it."""

from pytest_webbench.runs.store.folder import RunFolder
from pytest_webbench.runs.store.reading import MOST_BYTES, read_run

__all__ = ["MOST_BYTES", "RunFolder", "read_run"]
