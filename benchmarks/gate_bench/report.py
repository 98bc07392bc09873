"""The results as a table with notes."""

from collections.abc import Sequence

from engine_bench.tables import Table

from gate_bench.calibration import Calibration
from gate_bench.compare_fail import LIMITS, Said
from gate_bench.parts import Part, Setup
from gate_bench.tallying import Tally
from pytest_webbench.report.content.text import duration

__all__ = ["describe_calibration", "gate_table"]

MOST_UNDECIDED = 0.5
"""A gate that never decides gives no false alarm either."""


def gate_table(tallies: Sequence[Tally], setup: Setup, calibration: Calibration | None) -> Table:
    """Return a row for each part, and notes on how it was measured."""
    return Table(
        headers=(
            "part",
            "runs",
            "comparisons",
            "right",
            "false alarms / missed",
            "undecided",
            "time per cell",
            "rounds",
            "CPU ratio",
            *(f"compare-fail {limit.removeprefix('mean:').replace('%', ' %')}" for limit in LIMITS),
        ),
        left=("part",),
        rows=tuple(_row(each) for each in tallies),
        notes=tuple(_notes(tallies, setup, calibration)),
    )


def _row(made: Tally) -> tuple[str, ...]:
    name = "missed" if made.part.growth else "false alarms"
    return (
        made.part.name,
        str(made.runs),
        str(made.comparisons),
        str(made.right),
        f"{made.wrong} {name}",
        str(made.undecided),
        f"{duration(made.seconds_per_cell)} (at most {duration(made.most_seconds_per_cell)})",
        f"{made.rounds:g}",
        f"{made.cpu_ratio:.3f}",
        *(_said(made.part, made.beside[limit]) for limit in LIMITS),
    )


def _said(part: Part, said: Said) -> str:
    """Return how often pytest-benchmark's rule was wrong, as in the column of false alarms and missed."""
    if not said.benchmarks:
        return "-"
    if part.growth is None:
        return f"{said.regressions} of {said.benchmarks} alarms, {said.failed_runs} of {said.runs} runs"
    return f"{said.benchmarks - said.regressions} missed of {said.benchmarks}"


def _notes(tallies: Sequence[Tally], setup: Setup, calibration: Calibration | None) -> list[str]:
    notes = [
        f"{'; '.join(f'{each.part.name}: {each.part.about}' for each in tallies)}.",
        "Time per cell, rounds and CPU ratio are medians; a comparison is a cell in a run, with all its "
        "metrics, and an undecided one is no alarm.",
        "compare-fail is computed, not run: pytest-benchmark's rule on the mean of the same rounds, with the "
        "base of the run before as the stored baseline.",
    ]
    notes += [
        f"{each.part.name}: {each.undecided} of {each.comparisons} comparisons stayed undecided, so that the "
        "absence of alarms says little: measure on a quieter machine, or with a longer --duration."
        for each in tallies
        if each.part.growth is None and each.undecided > MOST_UNDECIDED * each.comparisons
    ]
    if calibration is not None:
        grown = [each.part.growth for each in tallies if each.part.growth is not None]
        notes += [describe_calibration(calibration, growth) for growth in grown]
        were = "were" if all(each.work_as_wanted for each in tallies) else "were NOT"
        notes.append(f"Just these units {were} counted in every run, by the applications of base and head.")
    notes.append(
        f"Launcher {setup.launcher}, {setup.rounds} rounds before the first look (in aa "
        f"{setup.same_rounds}), seed {setup.seed}; thresholds are the defaults, and so are "
        f"budgets{_budget(setup)}."
    )
    return notes


def _budget(setup: Setup) -> str:
    return "" if setup.same_budget_s is None else f", but for {setup.same_budget_s} s in aa"


def describe_calibration(calibration: Calibration, growth: float) -> str:
    """Return the work of base and head per request, and the difference."""
    base, head = calibration.base_units, calibration.head_units(growth)
    base_s, head_s = calibration.request_s(base), calibration.request_s(head)
    return (
        f"{growth * 100:g} % more: {head} units of {calibration.unit_s * 1e6:.3f} us, not {base}, beside "
        f"{calibration.own_s * 1e3:.3f} ms of its own, {head_s * 1e3:.3f} ms of CPU, not "
        f"{base_s * 1e3:.3f} ms: {(head_s / base_s - 1) * 100:+.2f} %."
    )
