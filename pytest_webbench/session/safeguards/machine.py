"""The machine for one run alone: other runs are kept out, and what killed ones left is swept."""

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
"""The folder of a run that has the copies of what is compared, while it runs."""


class HavingMachine:
    """A plugin of a run that is about to measure, from :meth:`take` until pytest is unconfigured."""

    def __init__(self, config: pytest.Config, settings: Settings, folder: Path) -> None:
        self._config = config
        self._settings = settings
        self._folder = folder
        self._lock = MachineLock()

    def take(self) -> None:
        """Before the first launch; further calls do nothing.

        Raises :class:`~pytest_webbench.model.errors.UsageError` if another run has the machine.
        """
        if self._lock.take(self._folder, wait=self._settings.wait, say=self._say):
            swept = sweep([*temporary_folders(), *self._settings.output.glob(f"*/{COPIES}")])
            if swept.folders:
                self._say(f"removed what a killed run had left: {describe_swept(swept)}")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Let the next one in."""
        self._lock.release()

    def _say(self, line: str) -> None:
        with uncaptured(self._config):
            sys.stdout.write(f"webbench: {line}\n")
            sys.stdout.flush()


@contextmanager
def uncaptured(config: pytest.Config) -> Iterator[None]:
    """Let what is written be seen at once, on a line of its own."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        sys.stdout.write("\n")
        yield
