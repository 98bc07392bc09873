"""Runs of pytest within a test, with doubles of the stacks and of the load engine."""

import functools
import importlib
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

# Imported here, because a run within a test forgets its imports: NumPy cannot be imported twice, and
# httpx would know the exceptions of another httpcore.
import httpcore  # noqa: F401
import pytest
import pytest_benchmark.plugin
import scipy.special  # noqa: F401

import pytest_webbench
from pytest_webbench.runs import metadata
from pytest_webbench.runs.rows import is_derived
from pytest_webbench.session.measuring import execution
from pytest_webbench.session.output import terminal as closing
from tests.flow.doubles import AppServer, Doubles, serve_apps

for module in pkgutil.walk_packages(pytest_webbench.__path__, "pytest_webbench."):
    if not module.name.endswith("__main__") and ".load.locust" not in module.name:  # these are programs
        importlib.import_module(module.name)

SMALL = (
    "--webbench-rounds=2",
    "--webbench-records=60",
    "--webbench-seed=11",
    "--webbench-requests=delete_item=30",
)
"""Makes a run of the whole matrix take half a second."""


@pytest.fixture(scope="session")
def app_server() -> Iterator[AppServer]:
    with serve_apps() as server:
        yield server


@pytest.fixture(autouse=True, scope="session")
def _counted_once() -> Iterator[None]:
    """The code of the applications, which each run counts, does not change meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "count_code_lines", functools.cache(metadata.count_code_lines))
        yield


@pytest.fixture(autouse=True)
def _cheap_machine_info(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pytest-benchmark asks the processor for takes a second."""
    info = {"brand_raw": "a processor", "hz_actual_friendly": "3.1415 GHz", "hz_actual": [3_141_500_000, 0]}
    monkeypatch.setattr(pytest_benchmark.plugin, "get_cpu_info", lambda: dict(info))


@pytest.fixture(autouse=True)
def _one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doubles keep what they hold in this process."""
    monkeypatch.setattr(execution, "usable_cores", lambda: 1)


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than all else of a run within a test; those who look at it ask for it."""
    monkeypatch.setattr(closing, "write_page", lambda folder: folder / "report.html")


@pytest.fixture(autouse=True)
def _few_plugins(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the developer's environment would double the time of a run within a test."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p webbench -p benchmark")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run within a test left behind."""

    result: pytest.RunResult
    folder: Path
    doubles: Doubles

    @property
    def exit_code(self) -> int:
        return int(self.result.ret)

    @property
    def text(self) -> str:
        return str(self.result.stdout)

    @property
    def errors(self) -> str:
        return str(self.result.stderr)

    def counts(self, **expected: int) -> None:
        """Assert on the outcomes of the items."""
        assert self.result.parseoutcomes() == expected, self.text

    def rows(self, file: str = "figures.json") -> dict[str, dict[str, Any]]:
        """The rows of ``--benchmark-json`` by name, without those that are derived from others."""
        rows = self.all_rows(file)
        return {name: row for name, row in rows.items() if not is_derived(row)}

    def all_rows(self, file: str = "figures.json") -> dict[str, dict[str, Any]]:
        """The rows of ``--benchmark-json`` by name."""
        return {row["name"]: row for row in json.loads((self.folder / file).read_text())["benchmarks"]}

    def has_json(self) -> bool:
        """Whether ``--benchmark-json`` wrote anything; pytest-benchmark before 5.3 makes an empty file."""
        file = self.folder / "figures.json"
        return file.exists() and file.stat().st_size > 0

    def saved(self) -> list[dict[str, dict[str, Any]]]:
        """The rows of each stored baseline."""
        files = sorted(self.folder.glob(".benchmarks/*/*.json"))
        return [self.rows(str(file.relative_to(self.folder))) for file in files]

    def lines_of_trials(self) -> list[dict[str, Any]]:
        """What stands in ``trials.jsonl`` of all runs."""
        files = sorted(self.folder.glob(".webbench/*/trials.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


class RunWebbench(Protocol):
    """``run(*arguments, **doubles)``: pytest --webbench with doubles."""

    def __call__(self, *arguments: str, **doubles: Any) -> Outcome: ...


@pytest.fixture
def run(pytester: pytest.Pytester, app_server: AppServer) -> RunWebbench:
    def run(*arguments: str, **doubles: Any) -> Outcome:
        plugin = Doubles(app_server, **doubles)
        result = pytester.runpytest_inprocess(
            "--webbench", *SMALL, *arguments, plugins=[plugin], no_reraise_ctrlc=True
        )
        return Outcome(result=result, folder=pytester.path, doubles=plugin)

    return run
