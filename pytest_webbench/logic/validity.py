"""Whether a figure may be relied on, and if not, why."""

from collections.abc import Iterator, Sequence

from pytest_webbench.logic.draws import slowest_share
from pytest_webbench.logic.statistics import relative_spread
from pytest_webbench.values.latencies import EXACT_MOST, RELATIVE_ERROR
from pytest_webbench.values.load import LoadResult, Schedule
from pytest_webbench.values.measurement import Measurement
from pytest_webbench.values.summary import Interval, Validity

__all__ = [
    "GENERATOR_LIMIT",
    "SPREAD_LIMIT",
    "UNSTABLE_HALF_WIDTH",
    "draws_differ",
    "generator_faults",
    "judge_cell",
    "server_faults",
]

GENERATOR_LIMIT = 0.9
"""Above this share of one core the generator may have been the limit, not the server."""
LITTLE_TOLERANCE = 0.1
"""How far the mean number of requests under way may lie from what the users allow."""
DROPPED_LIMIT = 0.01
"""The share of the requests of an open loop that may be left unsent; the last ones often are."""
LAG_LIMIT = 0.25
"""How late the generator may be on average, as a share of the mean response time, which has it in it."""
LAG_WORTH_SAYING = 0.1
SPREAD_LIMIT = 0.3
"""A relative standard deviation of the rounds beyond which the figure says nothing."""
UNSTABLE_HALF_WIDTH = 0.1
"""A relative half-width of the interval beyond which a figure is called unstable."""
DRAWS_DIFFER = 0.2
"""How far the slowest set of connections may be behind the fastest before that is said."""
_PERCENTILES = (
    f"percentiles are within {RELATIVE_ERROR:.2%}: where a round has more than {EXACT_MOST:,} responses, "
    "their times are counted in a histogram"
)


def judge_cell(rounds: Sequence[Measurement], *, planned: int, figure: Interval | None) -> Validity:
    """The verdict on a cell from its ``rounds``, of which ``planned`` were to be made."""
    reasons: dict[str, None] = {}
    warnings: dict[str, None] = {}
    if len(rounds) < planned:
        reasons[f"only {len(rounds)} of {planned} rounds were made"] = None
    for measurement in rounds:
        reasons |= dict.fromkeys(_round_reasons(measurement))
        warnings |= dict.fromkeys(measurement.launch.notes)
        if not measurement.state.checked:
            warnings["the database could not be looked at"] = None
        if measurement.schedule is not None and _lag_share(measurement.load) > LAG_WORTH_SAYING:
            warnings["more than a tenth of the response time is the generator's own lag"] = None
        held = measurement.load.held
        if held and max(held) - min(held) > 1:
            shared = " and ".join(map(str, held))
            warnings[f"the server's processes did not have as many connections each ({shared})"] = None
        if not measurement.load.latency_ns.exact:
            warnings[_PERCENTILES] = None
        if measurement.server.throttled_s:
            warnings["a limit of CPU (--webbench-cpus) held the server back"] = None
    engine = rounds[0].engine if rounds else ""
    warnings |= dict.fromkeys(draws_differ([each.load for each in rounds], engine=engine))
    if figure is not None:
        times = [_time_s(each) for each in rounds if each.load.ok]
        spread = relative_spread(times)
        if spread > SPREAD_LIMIT:
            reasons[f"the rounds differ by {spread:.0%} (standard deviation)"] = None
        elif len(times) > 1 and figure.relative_half_width > UNSTABLE_HALF_WIDTH:
            warnings[f"unstable: the interval is ±{figure.relative_half_width:.0%} wide"] = None
    return Validity(reasons=tuple(reasons), warnings=tuple(warnings))


def draws_differ(loads: Sequence[LoadResult], *, engine: str = "native") -> Iterator[str]:
    """A sentence if the sets of connections of ``loads`` have given very different rates."""
    draws = [draw for load in loads for draw in load.draws]
    rates = [draw.per_s for draw in draws]
    share = slowest_share(rates)
    if share > 1 - DRAWS_DIFFER:
        return
    if all(len(draw.held) > 1 and max(draw.held) - min(draw.held) <= 1 for draw in draws):
        why = "the server's processes had as many each, so it is something else that varies"
    elif engine == "native":
        why = "the server's processes probably do not share them evenly; the figure is the mean"
    else:
        why = f"{engine} cannot give each of the server's processes as many; the figure is the mean"
    yield (
        f"{len(rates)} sets of connections differ by up to {1 - share:.0%} "
        f"({min(rates):,.0f} to {max(rates):,.0f} requests/s): {why}"
    )


def _time_s(measurement: Measurement) -> float:
    """What is shown of a round: in an open loop the rate is given, and response times vary."""
    load = measurement.load
    return load.elapsed_s / load.ok if measurement.schedule is None else _mean_s(load)


def server_faults(measurement: Measurement) -> tuple[str, ...]:
    """What the server did wrong in a round: failed requests, a wrong database, a worker that ended."""
    load, faults = measurement.load, []
    if load.errors:
        classes = ", ".join(f"{name} {count}" for name, count in sorted(load.errors.items()))
        faults.append(f"{sum(load.errors.values())} of {load.sent} requests failed ({classes})")
    faults.extend(f"the database is wrong: {fault}" for fault in measurement.state.faults)
    if measurement.server.oom_kills:
        faults.append("a process of the server was killed for want of memory during a round")
    if measurement.server.replaced:
        faults.append("a process of the server ended or was replaced during a round")
    return tuple(faults)


def _round_reasons(measurement: Measurement) -> Iterator[str]:
    yield from server_faults(measurement)
    if measurement.load.ok:
        yield from generator_faults(measurement.load, measurement.schedule)
    else:
        yield "no request was completed"


def generator_faults(load: LoadResult, schedule: Schedule | None) -> Iterator[str]:
    """Why the generator cannot be trusted with the figures of ``load``, which has a right answer."""
    if load.sent != load.ok + sum(load.errors.values()) + load.in_flight:
        yield (
            f"the requests do not add up: {load.sent} sent, {load.ok} right, "
            f"{sum(load.errors.values())} failed, {load.in_flight} in flight"
        )
    if load.generator_busy > GENERATOR_LIMIT:
        yield "the load generator was the limit: it used more than 90 % of a core"
    fault = _littles_law(load) if schedule is None else _schedule_fault(load)
    if fault:
        yield fault


def _schedule_fault(load: LoadResult) -> str | None:
    """An open loop is one only if what was due was sent, and sent when it was due."""
    if load.dropped > DROPPED_LIMIT * load.scheduled:
        return (
            f"{load.dropped} of {load.scheduled} requests could not be sent before the end: the rate is more "
            "than the server, or its number of connections, can take"
        )
    if _lag_share(load) > LAG_LIMIT:
        return (
            f"the generator fell behind the schedule, by {load.lag_s * 1000:.2f} ms on average, "
            f"where a response takes {_mean_s(load) * 1000:.2f} ms"
        )
    return None


def _lag_share(load: LoadResult) -> float:
    """The generator's lag as a share of the mean response time, which has it in it."""
    return load.lag_s / _mean_s(load) if load.ok else 0.0


def _mean_s(load: LoadResult) -> float:
    return load.latency_ns.mean_ns / 1e9


def _littles_law(load: LoadResult) -> str | None:
    """Little's law: requests under way = rate x response time. In a closed loop that is the users.

    While the last requests of a fixed number run out, users stand idle: each for at most one response
    time, which is allowed for in each turn.
    """
    under_way = (load.latency_ns.sum_ns / 1e9 + load.in_flight_s + load.error_s) / load.elapsed_s
    slack = load.turns * load.latency_ns.max_ns / 1e9 / load.elapsed_s
    low = load.users * max(0.0, 1 - LITTLE_TOLERANCE - slack)
    high = load.users * (1 + LITTLE_TOLERANCE)
    if low <= under_way <= high:
        return None
    return (
        f"rate x response time gives {under_way:.1f} requests under way, but {load.users} users "
        "were sending (Little's law): the generator was held up"
    )
