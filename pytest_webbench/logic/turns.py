"""A round that was made in several turns, as one."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from pytest_webbench.logic.sharing import join_samples
from pytest_webbench.values.load import LoadResult
from pytest_webbench.values.measurement import ServerUsage, StateCheck

__all__ = ["add_loads", "add_states", "add_usages"]

_EXAMPLES = 3


def add_loads(loads: Sequence[LoadResult]) -> LoadResult:
    """The sum of ``loads``, at least one, that were made one after the other.

    Times are all kept, ``elapsed_s`` is the time under load alone, ``generator_busy`` and ``lag_s`` are
    means, ``held`` is what was shared least evenly. ``unconfirmed`` is left out, for each load counts
    its requests from 0.
    """
    if len(loads) == 1:
        return loads[0]
    elapsed_s = math.fsum(each.elapsed_s for each in loads)
    scheduled = sum(each.scheduled for each in loads)
    errors: Counter[str] = Counter()
    for each in loads:
        errors.update(each.errors)
    return LoadResult(
        users=loads[0].users,
        elapsed_s=elapsed_s,
        sent=sum(each.sent for each in loads),
        ok=sum(each.ok for each in loads),
        errors=dict(errors),
        in_flight=sum(each.in_flight for each in loads),
        latency_ns=join_samples(each.latency_ns for each in loads),
        ttfb_ns=join_samples(each.ttfb_ns for each in loads),
        service_ns=join_samples(each.service_ns for each in loads),
        in_flight_s=math.fsum(each.in_flight_s for each in loads),
        error_s=math.fsum(each.error_s for each in loads),
        generator_cpu_s=math.fsum(each.generator_cpu_s for each in loads),
        generator_busy=math.fsum(each.generator_busy * each.elapsed_s for each in loads) / elapsed_s,
        connections_opened=sum(each.connections_opened for each in loads),
        bytes_received=sum(each.bytes_received for each in loads),
        scheduled=scheduled,
        dropped=sum(each.dropped for each in loads),
        lag_s=math.fsum(each.lag_s * each.scheduled for each in loads) / max(scheduled, 1),
        late=sum(each.late for each in loads),
        examples=tuple(example for each in loads for example in each.examples)[:_EXAMPLES],
        held=max((each.held for each in loads), key=_unevenness),
        turns=sum(each.turns for each in loads),
    )


def add_usages(usages: Sequence[ServerUsage]) -> ServerUsage:
    """What the server used in all turns; of memory the largest."""
    return reduce(_add, usages)


def add_states(states: Sequence[StateCheck]) -> StateCheck:
    """Whether the database was right whenever it was looked at."""
    faults = tuple(dict.fromkeys(fault for each in states for fault in each.faults))
    return StateCheck(checked=any(each.checked for each in states), faults=faults)


def _unevenness(held: tuple[int, ...]) -> int:
    return max(held) - min(held) if held else -1


def _add(one: ServerUsage, other: ServerUsage) -> ServerUsage:
    peaks = (one.peak_rss_bytes, other.peak_rss_bytes)
    return replace(
        one,
        cpu_s=None if one.cpu_s is None or other.cpu_s is None else one.cpu_s + other.cpu_s,
        peak_rss_bytes=None if peaks[0] is None or peaks[1] is None else max(peaks[0], peaks[1]),
        replaced=one.replaced or other.replaced,
        throttled_s=None
        if one.throttled_s is None or other.throttled_s is None
        else one.throttled_s + other.throttled_s,
        oom_kills=None
        if one.oom_kills is None or other.oom_kills is None
        else one.oom_kills + other.oom_kills,
    )
