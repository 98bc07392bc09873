"""The entry point of the plugin: options, hooks and fixtures; the rest is imported with ``--webbench``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_webbench.session import hookspecs
from pytest_webbench.session.options.table import add_options

if TYPE_CHECKING:
    from pytest_webbench.model.load import LoadEngine
    from pytest_webbench.model.settings import Settings
    from pytest_webbench.model.stack import Launcher, Meter, Profiler, Stack
    from pytest_webbench.model.suite import Scenario, Suite
    from pytest_webbench.session.measuring.fixtures import LiveBench, LiveStack
    from pytest_webbench.session.measuring.run import Run

NEEDED = "measures web stacks: run pytest with --webbench"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_webbench_suites() -> "Sequence[Suite]":
    """Return the built-in suite."""
    from pytest_webbench.suites.items import SUITE

    return [SUITE]


def pytest_webbench_stacks() -> "Sequence[Stack]":
    """Return the five built-in stacks."""
    from pytest_webbench.suites.items import STACKS

    return STACKS


def pytest_webbench_scenarios() -> "Sequence[Scenario]":
    """Return the seven built-in scenarios."""
    from pytest_webbench.suites.items import SCENARIOS

    return SCENARIOS


@pytest.hookimpl(trylast=True)
def pytest_webbench_launcher(settings: "Settings", logs: Path) -> "Launcher":
    """Choose containers if an engine for them responds, else processes; or ``--webbench-url``'s servers."""
    from pytest_webbench.stacks.launcher import make_launcher
    from pytest_webbench.suites.items.stacks import DOCKERFILE

    return make_launcher(settings, logs, DOCKERFILE)


@pytest.hookimpl(trylast=True)
def pytest_webbench_engine(settings: "Settings") -> "LoadEngine":
    """Choose the native engine, k6 or Locust."""
    from pytest_webbench.load.engine import make_engine

    return make_engine(settings)


def pytest_webbench_meter(settings: "Settings") -> "Callable[[], Meter]":
    """Meter CPU time and memory of a container's control group or of a tree of processes; or instructions."""
    if settings.profile.counts:
        from pytest_webbench.host.meters.callgrind import CallgrindMeter

        return CallgrindMeter
    from pytest_webbench.host.meters.server import ServerMeter

    return ServerMeter


@pytest.hookimpl(trylast=True)
def pytest_webbench_profiler() -> "Profiler":
    """Choose py-spy."""
    from pytest_webbench.host.meters.py_spy import PySpyProfiler

    return PySpyProfiler()


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Carry out ``--webbench-list`` and ``--webbench-prune``."""
    if not (config.getoption("webbench_list") or config.getoption("webbench_prune")):
        return None
    from pytest_webbench.model.errors import UsageError
    from pytest_webbench.session.output.listing import print_known, print_pruned

    try:
        if config.getoption("webbench_prune"):
            print_pruned()
        else:
            print_known(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    return 0


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that does the work, if ``--webbench`` is given."""
    if not config.getoption("webbench"):
        return
    from pytest_webbench.host.plain_output import plain_output
    from pytest_webbench.model.errors import UsageError
    from pytest_webbench.session.session import WebbenchSession

    output = ExitStack()
    output.enter_context(plain_output())
    config.add_cleanup(output.close)
    try:
        session = WebbenchSession(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    session.register()


@pytest.fixture(scope="session")
def webbench_stack(request: pytest.FixtureRequest) -> "Iterator[LiveStack]":
    """Provide a stack that is launched, seeded and checked; each test runs once for every selected stack.

    ``base_url`` is its address, ``log`` the end of its log, ``seed()`` resets its database.
    Without ``--webbench`` the test is skipped.
    """
    with _run_of(request.config).live_stack(request.param) as stack:
        yield stack


@pytest.fixture
def webbench(request: pytest.FixtureRequest, webbench_stack: "LiveStack", benchmark: Any) -> "LiveBench":
    """Measure a scenario or a request against ``webbench_stack``, for pytest-benchmark.

    ``webbench("get_item")`` or ``webbench(Request(path="/search?q=x"), users=10, duration_s=2)``
    returns the results. Without ``--webbench`` the test is skipped.
    """
    return _run_of(request.config).live_bench(request.node, benchmark, webbench_stack)


def _run_of(config: pytest.Config) -> "Run":
    """Return the run that the tests belong to; skip them if there is none, without ``--webbench``."""
    if not config.getoption("webbench"):
        pytest.skip(NEEDED)
    from pytest_webbench.session.measuring.run import RUN

    return config.stash[RUN]
