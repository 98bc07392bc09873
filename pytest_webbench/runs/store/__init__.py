"""Saved runs: each file of a run's folder is written and read in a module of its own."""

from pytest_webbench.runs.store.folder import RunFolder
from pytest_webbench.runs.store.reading import MOST_BYTES, read_run

__all__ = ["MOST_BYTES", "RunFolder", "read_run"]
