"""Summaries: of the rounds of a cell, of a scenario as a ranking, and of a single load."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_webbench.analysis.metrics import combine, summarise_round, values_of
from pytest_webbench.analysis.statistics import mean_interval, percentiles, ratio_interval
from pytest_webbench.analysis.text import shown_examples
from pytest_webbench.analysis.validity import draws_differ, judge_cell, load_faults
from pytest_webbench.model.load import Latencies, Load, LoadResult
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.results import (
    FACTORS,
    CellSummary,
    Interval,
    RankedResult,
    RoundSummary,
    key_of_unit,
)
from pytest_webbench.model.suite import Unit

__all__ = [
    "NO_RESULT",
    "LoadSummary",
    "Point",
    "Times",
    "latency_curve",
    "rank",
    "result_of",
    "summarise",
    "summarise_load",
]


NO_RESULT = Interval(estimate=math.nan, low=math.nan, high=math.nan)


def summarise(rounds: Sequence[Measurement], *, unit: Unit, planned: int) -> CellSummary:
    """Return the summary of a cell from its ``rounds`` (at least one) out of ``planned`` rounds."""
    loads = [each.load for each in rounds]
    completed = tuple(summarise_round(each) for each in rounds if each.load.ok)
    schedule = rounds[0].schedule
    if schedule is not None:
        unit = Unit.TIME  # the rate is given
    result = result_of(completed, unit)
    errors: Counter[str] = Counter()
    for load in loads:
        errors.update(load.errors)
    startups = [each.launch.startup_s for each in rounds if each.launch.startup_s is not None]
    return CellSummary(
        cell=rounds[0].trial.cell,
        unit=unit,
        users=rounds[0].users,
        amount=rounds[0].amount,
        records=rounds[0].records,
        values=values_of(rounds),
        rounds=completed,
        result=result or NO_RESULT,
        requests_sent=sum(load.sent for load in loads),
        requests_ok=sum(load.ok for load in loads),
        errors=dict(errors),
        in_flight=sum(load.in_flight for load in loads),
        dropped=sum(load.dropped for load in loads),
        lag_s=max(load.lag_s for load in loads),
        readings=combine([each.server for each in rounds]),
        generator_cpu_fraction=max(load.generator_busy for load in loads),
        startup_s=median(startups) if startups else None,
        engine=rounds[0].engine,
        launch=rounds[0].launch,
        validity=judge_cell(rounds, planned=planned, result=result),
        examples=shown_examples(loads),
        schedule=schedule and replace(schedule, seed=0),  # each round has its own
        turns=max(load.turns for load in loads),
        percentile_error=max(load.latency_ns.relative_error for load in loads),
        draws_per_s=tuple(each.per_s for load in loads for each in load.draws),
    )


def result_of(rounds: Sequence[RoundSummary], unit: Unit) -> Interval | None:
    """Return the result as it is shown, in requests per second or milliseconds; ``None`` without rounds."""
    if not rounds:
        return None
    found = mean_interval([each.values[key_of_unit(unit)] for each in rounds])
    return found.inverse() if unit is Unit.RATE else found.scaled(FACTORS[unit])


def rank(summaries: Sequence[CellSummary]) -> list[RankedResult]:
    """Rank the cells of one scenario, the fastest first and the invalid ones last.

    A stack is faster than another only if the interval of the ratio of their rounds, paired block by block,
    lies below 1. Rounds that the other does not have are not paired.
    """
    valid = sorted((each for each in summaries if each.validity.valid), key=_centre)
    standings = []
    for summary in valid:
        faster = [other for other in valid if other is not summary and _surely_faster(other, summary)]
        ratio = _ratio(summary, valid[0])
        standings.append(RankedResult(summary=summary, rank=1 + len(faster), ratio=ratio))
    return standings + [RankedResult(summary=each) for each in summaries if not each.validity.valid]


def _centre(summary: CellSummary) -> float:
    """Return the printed mean in seconds, regardless of the unit, so that less is better."""
    return mean_interval(summary.shown_s).estimate


def _surely_faster(one: CellSummary, other: CellSummary) -> bool:
    return _ratio(one, other).high < 1


def _ratio(one: CellSummary, other: CellSummary) -> Interval:
    values, base = one.shown_s, other.shown_s
    pairs = min(len(values), len(base))
    return ratio_interval(values[:pairs], base[:pairs])


SHARES = (
    *(step / 100 for step in range(0, 90, 5)),
    *(0.9 + step / 100 for step in range(10)),
    *(0.99 + step / 1000 for step in range(10)),
    0.999,
)


BEYOND = 10
"""The number of samples that must lie beyond a percentile, or it depends on single requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A ``share`` (0.99) of the requests had a response within ``latency_s``."""

    share: float
    latency_s: float


def latency_curve(samples: Sequence[Latencies]) -> tuple[Point, ...]:
    """Return the percentiles up to the 99.9th beyond which at least ten of all ``samples`` lie."""
    count = sum(map(len, samples))
    shares = [share for share in SHARES if count * (1 - share) >= BEYOND - 1e-9]
    found = percentiles(samples, shares) if shares else []
    return tuple(
        Point(share=share, latency_s=value / 1e9) for share, value in zip(shares, found, strict=True)
    )


_SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The response times of successful responses. If all are kept, each but the mean was observed."""

    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    p999_s: float
    max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSummary:
    """The summary of one load.

    ``latency`` is ``None`` without a successful response. So is ``service`` (from sending a request to the
    last byte of its response), and also in a closed loop, where it would be the same. ``requests_per_s``
    counts successful responses. ``warnings`` say why the generator may have determined the results instead of
    the server.
    """

    load: Load
    result: LoadResult
    generators: int
    requests_per_s: float | None
    bytes_per_s: float | None
    latency: Times | None
    service: Times | None
    warnings: tuple[str, ...]

    @property
    def model(self) -> str:
        """The kind of loop: results of different loops must not be compared."""
        return "closed loop" if self.load.schedule is None else "open loop"

    @property
    def all_ok(self) -> bool:
        """Whether requests were completed and none failed."""
        return self.result.ok > 0 and not self.result.errors


def summarise_load(load: Load, result: LoadResult, *, generators: int) -> LoadSummary:
    """Summarise the ``result`` of ``load``, made by this number of ``generators``."""
    elapsed_s = result.elapsed_s
    return LoadSummary(
        load=load,
        result=result,
        generators=generators,
        requests_per_s=result.ok / elapsed_s if elapsed_s else None,
        bytes_per_s=result.bytes_received / elapsed_s if elapsed_s else None,
        latency=_times(result.latency_ns),
        service=_times(result.service_ns),
        warnings=(*load_faults(result, load.schedule), *draws_differ([result])) if result.ok else (),
    )


def _times(times: Latencies) -> Times | None:
    if not times:
        return None
    p50_s, p90_s, p99_s, p999_s, max_s = (each / 1e9 for each in percentiles([times], _SHARES))
    mean_s = times.mean_ns / 1e9
    return Times(mean_s=mean_s, p50_s=p50_s, p90_s=p90_s, p99_s=p99_s, p999_s=p999_s, max_s=max_s)
