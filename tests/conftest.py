"""Which tests have the machine for themselves; runs within the others know nothing of each other."""

from pathlib import Path

import pytest
from hypothesis import settings

from pytest_webbench.host import machine_lock

HERE = Path(__file__).parent

# How long an example takes is the machine's business, which may be doing something else.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
ALONE = {"accuracy", "containers", "faults", "main_job", "test_workflows.py"}
"""They measure, or count what is left on the machine: others beside them would be in the figures."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is run alone, and keep what shares an application in one process of pytest-xdist."""
    for item in items:
        first, *_ = item.path.relative_to(HERE).parts
        if first in ALONE:
            item.add_marker(pytest.mark.alone)
        if first == "apps" and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            stack = item.callspec.params.get("stack")
            if stack is not None:
                item.add_marker(pytest.mark.xdist_group(getattr(stack, "name", stack)))


@pytest.fixture(autouse=True)
def _own_machine_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock for each test, so that no run within it waits for one elsewhere."""
    monkeypatch.setenv(machine_lock.PLACE, str(tmp_path))
