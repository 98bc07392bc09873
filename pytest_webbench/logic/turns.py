"""Rounds in turns: cells that are compared are loaded to and fro, for a short while each."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce

from pytest_webbench.values.load import Amount
from pytest_webbench.values.machine import MachineUsage
from pytest_webbench.values.measurement import ServerUsage
from pytest_webbench.values.scenario import Scenario

__all__ = ["TURN_REQUESTS", "add_machine_usages", "add_usages", "amount_of_turn", "turns_of"]

TURN_S = 0.024
TURN_S_PER_USER = 0.004
TURN_REQUESTS = 10
"""How many requests each user has at least in a turn that is a number of them."""
MOST_TURNS = 60


def turns_of(scenario: Scenario) -> int:
    """In how many turns a round of ``scenario`` is made where it is compared with another.

    What disturbs a machine often lasts longer than a load, and then hits one side alone: the shorter the
    turns, the more of it hits both. But at the end of each turn users run out of requests, which must
    stay small beside it; and the database is the same for all turns, so that one which writes has one turn.
    """
    amount = scenario.amount
    if scenario.writes or scenario.rate is not None:
        return 1
    if amount.duration_s is not None:
        turn_s = TURN_S + TURN_S_PER_USER * scenario.users
        return max(1, min(MOST_TURNS, round(amount.duration_s / turn_s)))
    assert amount.requests is not None
    return max(1, min(MOST_TURNS, amount.requests // (TURN_REQUESTS * scenario.users)))


def amount_of_turn(amount: Amount, *, turn: int, turns: int) -> Amount:
    """The part of ``amount`` that belongs to ``turn``, from 0, of ``turns``."""
    if amount.duration_s is not None:
        return Amount(duration_s=amount.duration_s / turns)
    assert amount.requests is not None
    return Amount(requests=amount.requests // turns + (turn < amount.requests % turns))


def add_usages(usages: Sequence[ServerUsage]) -> ServerUsage:
    """What the server used in all turns; of memory the largest."""
    return reduce(_add, usages)


def add_machine_usages(usages: Sequence[MachineUsage]) -> MachineUsage:
    """What the machine did in all turns."""
    return MachineUsage(
        elapsed_s=_sum(each.elapsed_s for each in usages),
        busy_s=_sum(each.busy_s for each in usages),
        steal_s=_sum(each.steal_s for each in usages),
        own_s=_sum(each.own_s for each in usages),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else math.fsum(each for each in known if each is not None)


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
