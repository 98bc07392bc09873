"""Tables of instructions and CPU time."""

import math
from collections.abc import Sequence
from statistics import fmean

from engine_bench.tables import Table

from counts_bench.correlation import CONFIDENCE, Coefficient, Correlation, Cost

__all__ = ["correlation_table", "costs_table"]


def correlation_table(found: Correlation) -> Table:
    """Return the two coefficients with their intervals."""
    return Table(
        headers=("correlation", "coefficient", f"{CONFIDENCE * 100:g} % interval"),
        left=("correlation",),
        rows=(
            ("Spearman's, of the ranks", *_coefficient(found.spearman)),
            ("Pearson's, of the logarithms", *_coefficient(found.pearson)),
        ),
        notes=(
            f"Of {found.benchmarks} benchmarks. CPU time grows with instructions to the power of "
            f"{found.slope:.2f}; benchmarks deviate from that by a factor of {found.scatter:.2f} (a standard "
            "deviation).",
        ),
    )


def _coefficient(each: Coefficient) -> tuple[str, str]:
    return f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}"


def costs_table(costs: Sequence[Cost]) -> Table:
    """Return all benchmarks, sorted by how far their CPU time per instruction is from the usual."""
    usual = math.exp(fmean(math.log(each.ns_per_thousand) for each in costs))
    ordered = sorted(costs, key=lambda each: -abs(math.log(each.ns_per_thousand / usual)))
    return Table(
        headers=("benchmark", "thousand instructions", "CPU ms", "ns per thousand", "times the usual"),
        left=("benchmark",),
        rows=tuple(
            (
                str(each.cell),
                f"{each.instructions / 1000:,.0f}",
                f"{each.cpu_s * 1000:.3f}",
                f"{each.ns_per_thousand:.0f}",
                f"{each.ns_per_thousand / usual:.2f}",
            )
            for each in ordered
        ),
        notes=(f"For a request. The usual is the geometric mean, {usual:.0f} ns per thousand instructions.",),
    )
