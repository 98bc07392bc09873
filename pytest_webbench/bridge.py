"""The bridge to pytest-benchmark: measured rounds are replayed on a virtual clock."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from pytest_webbench.errors import WebbenchError
from pytest_webbench.launchers.placeholders import asks_for
from pytest_webbench.logic.baseline import FORMAT
from pytest_webbench.values.codec import to_json
from pytest_webbench.values.load import Schedule
from pytest_webbench.values.scenario import Scenario
from pytest_webbench.values.settings import Settings
from pytest_webbench.values.stack import Stack
from pytest_webbench.values.summary import CellSummary, name_of_model

__all__ = [
    "VirtualClock",
    "extra_info",
    "fail_without_figure",
    "install_clock",
    "planned_info",
    "replay",
]

CLOCK: pytest.StashKey["VirtualClock"] = pytest.StashKey()


class VirtualClock:
    """A timer for pytest-benchmark that says what was measured elsewhere."""

    __name__ = "webbench_virtual_clock"  # pytest-benchmark writes the name of the timer to its JSON

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """The virtual time in seconds."""
        return self.now_s


def install_clock(item: pytest.Item, *, group: str | None) -> None:
    """Have the ``benchmark`` fixture of ``item`` use a clock of ours, and group by ``group``.

    pytest-benchmark looks at the closest mark alone, so those of the user are merged into it.
    """
    clock = item.stash[CLOCK] = VirtualClock()
    merged: dict[str, Any] = {"group": group} if group else {}
    for mark in reversed(list(item.iter_markers("benchmark"))):
        merged |= mark.kwargs
    item.add_marker(pytest.mark.benchmark(**{**merged, "timer": clock}), append=False)


def replay(item: pytest.Item, benchmark: Any, samples_s: Sequence[float], info: Mapping[str, Any]) -> None:
    """Feed a round per sample to pytest-benchmark; ``info`` goes into the saved JSON.

    Raises :class:`AssertionError` if pytest-benchmark recorded anything else than the samples: that
    would be a wrong figure.
    """
    clock = item.stash[CLOCK]
    pending = iter(samples_s)

    def rewind() -> None:
        clock.now_s = 0.0  # from 0 each time, for differences of large numbers are rounded

    def advance() -> None:
        # Once more than there are samples with --benchmark-cprofile, which calls after the rounds.
        clock.now_s = next(pending, clock.now_s)

    benchmark.extra_info.update(info)
    benchmark.pedantic(advance, setup=rewind, rounds=len(samples_s), iterations=1)
    if benchmark.enabled:
        recorded = benchmark.stats.stats.data
        assert recorded == list(samples_s), f"pytest-benchmark recorded {recorded}, not {samples_s}"


def fail_without_figure(benchmark: Any, error: WebbenchError) -> NoReturn:
    """Fail the test with ``error``, and let pytest-benchmark know that there is no figure."""

    def give_up() -> None:
        raise error

    with suppress(WebbenchError):
        benchmark.pedantic(give_up, rounds=1, iterations=1)
    pytest.fail(str(error), pytrace=False)


def extra_info(summary: CellSummary, settings: Settings) -> dict[str, Any]:
    """What stands in ``extra_info`` of a cell's row in the JSON."""
    launch = summary.launch
    return {
        "stack": summary.cell.stack,
        "scenario": summary.cell.scenario,
        "metric": "time_per_request" if summary.schedule is None else "mean_response_time",
        "webbench": {
            "format": FORMAT,
            "requests_sent": summary.requests_sent,
            "requests_ok": summary.requests_ok,
            "errors": dict(summary.errors),
            "in_flight": summary.in_flight,
            "mean_response_time_s": _mean(summary.mean_response_time_s),
            "p50_s": _known(summary.p50_s),
            "p95_s": _known(summary.p95_s),
            "p99_s": _known(summary.p99_s),
            "ttfb_p50_s": _known(summary.ttfb_p50_s),
            "service_p50_s": _known(summary.service_p50_s),
            "dropped": summary.dropped,
            "lag_s": summary.lag_s,
            "percentile_error": summary.percentile_error,
            "draws_per_s": list(summary.draws_per_s),
            "server_cpu_s_per_request": summary.server_cpu_s_per_request,
            "server_peak_rss_bytes": summary.server_peak_rss_bytes,
            "server_throttled_s": summary.server_throttled_s,
            "server_oom_kills": summary.server_oom_kills,
            "generator_cpu_fraction": summary.generator_cpu_fraction,
            "startup_s": summary.startup_s,
            "launcher": launch.launcher,
            "engine": summary.engine,
            "profile": settings.profile.name,
            "versions": dict(launch.versions),
            "config": {
                **launch.config,
                "workers_asked": settings.workers,
                "seed": settings.seed,
                "profile": to_json(settings.profile),
                "users": summary.users,
                "amount": to_json(summary.amount),
                "records": summary.records,
                "model": summary.model,
                "turns": summary.turns,
                "generators": _generators(settings),
            },
            "rounds": [to_json(each) for each in summary.rounds],
            "validity": {
                "valid": summary.validity.valid,
                "reasons": list(summary.validity.reasons),
                "warnings": list(summary.validity.warnings),
            },
        },
    }


def planned_info(
    scenario: Scenario, stack: Stack, settings: Settings, *, launcher: str, engine: str, default_records: int
) -> dict[str, Any]:
    """What will stand below ``webbench`` in ``extra_info`` of a cell, as far as it is known before.

    How many workers a command starts that is not told, the records of a server that runs already, a rate
    that is chosen in the run, and the connections that it needs are not known yet.
    """
    records = default_records if settings.records is None else settings.records
    config: dict[str, Any] = {
        "workers_asked": settings.workers,
        "profile": to_json(settings.profile),
        "amount": to_json(scenario.amount),
        "records": None if settings.urls else records,
        "generators": _generators(settings),
    }
    if not settings.urls:
        asked = {"workers": settings.workers, "threads": settings.threads}
        config |= {name: value for name, value in asked.items() if asks_for(stack, name)}
    if scenario.rate is not None:
        schedule = Schedule(rate=scenario.rate, arrivals=scenario.arrivals)
        config |= {"users": scenario.users, "model": name_of_model(schedule)}
    elif settings.rates.common_share is None:
        config |= {"users": scenario.users, "model": name_of_model(None)}
    return {"launcher": launcher, "engine": engine, "profile": settings.profile.name, "config": config}


def _generators(settings: Settings) -> int:
    """How many processes share the load."""
    return settings.load_workers if settings.engine == "locust" else settings.generators


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _known(value: float) -> float | None:
    """``value``, or ``None`` for NaN, which JSON has no word for."""
    return None if math.isnan(value) else value
