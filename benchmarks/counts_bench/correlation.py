"""The correlation of instructions and CPU time of the same benchmarks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from scipy.stats import norm, pearsonr, spearmanr

from pytest_webbench.analysis.metrics import METRICS
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell
from pytest_webbench.runs.store import read_run

__all__ = ["Coefficient", "Correlation", "Cost", "correlate", "read_costs"]

CONFIDENCE = 0.95
FEWEST_COSTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of a benchmark's request: ``cpu_s`` of the whole server, ``instructions`` in user space."""

    cell: Cell
    cpu_s: float
    instructions: float

    @property
    def ns_per_thousand(self) -> float:
        """Nanoseconds of CPU time per thousand instructions."""
        return self.cpu_s * 1e9 / (self.instructions / 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A correlation coefficient and the ends of its interval, at :data:`CONFIDENCE`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """The correlation of instructions and CPU time over ``benchmarks``.

    ``spearman`` is of their ranks, ``pearson`` of their logarithms. CPU time grows with instructions to the
    power of ``slope``, with deviations by a factor of about ``scatter`` (standard deviation).
    """

    benchmarks: int
    spearman: Coefficient
    pearson: Coefficient
    slope: float
    scatter: float


def read_costs(timed: Path, counted: Path) -> list[Cost]:
    """Return the benchmarks that are in both runs, by their names.

    Raises :class:`~pytest_webbench.model.errors.UsageError` if there are fewer than :data:`FEWEST_COSTS`.
    """
    cpu_s, instructions = _values(timed, "cpu"), _values(counted, "instructions")
    both = sorted(cpu_s.keys() & instructions.keys())
    if len(both) < FEWEST_COSTS:
        raise UsageError(
            f"{timed} has the CPU time of {len(cpu_s)} benchmarks and {counted} the instructions of "
            f"{len(instructions)}, and only {len(both)} are in both",
            hint="give a timed run and one with --webbench-measure=instructions, of the same stacks",
        )
    return [Cost(cell=cell, cpu_s=cpu_s[cell], instructions=instructions[cell]) for cell in both]


def _values(run: Path, metric: str) -> dict[Cell, float]:
    rounds: dict[Cell, list[Measurement]] = {}
    for each in read_run(run).measurements:
        rounds.setdefault(each.trial.cell, []).append(each)
    values = {cell: METRICS[metric].value(made) for cell, made in rounds.items()}
    return {cell: value for cell, value in values.items() if value}


def correlate(costs: Sequence[Cost]) -> Correlation:
    """Correlate five ``costs`` or more."""
    logs = [(math.log(each.instructions), math.log(each.cpu_s)) for each in costs]
    counts, times = zip(*logs, strict=True)
    pearson = pearsonr(counts, times)
    interval = pearson.confidence_interval(CONFIDENCE)
    slope = _slope(counts, times)
    return Correlation(
        benchmarks=len(costs),
        spearman=_spearman(counts, times),
        pearson=Coefficient(
            value=float(pearson.statistic), low=float(interval.low), high=float(interval.high)
        ),
        slope=slope,
        scatter=math.exp(_scatter(counts, times, slope)),
    )


def _spearman(counts: Sequence[float], times: Sequence[float]) -> Coefficient:
    """Return Spearman's coefficient with Bonett and Wright's interval (2000), by Fisher's transformation."""
    value = float(spearmanr(counts, times).statistic)
    if abs(value) >= 1:
        return Coefficient(value=value, low=value, high=value)
    error = math.sqrt((1 + value**2 / 2) / (len(counts) - 3))
    reach = float(norm.ppf(0.5 + CONFIDENCE / 2)) * error
    return Coefficient(
        value=value, low=math.tanh(math.atanh(value) - reach), high=math.tanh(math.atanh(value) + reach)
    )


def _slope(counts: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of the line through the logarithms, by least squares."""
    middle, level = fmean(counts), fmean(times)
    across = sum((count - middle) * (time - level) for count, time in zip(counts, times, strict=True))
    return across / sum((count - middle) ** 2 for count in counts)


def _scatter(counts: Sequence[float], times: Sequence[float], slope: float) -> float:
    """Return the standard deviation of the logarithms of times around the line."""
    middle, level = fmean(counts), fmean(times)
    squares = [
        (time - level - slope * (count - middle)) ** 2 for count, time in zip(counts, times, strict=True)
    ]
    return math.sqrt(sum(squares) / (len(squares) - 2))
