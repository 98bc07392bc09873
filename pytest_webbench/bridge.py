"""The bridge to pytest-benchmark: measured rounds are replayed on a virtual clock."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from pytest_webbench.errors import WebbenchError
from pytest_webbench.values.codec import to_json
from pytest_webbench.values.settings import Settings
from pytest_webbench.values.summary import CellSummary

__all__ = [
    "VirtualClock",
    "extra_info",
    "fail_without_figure",
    "forget_benchmarks",
    "guard_baselines",
    "install_clock",
    "replay",
    "steady_machine_info",
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
        clock.now_s = next(pending)

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
                "seed": settings.seed,
                "profile": to_json(settings.profile),
                "users": summary.users,
                "amount": to_json(summary.amount),
                "records": summary.records,
                "model": summary.model,
                "generators": settings.generators,
            },
            "validity": {
                "valid": summary.validity.valid,
                "reasons": list(summary.validity.reasons),
                "warnings": list(summary.validity.warnings),
            },
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _known(value: float) -> float | None:
    """``value``, or ``None`` for NaN, which JSON has no word for."""
    return None if math.isnan(value) else value


class _GuardedStorage:
    """A storage of pytest-benchmark into which only valid figures go."""

    def __init__(self, storage: Any, logger: Any) -> None:
        self._storage = storage
        self._logger = logger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def __str__(self) -> str:
        return str(self._storage)

    def save(self, output_json: dict[str, Any], save: Any) -> None:
        """Save what is valid, nothing at all if nothing is, and say what was left out."""
        rows = [row for row in output_json["benchmarks"] if _is_baseline(row)]
        left_out = [row["name"] for row in output_json["benchmarks"] if not _is_baseline(row)]
        if left_out:
            self._logger.info(f"webbench: not saved, because invalid: {', '.join(left_out)}")
        if rows:
            self._storage.save({**output_json, "benchmarks": rows}, save)


def _is_baseline(row: Mapping[str, Any]) -> bool:
    ours = row["extra_info"].get("webbench")
    return ours is None or ours["validity"]["valid"]


def guard_baselines(config: pytest.Config) -> None:
    """Keep invalid cells out of what ``--benchmark-save`` and ``--benchmark-autosave`` store.

    The file of ``--benchmark-json`` holds them still, marked as invalid, for reading.
    """
    session = config.pluginmanager.getplugin("pytest-benchmark")
    session.storage = _GuardedStorage(session.storage, session.logger)


def forget_benchmarks(config: pytest.Config) -> None:
    """Drop all rows, and have none saved: an interrupted run leaves no baseline."""
    session = config.pluginmanager.getplugin("pytest-benchmark")
    session.benchmarks.clear()
    session.save = session.autosave = session.json = None


def steady_machine_info(machine_info: dict[str, Any]) -> None:
    """Strip what varies from minute to minute, for pytest-benchmark compares machines strictly."""
    cpu = machine_info.get("cpu", {})
    for key in ("hz_actual", "hz_actual_friendly"):
        cpu.pop(key, None)
