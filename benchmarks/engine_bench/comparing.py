"""Rounds in which each generator loads the same server, and the statistics over them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from engine_bench.generators import Generator, Outcome
from engine_bench.server import Server
from pytest_webbench.host.meters.process_tree import ProcessTreeMeter
from pytest_webbench.model.errors import LoadError

__all__ = ["Round", "Spread", "measure_rounds", "ratios"]

WARM_UP_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of one generator; ``server_busy`` is the share of a core that the server used meanwhile."""

    outcome: Outcome
    server_busy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median of the rounds, with their minimum and maximum."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of ``values``, one per round."""
        return cls(median=median(values), low=min(values), high=max(values))


def measure_rounds(
    generators: Sequence[Generator],
    server: Server,
    *,
    rounds: int,
    seconds: int,
    connections: int,
    seed: int,
    say: Callable[[str], None],
) -> dict[str, list[Round]]:
    """Have each generator make its load in each round, in a new random order, after warming up all.

    Raises :class:`~pytest_webbench.model.errors.LoadError` if a generator, or one of its requests, fails.
    """
    for generator in generators:
        say(f"warm-up: {generator.name}")
        _measure(generator, server, seconds=WARM_UP_S, connections=connections)
    rng = random.Random(seed)
    measured: dict[str, list[Round]] = {generator.name: [] for generator in generators}
    for number in range(1, rounds + 1):
        for generator in rng.sample(generators, len(generators)):
            made = _measure(generator, server, seconds=seconds, connections=connections)
            measured[generator.name].append(made)
            say(f"round {number} of {rounds}: {generator.name} {made.outcome.rate:,.0f}/s")
    return measured


def _measure(generator: Generator, server: Server, *, seconds: int, connections: int) -> Round:
    meter = ProcessTreeMeter(server.pid)
    served = server.served()
    meter.begin()
    outcome = generator.run(server.page, seconds=seconds, connections=connections)
    usage = meter.end()
    _doubt(generator.name, outcome, served, server.served())
    return Round(outcome=outcome, server_busy=(usage.cpu_s or 0.0) / outcome.seconds)


def _doubt(name: str, outcome: Outcome, served: int | None, served_then: int | None) -> None:
    """Raise an error for a run with failures, or one that counts more requests than the server did."""
    if outcome.failed or not outcome.requests:
        raise LoadError(f"{name}: {outcome.failed} requests failed, {outcome.requests} were right.")
    if served is not None and served_then is not None and outcome.requests > served_then - served:
        raise LoadError(
            f"{name} counts {outcome.requests} requests, but the server answered {served_then - served}."
        )


def ratios(
    measured: Mapping[str, Sequence[Round]],
    base: str,
    name: str,
    figure: Callable[[Outcome], float],
) -> Spread:
    """Return the ratio of the ``figure`` of ``name`` to that of ``base``, over pairs of the same round."""
    pairs = zip(measured[base], measured[name], strict=True)
    return Spread.of([figure(one.outcome) / figure(other.outcome) for one, other in pairs])
