"""Tables of the decisions by counts and by time."""

from collections.abc import Sequence
from statistics import median

from engine_bench.tables import Table

from gate_bench.deciding import Decided, Goal
from gate_bench.loops import Loops
from pytest_webbench.report.content.text import duration

__all__ = ["changed_table", "goals_table", "same_table"]

MOST_NAMED = 20


def same_table(parts: Sequence[Decided]) -> Table:
    """Return a commit against itself, one row per measure; cells not called unchanged are named below."""
    return Table(
        headers=(
            "measure",
            "runs (busy)",
            "comparisons",
            "no change",
            "in instructions or time",
            "false alarms",
            "left open",
            "a run takes",
            "on a busy machine",
        ),
        left=("measure",),
        rows=tuple(
            (
                each.part.measure.value,
                _runs(each),
                str(len(each.same)),
                str(each.no_change),
                str(each.main_no_change),
                str(len(each.alarms)),
                str(len(each.left_open)),
                _times(each.quiet_s),
                _times(each.busy_s),
            )
            for each in parts
        ),
        notes=tuple(note for each in parts for note in _named(each)),
    )


def changed_table(parts: Sequence[Decided], loops: Loops) -> Table:
    """Return a handler with a loop against the same without it, one row per size of the loop."""
    return Table(
        headers=(
            "head",
            "turns of the loop",
            "runs (busy)",
            "called slower",
            "instructions found",
            "other cell: no change",
            "left open",
            "a run takes",
            "on a busy machine",
        ),
        left=("head",),
        rows=tuple(
            (
                f"{(each.part.growth or 0.0) * 100:+g} %",
                str(loops.of(each.part.growth or 0.0).turns),
                _runs(each),
                f"{each.slower} of {len(each.changed)}",
                _ratios(each.ratios),
                f"{each.no_change} of {len(each.same)}",
                str(len(each.left_open)),
                _times(each.quiet_s),
                _times(each.busy_s),
            )
            for each in parts
        ),
        notes=(
            *(
                f"{each.part.name}: {each.part.about}; a request without it has {loops.own:,.0f}, and the "
                f"loop {loops.of(growth).instructions:,.0f}, counted by itself in an interpreter without a "
                f"server, which is {loops.size(growth) * 100:.3f} %."
                for each in parts
                if (growth := each.part.growth) is not None
            ),
            *(note for each in parts for note in _named(each)),
        ),
    )


def goals_table(goals: Sequence[Goal]) -> Table:
    """Return each goal and what was found."""
    return Table(
        headers=("goal", "found", "met"),
        left=("goal",),
        rows=tuple((each.text, each.found, "yes" if each.met else "NO") for each in goals),
    )


def _runs(decided: Decided) -> str:
    return f"{decided.runs} ({len(decided.busy_s)})"


def _times(seconds: Sequence[float]) -> str:
    if not seconds:
        return "-"
    return f"{duration(median(seconds))} (at most {duration(max(seconds))})"


def _ratios(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    low, middle, high = (f"{(each - 1) * 100:+.2f}" for each in (min(ratios), median(ratios), max(ratios)))
    return f"{middle} % ({low} to {high})"


def _named(decided: Decided) -> list[str]:
    """Return the alarms and the undecided cells, up to a limit."""
    notes = []
    for what, cells in (("false alarm", decided.alarms), ("left open", decided.left_open)):
        notes += [f"{decided.part.name}, {what}: {each.named()}." for each in cells[:MOST_NAMED]]
        if len(cells) > MOST_NAMED:
            notes.append(f"{decided.part.name}, {what}: {len(cells) - MOST_NAMED} more.")
    return notes
