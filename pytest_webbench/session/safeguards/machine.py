"""One run per machine: waits for or rejects other runs, and removes leftovers of killed runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from pytest_webbench.host.leftovers import describe_swept, sweep, temporary_folders
from pytest_webbench.host.machine import MachineLock
from pytest_webbench.model.settings import Settings

__all__ = ["COPIES", "HavingMachine", "uncaptured"]

COPIES = "against"
"""The folder for copies of the compared commits, within the folder of a run."""


class HavingMachine:
    """A plugin that holds the lock of the machine, from :meth:`take` until pytest is unconfigured."""

    def __init__(self, config: pytest.Config, settings: Settings, folder: Path) -> None:
        self._config = config
        self._settings = settings
        self._folder = folder
        self._lock = MachineLock()

    def take(self) -> None:
        """Take the lock before the first launch; further calls do nothing.

        Raises :class:`~pytest_webbench.model.errors.UsageError` if another run holds it.
        """
        if self._lock.take(self._folder, wait=self._settings.wait, say=self._say):
            swept = sweep([*temporary_folders(), *self._settings.output.glob(f"*/{COPIES}")])
            if swept.folders:
                self._say(f"removed what a killed run had left behind: {describe_swept(swept)}")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _say(self, line: str) -> None:
        with uncaptured(self._config):
            sys.stdout.write(f"webbench: {line}\n")
            sys.stdout.flush()


@contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Bypass pytest's capturing, starting on a new line."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        sys.stdout.write("\n")
        yield
