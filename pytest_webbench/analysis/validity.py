"""Whether a result is valid, and if not, why."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import sqrt

from pytest_webbench.analysis.metrics import METRICS
from pytest_webbench.analysis.statistics import percentiles, relative_spread, slowest_share
from pytest_webbench.model.load import EXACT_MOST, RELATIVE_ERROR, Arrivals, LoadResult, Schedule
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.reasons import Code, code_of
from pytest_webbench.model.results import CellSummary, Interval, Validity
from pytest_webbench.model.settings import Settings, WhenInvalid

__all__ = [
    "GENERATOR_LIMIT",
    "INSTRUCTIONS",
    "INVALID_PASSES",
    "SPREAD_LIMIT",
    "STEADY",
    "UNSTABLE_HALF_WIDTH",
    "describe_invalid",
    "draws_differ",
    "invalidated",
    "judge_cell",
    "load_faults",
    "server_faults",
]

INVALID_PASSES = "Next step: look up the reason in the documentation; --webbench-invalid=note lets it pass"

GENERATOR_LIMIT = 0.9
"""Above this share of one core, the generator may have been the limit instead of the server."""
LITTLE_TOLERANCE = 0.1
"""How far the mean number of requests under way may be from the number of users, as a fraction."""
DROPPED_LIMIT = 0.01
"""The share of the requests of an open loop that may remain unsent; the last ones often do."""
OVERRUN_LIMIT = 0.05
"""How much longer a number of requests may take than until the last one is due, as a fraction."""
LAG_LIMIT = 0.25
"""How late the generator may be on average, as a share of the mean response time, which includes it."""
LAG_KEPT_S = 0.001
"""A mean lag below this is always accepted, however short the responses: timers and schedulers are no better.

The kernel's timer fires within some tens of microseconds, and then the generator needs a processor. If
something else runs on it, the generator may wait for a time slice of the scheduler, about 3 ms: a mean of
1 ms means that a third of the requests waited for one.
"""
LAG_WORTH_SAYING = 0.1
"""The same share, beyond which the lag is noted."""
OVERDUE = 10
"""A request in flight at the end is overdue after this many times the slowest response of the load."""
OVERDUE_S = 1.0
"""Before this, or half of the load if that is less, none is overdue: a server may pause for a moment."""
LATE_LIMIT = 0.01
"""If a larger share than this is late by more than a millisecond, so are some of the slowest 1 %."""
SPREAD_LIMIT = 0.3
"""A relative standard deviation of the rounds beyond which the result means nothing."""
UNSTABLE_HALF_WIDTH = 0.1
"""A relative half-width of the interval beyond which a result is called unstable."""
INSTRUCTIONS = "instructions"
"""The metric that a run of counts is about."""
STEADY = 0.005
"""Counts of launches that differ by at most this repeat: 0.01 to 0.1 % is usual, and 0.3 % was observed."""
DRAWS_DIFFER = 0.2
"""How far the slowest set of connections may be behind the fastest without a note, as a fraction."""


def judge_cell(rounds: Sequence[Measurement], *, planned: int, result: Interval | None) -> Validity:
    """Judge the validity of a cell from its ``rounds`` out of ``planned`` rounds."""
    reasons: dict[str, None] = {}
    warnings: dict[str, None] = {}
    if len(rounds) < planned:
        reasons[Code.ROUNDS_MISSING.reason(made=len(rounds), planned=planned)] = None
    if rounds and INSTRUCTIONS in rounds[0].server:
        return _judge_counts(rounds, reasons)
    for measurement in rounds:
        reasons |= dict.fromkeys(_round_reasons(measurement))
        warnings |= dict.fromkeys(_round_warnings(measurement))
    engine = rounds[0].engine if rounds else ""
    warnings |= dict.fromkeys(draws_differ([each.load for each in rounds], engine=engine))
    if result is not None:
        known = (METRICS["time"].value([each]) for each in rounds)
        times = [time_s for time_s in known if time_s is not None]
        spread = relative_spread(times)
        if spread > SPREAD_LIMIT:
            reasons[Code.ROUNDS_DIFFER.reason(spread=spread)] = None
        elif len(times) > 1 and result.relative_half_width > UNSTABLE_HALF_WIDTH:
            warnings[Code.UNSTABLE.reason(half_width=result.relative_half_width)] = None
    return Validity(reasons=tuple(reasons), warnings=tuple(warnings))


def _judge_counts(rounds: Sequence[Measurement], reasons: dict[str, None]) -> Validity:
    """Judge a counted cell. Nothing was timed, so neither the generator nor its schedule can be at fault."""
    for measurement in rounds:
        reasons |= dict.fromkeys(server_faults(measurement))
        if not measurement.load.ok:
            reasons[Code.NOTHING_COMPLETED.reason()] = None
    warnings = {note: None for each in rounds for note in each.launch.notes}
    counts = [value for each in rounds if (value := METRICS[INSTRUCTIONS].value([each]))]
    if len(counts) > 1 and (spread := max(counts) / min(counts) - 1) > STEADY:
        warnings[Code.UNSTEADY.reason(spread=spread)] = None
    return Validity(reasons=tuple(reasons), warnings=tuple(warnings))


def draws_differ(loads: Sequence[LoadResult], *, engine: str = "native") -> Iterator[str]:
    """Yield a sentence if the sets of connections of ``loads`` had very different rates."""
    draws = [draw for load in loads for draw in load.draws]
    rates = [draw.per_s for draw in draws]
    share = slowest_share(rates)
    if share > 1 - DRAWS_DIFFER:
        return
    if all(len(draw.held) > 1 and max(draw.held) - min(draw.held) <= 1 for draw in draws):
        why = "the server's processes had equal numbers of connections, so something else varies"
    elif engine == "native":
        why = "the server's processes probably do not share them evenly; the result is the mean"
    else:
        why = f"{engine} cannot spread them evenly across the server's processes; the result is the mean"
    yield Code.DRAWS_DIFFER.reason(
        count=len(rates), share=1 - share, low=min(rates), high=max(rates), why=why
    )


def _round_warnings(measurement: Measurement) -> Iterator[str]:
    load, is_open = measurement.load, measurement.schedule is not None
    yield from measurement.launch.notes
    if not measurement.state.checked:
        yield Code.DATABASE_UNSEEN.reason()
    if is_open and _lag_share(load) > LAG_WORTH_SAYING:
        yield Code.LAG_NOTED.reason()
    if is_open and _lateness_share(load) > LAG_LIMIT:
        yield Code.TAIL_LAG_NOTED.reason()
    if load.held and max(load.held) - min(load.held) > 1:
        yield Code.CONNECTIONS_UNEVEN.reason(shared=" and ".join(map(str, load.held)))
    if not load.latency_ns.exact:
        yield Code.TIMES_COUNTED.reason(error=RELATIVE_ERROR, most=EXACT_MOST)
    if measurement.server.throttled_s:
        yield Code.CPU_LIMITED.reason()


def describe_invalid(what: str, summary: CellSummary, settings: Settings) -> list[str]:
    """Return a line for each reason why the test of ``what`` fails as invalid; none if it does not fail."""
    return [f"{what} is INVALID: {reason}" for reason in _reasons_to_fail(summary, settings)]


def invalidated(summary: CellSummary, why: str) -> CellSummary:
    """Return ``summary`` marked invalid because of ``why``, unless it is invalid already."""
    if not summary.validity.valid:
        return summary
    return replace(summary, validity=replace(summary.validity, reasons=(why,)))


def _reasons_to_fail(summary: CellSummary, settings: Settings) -> tuple[str, ...]:
    """Return the reasons for which a test fails.

    Without ``--webbench-invalid``, it fails where something depends on the result: in an open loop, as a
    baseline, and in a comparison. Verdicts of a comparison have intervals that account for the spread of the
    rounds, so the spread is not a reason there.
    """
    reasons, given = summary.validity.reasons, settings.invalid
    if given is WhenInvalid.FAIL or (given is None and (summary.schedule or settings.baseline)):
        return reasons
    if given is None and (settings.against or settings.against_stack):
        return tuple(each for each in reasons if code_of(each) != Code.ROUNDS_DIFFER)
    return ()


def server_faults(measurement: Measurement) -> tuple[str, ...]:
    """Return the server's faults in a round: failed requests, a wrong database, a process that exited."""
    load, faults = measurement.load, []
    if load.errors:
        classes = ", ".join(f"{name} {count}" for name, count in sorted(load.errors.items()))
        failed = sum(load.errors.values())
        faults.append(Code.REQUESTS_FAILED.reason(failed=failed, sent=load.sent, classes=classes))
    faults.extend(Code.DATABASE_WRONG.reason(fault=fault) for fault in measurement.state.faults)
    if measurement.server.oom_kills:
        faults.append(Code.OUT_OF_MEMORY.reason())
    if measurement.server.replaced:
        faults.append(Code.PROCESS_REPLACED.reason())
    return tuple(faults)


def _round_reasons(measurement: Measurement) -> Iterator[str]:
    yield from server_faults(measurement)
    if measurement.load.ok:
        yield from load_faults(measurement.load, measurement.schedule)
    else:
        yield Code.NOTHING_COMPLETED.reason()


def load_faults(load: LoadResult, schedule: Schedule | None) -> Iterator[str]:
    """Yield why the times of ``load``, which has a successful response, cannot be trusted."""
    failed = sum(load.errors.values())
    if load.sent != load.ok + failed + load.in_flight:
        yield Code.ACCOUNTS_WRONG.reason(sent=load.sent, ok=load.ok, failed=failed, in_flight=load.in_flight)
    if fault := _overdue(load):
        yield fault
    if load.generator_busy > GENERATOR_LIMIT:
        yield Code.GENERATOR_LIMIT.reason()
    if schedule is not None:
        yield from _schedule_faults(load, schedule)
    elif fault := _littles_law(load):
        yield fault


def _overdue(load: LoadResult) -> str | None:
    """Return a fault if a request in flight waited far longer than any response took.

    Times of requests in flight are unknown; with such a long one, the known times are a biased sample.
    """
    slowest = load.latency_ns if not len(load.service_ns) else load.service_ns
    slowest_s = slowest.max_ns / 1e9
    if load.longest_in_flight_s <= max(OVERDUE * slowest_s, min(OVERDUE_S, load.elapsed_s / 2)):
        return None
    return Code.REQUEST_OVERDUE.reason(
        in_flight=load.in_flight, waited_s=load.longest_in_flight_s, slowest_ms=slowest_s * 1000
    )


def _schedule_faults(load: LoadResult, schedule: Schedule) -> Iterator[str]:
    """Yield the faults of an open loop: every request must be sent, and sent when it was due.

    A load with a number of requests sends all of them, however long that takes. If the server can take the
    rate, that is at most two of its longest responses more than until the last one is due.
    """
    if load.dropped > DROPPED_LIMIT * load.scheduled:
        yield Code.REQUESTS_DROPPED.reason(dropped=load.dropped, scheduled=load.scheduled)
    due_s = load.scheduled / schedule.rate
    longest_s = load.service_ns.max_ns / 1e9 if len(load.service_ns) else 0.0
    if load.elapsed_s > due_s * (1 + _overrun_allowed(load, schedule)) + 2 * longest_s:
        yield Code.RATE_NOT_HELD.reason(scheduled=load.scheduled, took_s=load.elapsed_s, due_s=due_s)
    if load.lag_s > LAG_KEPT_S and _lag_share(load) > LAG_LIMIT:
        yield Code.GENERATOR_LATE.reason(lag_ms=load.lag_s * 1000, mean_ms=_mean_s(load) * 1000)


def _overrun_allowed(load: LoadResult, schedule: Schedule) -> float:
    """Return the allowed overrun as a fraction; random arrivals vary with their number."""
    by_chance = 4 / sqrt(max(load.scheduled, 1)) if schedule.arrivals is Arrivals.POISSON else 0.0
    return OVERRUN_LIMIT + by_chance


def _lag_share(load: LoadResult) -> float:
    """Return the generator's lag as a share of the mean response time, which includes it."""
    return load.lag_s / _mean_s(load) if load.ok else 0.0


def _lateness_share(load: LoadResult) -> float:
    """Return an upper bound on the mean lag of late requests, as a share of p99; 0 if too few were late."""
    if not load.ok or load.late <= LATE_LIMIT * load.scheduled:
        return 0.0
    (p99_ns,) = percentiles([load.latency_ns], (0.99,))
    return load.lag_s * load.scheduled / load.late / (p99_ns / 1e9)


def _mean_s(load: LoadResult) -> float:
    return load.latency_ns.mean_ns / 1e9


def _littles_law(load: LoadResult) -> str | None:
    """Check Little's law: requests under way = rate x response time. In a closed loop that is the users.

    When the last requests of a fixed number are out, users are idle: each for at most one response time,
    which is allowed for in each slice.

    A user without a connection has no request under way. If requests failed or connections were opened again,
    that was the server's doing: fewer requests under way than users then say nothing about the generator.
    """
    under_way = (load.latency_ns.sum_ns / 1e9 + load.in_flight_s + load.error_s) / load.elapsed_s
    slack = load.turns * load.latency_ns.max_ns / 1e9 / load.elapsed_s
    low = load.users * max(0.0, 1 - LITTLE_TOLERANCE - slack)
    high = load.users * (1 + LITTLE_TOLERANCE)
    if load.errors or load.connections_opened > load.users * max(1, len(load.draws)):
        low = 0.0
    if low <= under_way <= high:
        return None
    return Code.GENERATOR_HELD_UP.reason(under_way=under_way, users=load.users)
