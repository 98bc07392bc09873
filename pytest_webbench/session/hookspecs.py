"""The hooks of pytest-webbench; the built-in suite comes through them, too."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # pytest imports this module on every run, so it imports little
    from pytest_webbench.analysis.metrics import Metric
    from pytest_webbench.model.load import LoadEngine
    from pytest_webbench.model.settings import Settings
    from pytest_webbench.model.stack import Launcher, Meter, Profiler, Stack
    from pytest_webbench.model.suite import Scenario, Suite

__all__ = [
    "pytest_webbench_engine",
    "pytest_webbench_launcher",
    "pytest_webbench_meter",
    "pytest_webbench_metrics",
    "pytest_webbench_profiler",
    "pytest_webbench_scenarios",
    "pytest_webbench_stacks",
    "pytest_webbench_suites",
]


@pytest.hookspec
def pytest_webbench_stacks(config: pytest.Config) -> "Sequence[Stack]":  # type: ignore[empty-body]
    """Return stacks to measure, in addition to those of other plugins.

    In a ``conftest.py`` beside an application that implements the contract of the built-in suite::

        from pathlib import Path
        from pytest_webbench import Answer, Exchange, Request, Stack

        def pytest_webbench_stacks(config):
            return [
                Stack(
                    name="quart",
                    folder=Path(__file__).parent / "quart_app",
                    command=("{python}", "-m", "hypercorn", "--bind", "{bind}", "app:app"),
                    env=(("DATABASE_PATH", "{data_dir}/items.db"),),
                    lock="requirements.lock",
                    ready=Exchange(request=Request(path="/hello"), answer=Answer(status=200)),
                )
            ]

    Each name may be given once.
    """


@pytest.hookspec
def pytest_webbench_scenarios(config: pytest.Config) -> "Sequence[Scenario]":  # type: ignore[empty-body]
    """Return scenarios for the stacks of their suite, in addition to those of other plugins.

    ::

        from pytest_webbench import Amount, Answer, Exchange, Request, Scenario

        def search(records, count, rng):
            return [Exchange(request=Request(path="/items/?limit=10"), answer=Answer(status=200))]

        def pytest_webbench_scenarios(config):
            return [Scenario(name="search", users=20, amount=Amount(duration_s=5), traffic=search)]

    Each name may be given once.
    """


@pytest.hookspec
def pytest_webbench_suites(config: pytest.Config) -> "Sequence[Suite]":  # type: ignore[empty-body]
    """Return suites: a contract and a dataset of one's own, to which stacks and scenarios belong by name.

    ::

        from pytest_webbench import NoDataset, Suite

        def pytest_webbench_suites(config):
            return [Suite(name="shop", dataset=NoDataset())]
    """


@pytest.hookspec
def pytest_webbench_meter(  # type: ignore[empty-body]
    config: pytest.Config, settings: "Settings"
) -> "Callable[[], Meter]":
    """Return a class or function that makes a meter for each launch; it reads the server's usage under load.

    All returned meters are used, in addition to the built-in one. Readings without a metric are saved, too::

        from pytest_webbench import Combine, Meter

        class Handles(Meter):
            readings = {"handles": Combine.MAX}

            def attach(self, server):
                self.pid = server.server_pid

            def begin(self):
                pass

            def end(self):
                return {"handles": len(os.listdir(f"/proc/{self.pid}/fd"))}

        def pytest_webbench_meter(settings):
            return Handles
    """


@pytest.hookspec
def pytest_webbench_metrics(config: pytest.Config) -> "Sequence[Metric]":  # type: ignore[empty-body]
    """Return metrics to show, save and judge, in addition to the built-in ones.

    ::

        from pytest_webbench.analysis.metrics import response_percentile

        def pytest_webbench_metrics(config):
            return [response_percentile(90)]
    """


@pytest.hookspec(firstresult=True)
def pytest_webbench_launcher(config: pytest.Config, settings: "Settings", logs: Path) -> "Launcher | None":
    """Return the launcher that starts the stacks; the first one returned is used.

    ``logs`` is the folder for the servers' logs; create it before you write to it. Tests of your own stacks,
    scenarios or reports need no servers::

        from pytest_webbench.stacks.fake import FakeLauncher

        def pytest_webbench_launcher(settings):
            return FakeLauncher()
    """


@pytest.hookspec(firstresult=True)
def pytest_webbench_engine(config: pytest.Config, settings: "Settings") -> "LoadEngine | None":
    """Return the engine that makes the load; the first one returned is used.

    ::

        from pytest_webbench.load.fake import FakeEngine

        def pytest_webbench_engine(settings):
            return FakeEngine()
    """


@pytest.hookspec(firstresult=True)
def pytest_webbench_profiler(config: pytest.Config, settings: "Settings") -> "Profiler | None":
    """Return the profiler of ``--webbench-explain``, without which this is not called; the first one is used.

    ::

        from pytest_webbench.host.meters.fake import FakeProfiler

        def pytest_webbench_profiler(settings):
            return FakeProfiler({"list_items (./views.py:13);execute (_sqlite3.so)": 100})
    """
