"""A scenario: who asks how much of what."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pytest_webbench.values.exchange import Exchange, Record
from pytest_webbench.values.load import Amount, Arrivals

__all__ = ["Scenario", "Traffic", "Unit", "WarmupStep"]

Traffic = Callable[[Sequence[Record], int | None, random.Random], Sequence[Exchange]]
"""``traffic(records, count, rng)``: the exchanges of one round, as a pure function.

``records`` are those that the database holds when the round starts, ``count`` the number of requests
of the round (``None``: it has a duration, and the exchanges are sent over and over), ``rng`` a source
of chance that is the same for every stack in that round. Fewer exchanges than ``count`` are repeated.
"""


class Unit(StrEnum):
    """The unit in which a scenario's figure is shown to people."""

    RATE = "req/s"
    """Completed requests per second; more is better."""
    TIME = "ms"
    """Mean response time in milliseconds; less is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load, with what a right answer is and what the database must hold afterwards.

    The answers and effects stand in the exchanges that ``traffic`` makes. ``repeat`` says whether an
    exchange may be sent twice in a round (a deletion may not). ``writes`` says whether the database
    changes. With a ``rate`` (requests per second, with ``arrivals``) the loop is open, and ``users`` are
    connections at most. ``typical_s`` is a guess of the seconds per completed request, used for nothing
    but the time that a run is expected to take.
    """

    name: str
    users: int
    amount: Amount
    traffic: Traffic
    title: str = ""
    unit: Unit = Unit.RATE
    suite: str = "items"
    repeat: bool = True
    writes: bool = False
    rate: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT
    typical_s: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStep:
    """A part of the warm-up after a launch: the requests of a scenario, by other users and amount."""

    scenario: str
    users: int
    amount: Amount
