"""How far two rankings of the same stacks agree."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_webbench.logic.summary import rank
from pytest_webbench.values.published import Published
from pytest_webbench.values.scenario import Unit
from pytest_webbench.values.summary import CellSummary

__all__ = ["Agreement", "Beside", "agreement", "set_beside"]

FEWEST = 3
"""With two stacks in common, agreement would be all or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A published figure of a cell and ours, in the scenario's unit, each with its ratio to the best.

    A ratio says how many times as long it takes as the fastest stack that both have. ``ours`` and the
    ratios are ``None`` where the cell was not measured or is not valid.
    """

    stack: str
    published: float
    approximate: bool
    published_ratio: float | None
    ours: float | None
    ours_ratio: float | None
    our_rank: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a publication and a run say of a scenario.

    ``tau`` is Kendall's tau-b of the two rankings (1: the same order, -1: the opposite one), ``None`` if
    fewer than three stacks are in both or one of the two ranks them all alike. ``ties`` says whether some of
    ours share a rank; tau-b counts such a pair neither for nor against.
    """

    scenario: str
    unit: Unit
    rows: tuple[Beside, ...]
    tau: float | None
    common: int
    ties: bool


def set_beside(published: Published, scenario: str, summaries: Sequence[CellSummary]) -> Agreement | None:
    """The figures that ``published`` has of ``scenario`` beside ours; ``None`` if there are none of both.

    Nor are there any of an open loop, whose figure is another one. ``summaries`` may be ranked together.
    """
    theirs = published.figures.get(scenario)
    if not theirs or not summaries or summaries[0].schedule is not None:
        return None
    unit = summaries[0].unit
    ranks = {each.summary.cell.stack: each.rank for each in rank(summaries) if each.rank is not None}
    ours = {each.cell.stack: each.figure.estimate for each in summaries if each.cell.stack in ranks}
    common = [stack for stack in theirs if stack in ours]
    rows = tuple(
        Beside(
            stack=stack,
            published=value,
            approximate=f"{scenario}[{stack}]" in published.approximate,
            published_ratio=_ratio(value if stack in ours else None, [theirs[each] for each in common], unit),
            ours=ours.get(stack),
            ours_ratio=_ratio(ours.get(stack), [ours[each] for each in common], unit),
            our_rank=ranks.get(stack),
        )
        for stack, value in theirs.items()
    )
    our_ranks = {stack: ranks[stack] or 0 for stack in common}
    return Agreement(
        scenario=scenario,
        unit=unit,
        rows=rows,
        tau=agreement(_ranks({stack: theirs[stack] for stack in common}, unit), our_ranks),
        common=len(common),
        ties=len(set(our_ranks.values())) < len(our_ranks),
    )


def agreement(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Kendall's tau-b of two rankings of the same names, with ties; ``None`` where it says nothing."""
    if len(one) < FEWEST:
        return None
    from scipy.stats import kendalltau  # noqa: PLC0415

    tau = float(kendalltau([one[name] for name in one], [other[name] for name in one], variant="b").statistic)
    return None if math.isnan(tau) else tau


def _ranks(values: Mapping[str, float], unit: Unit) -> dict[str, float]:
    """Numbers that grow from the best stack to the worst."""
    return {name: -value if unit is Unit.RATE else value for name, value in values.items()}


def _ratio(value: float | None, values: Sequence[float], unit: Unit) -> float | None:
    if value is None or not values:
        return None
    return max(values) / value if unit is Unit.RATE else value / min(values)
