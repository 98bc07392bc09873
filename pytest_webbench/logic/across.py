"""Two saved runs compared: what can be said of figures that were not measured side by side."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Any

from pytest_webbench.logic.baseline import differences
from pytest_webbench.logic.statistics import CONFIDENCE
from pytest_webbench.values.baseline import Difference
from pytest_webbench.values.plan import Cell
from pytest_webbench.values.record import RunRecord
from pytest_webbench.values.summary import CellSummary, Interval

__all__ = ["AcrossRuns", "CellAcross", "compare_runs", "independent_ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAcross:
    """A cell in two runs. ``ratio``: how many times as long it takes in the second one.

    It is ``None``, and ``why_not`` says why, where the two figures must not be compared.
    """

    cell: Cell
    base: CellSummary
    head: CellSummary
    ratio: Interval | None
    why_not: str = ""

    @property
    def verdict(self) -> str:
        """In a word or two; ``not told apart`` if the interval has 1 in it."""
        if self.ratio is None:
            return "not compared"
        if self.ratio.low > 1:
            return "slower"
        return "faster" if self.ratio.high < 1 else "not told apart"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossRuns:
    """What two runs have in common, and in what they came about otherwise.

    ``differing`` maps each difference to the cells concerned, ``only_base`` and ``only_head`` are
    cells that one of them has alone.
    """

    base: str
    head: str
    cells: tuple[CellAcross, ...]
    differing: Mapping[Difference, tuple[Cell, ...]]
    only_base: tuple[Cell, ...]
    only_head: tuple[Cell, ...]


def compare_runs(base: RunRecord, head: RunRecord) -> AcrossRuns:
    """Every cell that both have."""
    old = {each.cell: each for each in base.summaries}
    new = {each.cell: each for each in head.summaries}
    differing: dict[Difference, tuple[Cell, ...]] = {}
    cells = []
    for cell in (each for each in new if each in old):
        found = differences(_origin(base, cell), _origin(head, cell))
        for each in found:
            differing[each] = (*differing.get(each, ()), cell)
        cells.append(_across(old[cell], new[cell], found))
    for each in _machine_differences(base, head):
        differing[each] = tuple(each.cell for each in cells)
    return AcrossRuns(
        base=base.source,
        head=head.source,
        cells=tuple(cells),
        differing=differing,
        only_base=tuple(cell for cell in old if cell not in new),
        only_head=tuple(cell for cell in new if cell not in old),
    )


def _origin(run: RunRecord, cell: Cell) -> Mapping[str, Any]:
    return run.origins.get(cell, {})


def _machine_differences(base: RunRecord, head: RunRecord) -> list[Difference]:
    """What of the machines differs, where both runs say it."""
    old, new = base.about.machine, head.about.machine
    if old is None or new is None:
        return []
    names = ("processor", "cores", "memory_bytes", "system", "governor", "python")
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in names]
    return [
        Difference(what=f"machine, {name.partition('_')[0]}:", base=str(one), now=str(other))
        for name, one, other in pairs
        if one != other
    ]


def _across(base: CellSummary, head: CellSummary, found: Sequence[Difference]) -> CellAcross:
    sides = (("the first run", base), ("the second", head))
    bars = [str(each) for each in found if not each.comparable]
    bars = bars or [f"invalid in {name}" for name, each in sides if not each.validity.valid]
    ratio = None if bars else independent_ratio(head.samples_s, base.samples_s)
    return CellAcross(cell=head.cell, base=base, head=head, ratio=ratio, why_not="; ".join(bars))


def independent_ratio(values: Sequence[float], base: Sequence[float]) -> Interval:
    """How many times ``base`` the ``values`` are, from rounds that do not belong together in pairs.

    The ratio of geometric means, with Welch's t interval of the difference of the logarithms: the spread of
    either side counts, and they need not be alike. With one round on a side, the interval is infinite. What
    shifts from run to run is not in it.
    """
    logs, base_logs = [math.log(each) for each in values], [math.log(each) for each in base]
    centre = fmean(logs) - fmean(base_logs)
    if min(len(logs), len(base_logs)) < 2:
        return Interval(estimate=math.exp(centre), low=0.0, high=math.inf)
    half = _welch_half_width(logs, base_logs)
    return Interval(estimate=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half))


def _welch_half_width(one: Sequence[float], other: Sequence[float]) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415

    errors = [variance(each) / len(each) for each in (one, other)]
    total = sum(errors)
    if total == 0:
        return 0.0
    parts = [error**2 / (len(each) - 1) for error, each in zip(errors, (one, other), strict=True)]
    freedom = total**2 / sum(parts)
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(total)
