"""When the requests of an open loop are due."""

import random
from collections.abc import Iterator
from itertools import count

from pytest_webbench.values.load import Arrivals, Schedule

__all__ = ["due_ns"]


def due_ns(schedule: Schedule) -> Iterator[int]:
    """Nanoseconds from the start of the load at which request 0, 1, ... is due, without end.

    The same for the same schedule. Constant arrivals are worked out from their number, so that no
    rounding adds up; the gaps of Poisson arrivals are exponential (a Poisson process of that rate).
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
