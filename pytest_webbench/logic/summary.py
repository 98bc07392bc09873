"""From the rounds of a cell to its figures, and from those of a scenario to a ranking."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

from pytest_webbench.logic.statistics import mean_interval, percentiles, ratio_interval
from pytest_webbench.logic.validity import judge_cell
from pytest_webbench.values.measurement import Measurement
from pytest_webbench.values.scenario import Unit
from pytest_webbench.values.summary import CellSummary, Interval, RoundFigures, Standing

__all__ = ["rank", "summarise", "time_per_request_s"]

T = TypeVar("T", int, float)

NO_FIGURE = Interval(estimate=math.nan, low=math.nan, high=math.nan)


def time_per_request_s(measurement: Measurement) -> float:
    """Elapsed seconds per completed request of a round: the figure given to pytest-benchmark.

    Infinite for a round in which no request was completed.
    """
    load = measurement.load
    return load.elapsed_s / load.ok if load.ok else math.inf


def summarise(rounds: Sequence[Measurement], *, unit: Unit, planned: int) -> CellSummary:
    """The figures of a cell from its ``rounds`` (at least one), of which ``planned`` were to be made."""
    loads = [each.load for each in rounds]
    completed = [each for each in rounds if each.load.ok]
    times = tuple(time_per_request_s(each) for each in completed)
    responses = tuple(each.load.latency_ns.mean_ns / 1e9 for each in completed)
    latencies = percentiles([load.latency_ns for load in loads], (0.5, 0.95, 0.99))
    p50_s, p95_s, p99_s = (value / 1e9 for value in latencies)
    (ttfb_p50_ns,) = percentiles([load.ttfb_ns for load in loads], (0.5,))
    schedule = rounds[0].schedule
    service_p50_s = p50_s
    if schedule is not None:
        unit = Unit.TIME  # the rate is given
        (service_p50_s,) = (each / 1e9 for each in percentiles([load.service_ns for load in loads], (0.5,)))
    figure = _figure(times, responses, unit)
    errors: Counter[str] = Counter()
    for load in loads:
        errors.update(load.errors)
    ok = sum(load.ok for load in loads)
    cpu_s = [each.server.cpu_s for each in rounds if each.server.cpu_s is not None]
    memory = [each.server.peak_rss_bytes for each in rounds if each.server.peak_rss_bytes is not None]
    startups = [each.launch.startup_s for each in rounds if each.launch.startup_s is not None]
    return CellSummary(
        cell=rounds[0].trial.cell,
        unit=unit,
        users=rounds[0].users,
        amount=rounds[0].amount,
        records=rounds[0].records,
        time_per_request_s=times,
        mean_response_time_s=responses,
        figure=figure or NO_FIGURE,
        p50_s=p50_s,
        p95_s=p95_s,
        p99_s=p99_s,
        ttfb_p50_s=ttfb_p50_ns / 1e9,
        service_p50_s=service_p50_s,
        requests_sent=sum(load.sent for load in loads),
        requests_ok=ok,
        errors=dict(errors),
        in_flight=sum(load.in_flight for load in loads),
        dropped=sum(load.dropped for load in loads),
        lag_s=max(load.lag_s for load in loads),
        server_cpu_s_per_request=sum(cpu_s) / ok if ok and len(cpu_s) == len(rounds) else None,
        server_peak_rss_bytes=max(memory, default=None),
        server_throttled_s=_sum([each.server.throttled_s for each in rounds]),
        server_oom_kills=_sum([each.server.oom_kills for each in rounds]),
        generator_cpu_fraction=max(load.generator_busy for load in loads),
        startup_s=median(startups) if startups else None,
        engine=rounds[0].engine,
        launch=rounds[0].launch,
        validity=judge_cell(rounds, planned=planned, figure=figure),
        examples=tuple(example for load in loads for example in load.examples)[:3],
        schedule=schedule and replace(schedule, seed=0),  # each round has another
        rounds=tuple(map(_round_figures, completed)),
        turns=max(load.turns for load in loads),
        percentile_error=max(load.latency_ns.relative_error for load in loads),
        draws_per_s=tuple(each.per_s for load in loads for each in load.draws),
    )


def _round_figures(measurement: Measurement) -> RoundFigures:
    load, cpu_s = measurement.load, measurement.server.cpu_s
    p50_s, p95_s, p99_s = (each / 1e9 for each in percentiles([load.latency_ns], (0.5, 0.95, 0.99)))
    return RoundFigures(
        round=measurement.trial.round,
        time_per_request_s=time_per_request_s(measurement),
        mean_response_time_s=load.latency_ns.mean_ns / 1e9,
        p50_s=p50_s,
        p95_s=p95_s,
        p99_s=p99_s,
        server_cpu_s_per_request=None if cpu_s is None else cpu_s / load.ok,
    )


def _sum(values: Sequence[T | None]) -> T | None:
    """The sum of ``values``, ``None`` if one is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _figure(times: Sequence[float], responses: Sequence[float], unit: Unit) -> Interval | None:
    """What is shown to people: requests per second, or milliseconds; ``None`` without any round."""
    if not times:
        return None
    if unit is Unit.RATE:
        return mean_interval(times).inverse()
    return mean_interval(responses).scaled(1000)


def rank(summaries: Sequence[CellSummary]) -> list[Standing]:
    """The cells of one scenario, the fastest first and the invalid ones last.

    One stack is called faster than another only if the interval of the ratio of their rounds, paired
    block by block, leaves out 1. Rounds that the other does not have are left out of the pairs.
    """
    valid = sorted((each for each in summaries if each.validity.valid), key=_centre)
    standings = []
    for summary in valid:
        faster = [other for other in valid if other is not summary and _surely_faster(other, summary)]
        ratio = _ratio(summary, valid[0])
        standings.append(Standing(summary=summary, rank=1 + len(faster), ratio=ratio))
    return standings + [Standing(summary=each) for each in summaries if not each.validity.valid]


def _shown(summary: CellSummary) -> tuple[float, ...]:
    """The rounds in seconds, of the quantity that the scenario's unit shows."""
    return summary.time_per_request_s if summary.unit is Unit.RATE else summary.mean_response_time_s


def _centre(summary: CellSummary) -> float:
    """The mean that is printed, in seconds for every unit, so that less is better."""
    return mean_interval(_shown(summary)).estimate


def _surely_faster(one: CellSummary, other: CellSummary) -> bool:
    return _ratio(one, other).high < 1


def _ratio(one: CellSummary, other: CellSummary) -> Interval:
    values, base = _shown(one), _shown(other)
    pairs = min(len(values), len(base))
    return ratio_interval(values[:pairs], base[:pairs])
