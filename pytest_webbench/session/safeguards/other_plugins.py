"""Other plugins of pytest: those that would spoil results, and time limits that must not end a plan."""

import faulthandler
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.plan import PROFILES
from pytest_webbench.model.settings import Settings

__all__ = ["TimeLimits", "is_timed", "notes_on_options", "refuse_disturbing_options", "untimed"]

BENCHMARK_MODULE = "pytest_benchmark.plugin"


def refuse_disturbing_options(config: pytest.Config) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for plugins that would spoil results."""
    parallel = config.getoption("numprocesses", None) or config.getoption("dist", "no") != "no"
    if parallel or hasattr(config, "workerinput"):
        raise UsageError(
            "--webbench measures one thing at a time and cannot run under pytest-xdist",
            hint="leave out -n, or add -n 0 if it stands in addopts",
        )
    if config.getoption("codspeed", False):
        raise UsageError(
            "--codspeed replaces the benchmark fixture, so no result of --webbench would be recorded",
            hint="run the two apart",
        )
    # The entry point registers the plugin as "benchmark", and -p pytest_benchmark.plugin by its module.
    if not any(config.pluginmanager.hasplugin(name) for name in ("benchmark", BENCHMARK_MODULE)):
        raise UsageError(
            "--webbench needs the plugin pytest-benchmark, which is switched off",
            hint="leave out -p no:benchmark, or load it with -p pytest_benchmark.plugin where "
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD is set",
        )


def is_timed(config: pytest.Config) -> bool:
    """Return whether pytest-benchmark records results: not with ``--benchmark-disable``."""
    return not config.getoption("benchmark_disable") or bool(config.getoption("benchmark_enable"))


def untimed(settings: Settings) -> Settings:
    """Return ``settings`` for ``--benchmark-disable``: one round of a few requests, to try each cell."""
    return replace(settings, profile=PROFILES["smoke"], explain=False)


def notes_on_options(config: pytest.Config, *, expected_s: float) -> list[str]:
    """Return notes on other plugins' options, for a run that is expected to take ``expected_s`` seconds."""
    notes = []
    if config.getoption("benchmark_cprofile", None):
        notes.append(
            "--benchmark-cprofile has nothing to profile here: the servers are other processes; "
            "--webbench-explain shows where their time goes"
        )
    limit_s = _session_timeout_s(config)
    if limit_s and expected_s > limit_s:
        notes.append(
            f"--session-timeout ({limit_s:g} s) is shorter than this run is expected to take "
            f"({expected_s:.0f} s): pytest-timeout would end it before its tests are reported; raise the "
            "limit, or measure less with --webbench-scenario, --webbench-stack or --webbench-rounds"
        )
    return notes


def _session_timeout_s(config: pytest.Config) -> float:
    """Return pytest-timeout's limit for the whole session; 0 if there is none."""
    given = config.getoption("session_timeout", None)
    try:
        return float(given if given is not None else config.getini("session_timeout") or 0)
    except (ValueError, TypeError):  # not installed, or not a number: the plugin itself complains
        return 0.0


class TimeLimits:
    """Suspends the time limits of a test while the plan is carried out.

    The plan, which is the work of all tests, is carried out within the first test that needs a result. Limits
    are those of pytest-timeout, or of any plugin with its hooks, and pytest's ``faulthandler_timeout``.
    """

    def __init__(self) -> None:
        self._running: tuple[pytest.Item, Any] | None = None

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Note which timer is running; another plugin sets it."""
        self._running = (item, settings)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self) -> None:
        """Note that no timer is running; another plugin cancels it."""
        self._running = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Suspend the limit of the current test; afterwards, it starts again in full."""
        running = self._running
        faulthandler.cancel_dump_traceback_later()
        if running is None:
            yield
            return
        item, settings = running
        item.ihook.pytest_timeout_cancel_timer(item=item)
        yield  # an error ends the test, so no limit is needed then
        item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
