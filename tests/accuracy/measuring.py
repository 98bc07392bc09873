"""Loads on the servers of this package, and the results expected of them."""

import math
from collections.abc import Sequence

import pytest

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Amount, Arrivals, Load, LoadResult, Schedule

__all__ = ["make_load", "nearest_rank", "run", "within_the_bound"]

RIGHT = Exchange(request=Request(path="/"), answer=Answer(rule=BodyRule.TEXT, text="right"))


def make_load(
    *, users: int, requests: int, rate: float | None = None, arrivals: Arrivals = Arrivals.CONSTANT
) -> Load:
    """A load that ends with its last response, so that nothing is in flight; an open one with a ``rate``."""
    schedule = None if rate is None else Schedule(rate=rate, arrivals=arrivals, seed=5)
    return Load(users=users, amount=Amount(requests=requests), exchanges=(RIGHT,), schedule=schedule)


def run(load: Load, url: str, *, generators: int = 1) -> LoadResult:
    """Carry ``load`` out in worker processes of its own."""
    engine = NativeEngine(generators=generators)
    try:
        return engine.run(load, url)
    finally:
        engine.close()


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest of ``values`` that at least ``share`` of them lie at or below, by sorting."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def within_the_bound(truth_s: float) -> object:
    """Equals what a percentile may be whose true value is ``truth_s``: within 1 ms or, if more, 3 %."""
    return pytest.approx(truth_s, abs=0.001, rel=0.03)
