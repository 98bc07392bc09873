"""pytest-webbench: trustworthy benchmarks of Python web stacks, each of them one pytest test.

The names below are for those who add a stack, a scenario, a suite, a launcher or an engine; they are
imported when they are first used, for pytest imports this package on every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_webbench.errors import StackError, UsageError, WebbenchError
    from pytest_webbench.launchers import Launcher, RunningStack
    from pytest_webbench.live import LiveBench, LiveStack
    from pytest_webbench.load import LoadEngine
    from pytest_webbench.meters import Meter
    from pytest_webbench.suites import Dataset, NoDataset, Suite
    from pytest_webbench.values.exchange import (
        Answer,
        BodyRule,
        Effect,
        EffectKind,
        Exchange,
        Refusal,
        Request,
    )
    from pytest_webbench.values.load import Amount, Arrivals, Load, LoadResult, Schedule
    from pytest_webbench.values.measurement import LaunchRecord, ServerUsage
    from pytest_webbench.values.published import Published
    from pytest_webbench.values.scenario import Scenario, Unit, WarmupStep
    from pytest_webbench.values.settings import Settings
    from pytest_webbench.values.stack import Stack
    from pytest_webbench.values.summary import CellSummary

_HOMES = {
    "errors": ("StackError", "UsageError", "WebbenchError"),
    "launchers": ("Launcher", "RunningStack"),
    "live": ("LiveBench", "LiveStack"),
    "load": ("LoadEngine",),
    "meters": ("Meter",),
    "suites": ("Dataset", "NoDataset", "Suite"),
    "values.exchange": ("Answer", "BodyRule", "Effect", "EffectKind", "Exchange", "Refusal", "Request"),
    "values.load": ("Amount", "Arrivals", "Load", "LoadResult", "Schedule"),
    "values.measurement": ("LaunchRecord", "ServerUsage"),
    "values.published": ("Published",),
    "values.scenario": ("Scenario", "Unit", "WarmupStep"),
    "values.settings": ("Settings",),
    "values.stack": ("Stack",),
    "values.summary": ("CellSummary",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Amount",
    "Answer",
    "Arrivals",
    "BodyRule",
    "CellSummary",
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
    "NoDataset",
    "Published",
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
