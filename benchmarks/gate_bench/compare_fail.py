"""The verdict of ``--benchmark-compare-fail=mean:N%`` on the same rounds.

The baseline is the base of the previous run, as if it had been stored then; the rule is
pytest-benchmark's own code. All rounds of a run are used, so that it has as many as the gate had, including
those of invalid cells, which would not be stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import Any

from pytest_benchmark.utils import parse_compare_fail

from gate_bench.runs import Run

__all__ = ["LIMITS", "Said", "compare_fail"]

LIMITS = ("mean:5%", "mean:10%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How many of ``benchmarks`` the rule calls regressions, and in how many of the ``runs``."""

    benchmarks: int
    regressions: int
    runs: int
    failed_runs: int


def compare_fail(runs: Sequence[Run], limit: str) -> Said:
    """Compare each of ``runs`` but the first with the previous one."""
    rule = parse_compare_fail(limit)  # type: ignore[no-untyped-call]
    failed = [_regressions(before, now, rule) for before, now in pairwise(runs)]
    return Said(
        benchmarks=sum(len(each) for each in failed),
        regressions=sum(sum(each) for each in failed),
        runs=len(failed),
        failed_runs=sum(any(each) for each in failed),
    )


def _regressions(stored: Run, now: Run, rule: Any) -> list[bool]:
    """Return, for each benchmark that both runs have, whether the test would fail."""
    baselines = {each.cell: mean(each.base_s) for each in stored.rounds if each.base_s}
    return [
        rule.fails({"mean": mean(each.head_s)}, {"mean": baselines[each.cell]}) is not None
        for each in now.rounds
        if each.head_s and each.cell in baselines
    ]
