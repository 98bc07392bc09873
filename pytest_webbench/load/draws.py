"""Loads on several sets of connections, one after the other.

A server whose processes share a port has its connections shared by chance: one process may get most of
them, and the others little to do, for as long as the connections last. Where nobody can see to it that the
shares are even, one set of connections says little of the server; several say what it does on average, and
how much that varies.


A load in several draws: each a part of it, on connections of its own.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from pytest_webbench.load.partition import put_together
from pytest_webbench.load.schedule import TURN_REQUESTS, amount_of_turn
from pytest_webbench.model.load import Amount, Draw, Load, LoadResult

__all__ = ["DRAWS", "Drawing", "draws_of", "join_draws", "part_of"]

DRAWS = 5
"""Sets of connections in a round: the chance of two speeds is seen in most rounds, and hardly takes time."""
SHORTEST_S = 0.1
"""How long a load on one set of connections lasts at least."""


def draws_of(amount: Amount, users: int) -> int:
    """How many sets of connections a load can have, so that each of them says something."""
    if amount.duration_s is not None:
        most = int(amount.duration_s / SHORTEST_S + 1e-9)
    else:
        assert amount.requests is not None
        most = amount.requests // (TURN_REQUESTS * users)
    return max(1, min(DRAWS, most))


def part_of(load: Load, *, draw: int, draws: int, sent: int) -> Load | None:
    """What belongs to ``draw``, from 0, of so many ``draws``, once ``sent`` requests were sent before.

    Its request 0 is request ``sent`` of the whole load. ``None`` if the load has no more requests.
    """
    first = sent % len(load.exchanges) if load.repeat else sent
    exchanges = load.exchanges[first:] + (load.exchanges[:first] if load.repeat else ())
    if not exchanges:
        return None
    schedule = load.schedule
    if schedule is not None:
        seed = random.Random(f"{schedule.seed}/draw {draw}").getrandbits(53) if draw else schedule.seed
        schedule = replace(schedule, seed=seed)
    return replace(
        load,
        amount=amount_of_turn(load.amount, turn=draw, turns=draws),
        exchanges=exchanges,
        schedule=schedule,
        turns=max(1, load.turns // draws),
        warm_up=load.warm_up and _some(amount_of_turn(load.warm_up, turn=draw, turns=draws)),
    )


def _some(amount: Amount) -> Amount | None:
    return None if amount.requests == 0 else amount


def join_draws(results: Sequence[LoadResult]) -> LoadResult:
    """The result of the whole load from those of its draws, which are at least one and in order."""
    draws = tuple(Draw(ok=each.ok, elapsed_s=each.elapsed_s, held=each.held) for each in results)
    if len(results) == 1:
        return replace(results[0], draws=draws)
    unconfirmed: list[int] = []
    sent = 0
    for result in results:
        unconfirmed += [sent + number for number in result.unconfirmed]
        sent += result.sent
    whole = put_together(
        results,
        users=results[0].users,
        elapsed_s=math.fsum(result.elapsed_s for result in results),
        unconfirmed=tuple(unconfirmed),
        turns=sum(result.turns for result in results),
    )
    least_even = max((each.held for each in results if each.held), key=_gap, default=())
    return replace(whole, held=least_even, draws=draws)


def _gap(held: tuple[int, ...]) -> int:
    return held[0] - held[-1]


class Drawing:
    """Gives out the parts of ``load`` and puts their results together."""

    def __init__(self, load: Load, draws: int) -> None:
        self._load = load
        self._draws = draws
        self._results: list[LoadResult] = []

    def next(self) -> Load | None:
        """The next part; ``None`` if there is none."""
        draw = len(self._results)
        if draw == 0 and self._draws == 1:
            return self._load
        if draw == self._draws:
            return None
        sent = sum(result.sent for result in self._results)
        return part_of(self._load, draw=draw, draws=self._draws, sent=sent)

    def add(self, result: LoadResult) -> None:
        """What came of the part that was given out."""
        self._results.append(result)

    def whole(self) -> LoadResult:
        """What came of all of it."""
        return join_draws(self._results)
