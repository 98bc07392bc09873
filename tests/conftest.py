"""Which tests are alone, and which stay together; runs within them know nothing of each other."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.host.machine import PLACE

HERE = Path(__file__).parent
ALONE = "accuracy"
"""The folder of tests that measure: others beside them would change what they see."""
STACKS = {each.name for each in (HERE.parent / "framework_apps").iterdir() if each.is_dir()}
TOGETHER = {"test_battery.py", "test_browser.py", "test_main_job.py", "test_saving.py", "test_two_runs.py"}
"""Modules whose tests look at the same few runs or pages, which each process would make again."""

try:
    from hypothesis import settings
except ImportError:  # `pytest --webbench` in a checkout imports this file, too
    pass
else:
    # How long an example takes is the machine's business, which may be doing something else.
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is run alone."""
    for item in items:
        if item.path.is_relative_to(HERE / ALONE):
            item.add_marker(pytest.mark.alone)


def group_of(nodeid: str) -> str:
    """The group of a test; one of its own if it shares nothing."""
    path, _, _ = nodeid.partition("::")
    folder, file = path.split("/")[-2:]
    if "containers" in nodeid:  # what is left on the engine is counted
        return "containers"
    if file == "test_locust.py" or "[locust" in nodeid:  # an engine takes seconds to start
        return "locust"
    if folder == "apps":
        return next((name for name in STACKS if name in nodeid), nodeid)
    return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """What shares a server, a run or the container engine stays in one process of pytest-xdist.

    Its own groups (``--dist=loadgroup``) are unknown to pytest 9.2: tests are sent as they come.
    """
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group_of
    return scheduler


@pytest.fixture(autouse=True, scope="session")
def _timed() -> Iterator[None]:
    """Runs within the tests time something: where pytest-xdist is at work, pytest-benchmark does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_XDIST_WORKER", raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _plugins_found_once() -> Iterator[None]:
    """Each run in this process would look for them among all packages that are installed."""
    plugins = [
        each
        for each in importlib.metadata.distributions()
        if any(entry.group == "pytest11" for entry in each.entry_points)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "distributions", lambda: iter(plugins))
        yield


@pytest.fixture(autouse=True)
def _own_machine_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock for each test, so that no run within it waits for one elsewhere."""
    monkeypatch.setenv(PLACE, str(tmp_path))


@pytest.fixture(autouse=True)
def _few_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs within the tests load no plugins of the developer's environment, which take longer than they do.

    Fixtures of modules do not see this; one of them makes the run that loads what is installed, as users do.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p webbench -p benchmark")
