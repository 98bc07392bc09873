"""The launcher, the load engine and the profiler of a run, each created at its first use."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import pytest

from pytest_webbench.host.meters.valgrind import refuse_without_valgrind
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import LoadEngine
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher, Meter, Profiler
from pytest_webbench.session.definitions.metrics import ask_meters
from pytest_webbench.stacks.launcher import MeteredLauncher
from pytest_webbench.stacks.process import ProcessLauncher

__all__ = ["Equipment"]


class Equipment:
    """Asks the hooks for each part when it is first needed.

    Creating a launcher may look for a container engine, pull an image, and remove leftovers of killed runs,
    which a run that only collects must not do.
    """

    def __init__(self, config: pytest.Config, settings: Settings, logs: Path) -> None:
        self._config = config
        self._settings = settings
        self._logs = logs

    @cached_property
    def launcher(self) -> Launcher:
        """The launcher of stacks. Raises :class:`~pytest_webbench.model.errors.UsageError`."""
        return MeteredLauncher(self.bare_launcher, self._meters)

    @cached_property
    def bare_launcher(self) -> Launcher:
        """The launcher without meters."""
        launcher: Launcher = self._config.hook.pytest_webbench_launcher(
            config=self._config, settings=self._settings, logs=self._logs
        )
        return launcher

    @cached_property
    def _meters(self) -> "Sequence[Callable[[], Meter]]":
        return ask_meters(self._config, self._settings)

    @cached_property
    def engine(self) -> LoadEngine:
        """The load engine. Raises :class:`~pytest_webbench.model.errors.UsageError`."""
        engine: LoadEngine = self._config.hook.pytest_webbench_engine(
            config=self._config, settings=self._settings
        )
        return engine

    @cached_property
    def profiler(self) -> Profiler:
        """The profiler. Raises :class:`~pytest_webbench.model.errors.UsageError`."""
        profiler: Profiler = self._config.hook.pytest_webbench_profiler(
            config=self._config, settings=self._settings
        )
        return profiler

    def make(self) -> None:
        """Create all parts that the settings ask for, so that missing ones are reported at once.

        Raises :class:`pytest.UsageError`.
        """
        try:
            _ = self.launcher, self.engine
            if self._settings.profile.counts and self.launcher.name == ProcessLauncher.name:
                refuse_without_valgrind()
            if self._settings.explain:
                _ = self.profiler
        except UsageError as error:
            raise pytest.UsageError(str(error)) from None

    def close(self) -> None:
        """Close the load engine, if it was created."""
        if "engine" in vars(self):
            self.engine.close()
