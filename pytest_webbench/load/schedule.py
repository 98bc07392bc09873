"""How a load is laid out in time.

* When the requests of an open loop are due.
* Rounds in slices: stacks that are compared are loaded alternately, in short slices.
* A rate that every stack can serve, so that their response times can be compared.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from pytest_webbench.model.load import Amount, Arrivals, Schedule
from pytest_webbench.model.measurement import MachineUsage
from pytest_webbench.model.suite import Scenario

__all__ = [
    "COMMON_SHARE",
    "TURN_REQUESTS",
    "add_machine_usages",
    "amount_of_turn",
    "common_rate",
    "due_ns",
    "saturating",
    "turns_of",
]


def due_ns(schedule: Schedule) -> Iterator[int]:
    """Yield when request 0, 1, ... is due, in nanoseconds from the start of the load, without end.

    Deterministic for a schedule. Constant arrivals are computed from their number, so that rounding does not
    accumulate; the gaps of Poisson arrivals are exponential (a Poisson process of that rate).
    """
    match schedule.arrivals:
        case Arrivals.CONSTANT:
            for number in count():
                yield round((schedule.offset_s + number / schedule.rate) * 1e9)
        case Arrivals.POISSON:
            chance = random.Random(f"{schedule.seed}/arrivals")
            now_s = schedule.offset_s
            while True:
                now_s += chance.expovariate(schedule.rate)
                yield round(now_s * 1e9)


TURN_S = 0.024
TURN_S_PER_USER = 0.004
TURN_REQUESTS = 10
"""The least number of requests per user in a slice with a fixed number of requests."""
MOST_TURNS = 60


def turns_of(scenario: Scenario) -> int:
    """Return the number of slices in a round of ``scenario`` when it is compared with another.

    A disturbance often outlasts a load, and then hits only one side: the shorter the slices, the more evenly
    it hits both. But at the end of each slice users run out of requests, which must stay a small part of it;
    and the database is the same for all slices, so a scenario that writes has only one.
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
    """Return the part of ``amount`` for slice ``turn``, from 0, of ``turns``."""
    if amount.duration_s is not None:
        return Amount(duration_s=amount.duration_s / turns)
    assert amount.requests is not None
    return Amount(requests=amount.requests // turns + (turn < amount.requests % turns))


def add_machine_usages(usages: Sequence[MachineUsage]) -> MachineUsage:
    """Return the machine's usage over all slices."""
    return MachineUsage(
        elapsed_s=_sum(each.elapsed_s for each in usages),
        busy_s=_sum(each.busy_s for each in usages),
        steal_s=_sum(each.steal_s for each in usages),
        own_s=_sum(each.own_s for each in usages),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else math.fsum(each for each in known if each is not None)


COMMON_SHARE = 0.5
"""A fraction of the slowest stack's capacity: at half of its load a server queues little, and still works."""
SATURATING_USERS = 16
SATURATING_S = 0.8


def saturating(scenario: Scenario) -> Scenario:
    """Return ``scenario`` as a closed loop that keeps every worker busy, for long enough to see the rate."""
    users = max(scenario.users, SATURATING_USERS)
    return replace(scenario, users=users, amount=Amount(duration_s=SATURATING_S), rate=None)


def common_rate(saturation: Mapping[str, float], share: float) -> float:
    """Return ``share`` of the lowest saturation rate (requests per second), truncated to two digits.

    Two digits, because the saturation is known no more precisely.
    """
    exact = min(saturation.values()) * share
    digit = 10.0 ** (math.floor(math.log10(exact)) - 1)
    return math.floor(exact / digit + 1e-9) * digit
