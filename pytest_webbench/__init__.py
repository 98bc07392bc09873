"""pytest-webbench: trustworthy benchmarks of Python web stacks, each of them one pytest test.

The names below are the public API. They are imported on first use, because pytest imports this package
on every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_webbench.analysis.metrics import Metric
    from pytest_webbench.model.errors import StackError, UsageError, WebbenchError
    from pytest_webbench.model.http import Answer, BodyRule, Effect, EffectKind, Exchange, Refusal, Request
    from pytest_webbench.model.load import Amount, Arrivals, Load, LoadEngine, LoadResult, Schedule
    from pytest_webbench.model.measurement import Combine, LaunchRecord, Readings, ServerUsage
    from pytest_webbench.model.results import CellSummary
    from pytest_webbench.model.settings import Settings
    from pytest_webbench.model.stack import Launcher, Meter, RunningStack, Stack
    from pytest_webbench.model.suite import Dataset, NoDataset, Published, Scenario, Suite, Unit, WarmupStep
    from pytest_webbench.session.measuring.fixtures import LiveBench, LiveStack

_HOMES = {
    "analysis.metrics": ("Metric",),
    "model.errors": (
        "StackError",
        "UsageError",
        "WebbenchError",
    ),
    "model.http": (
        "Answer",
        "BodyRule",
        "Effect",
        "EffectKind",
        "Exchange",
        "Refusal",
        "Request",
    ),
    "model.load": (
        "Amount",
        "Arrivals",
        "Load",
        "LoadEngine",
        "LoadResult",
        "Schedule",
    ),
    "model.measurement": (
        "Combine",
        "LaunchRecord",
        "Readings",
        "ServerUsage",
    ),
    "model.results": ("CellSummary",),
    "model.settings": ("Settings",),
    "model.stack": (
        "Launcher",
        "Meter",
        "RunningStack",
        "Stack",
    ),
    "model.suite": (
        "Dataset",
        "NoDataset",
        "Published",
        "Scenario",
        "Suite",
        "Unit",
        "WarmupStep",
    ),
    "session.measuring.fixtures": (
        "LiveBench",
        "LiveStack",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Amount",
    "Answer",
    "Arrivals",
    "BodyRule",
    "CellSummary",
    "Combine",
    "Dataset",
    "Effect",
    "EffectKind",
    "Exchange",
    "LaunchRecord",
    "Launcher",
    "LiveBench",
    "LiveStack",
    "Load",
    "LoadEngine",
    "LoadResult",
    "Meter",
    "Metric",
    "NoDataset",
    "Published",
    "Readings",
    "Refusal",
    "Request",
    "RunningStack",
    "Scenario",
    "Schedule",
    "ServerUsage",
    "Settings",
    "Stack",
    "StackError",
    "Suite",
    "Unit",
    "UsageError",
    "WarmupStep",
    "WebbenchError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
