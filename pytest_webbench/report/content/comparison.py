"""Comparisons of a run: its verdicts on base and head, and its results beside those of other saved runs."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_webbench.analysis.cross_run import AcrossRuns, compare_runs
from pytest_webbench.analysis.gate import describe_limit, remarks
from pytest_webbench.analysis.metrics import Rule, find_metric
from pytest_webbench.model.plan import Measure
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import Comparison, Interval, Verdict
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import (
    Chart,
    Judged,
    Note,
    NoteKind,
    Part,
    Section,
    Table,
    numbers,
    words,
)
from pytest_webbench.report.content.counts import (
    describe_growth,
    verdict_counts,
    verdict_table,
    verdict_words,
)
from pytest_webbench.report.content.text import counted, shown_number, shown_ratio

__all__ = [
    "RatioRow",
    "comparison_sections",
    "describe_more",
    "describe_regression",
    "pull_request_parts",
]

SPREAD = " Spread: by how much the launches of a side differ."
ORDER = (Verdict.SLOWER, Verdict.VOID, Verdict.INCONCLUSIVE, Verdict.FASTER, Verdict.NO_CHANGE)
"""The most important verdicts first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioRow:
    """A ratio with its interval, and the growth allowed (0.05), if it is judged."""

    label: str
    ratio: Interval
    verdict: str
    limit: float | None = None


def comparison_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield the verdicts of the last run, and its comparison with those before it."""
    record = records[-1]
    parts = [_verdicts_part(record)] if record.against else []
    parts += [
        _across_part(compare_runs(each, record)) if each.counts is record.counts else _apart(each, record)
        for each in records[:-1]
    ]
    if parts:
        yield Section(name="comparison", title="Comparison", parts=tuple(parts))


def pull_request_parts(record: SavedRun) -> tuple[Part, ...]:
    """Return the parts for a pull request: failures, changes and undecided metrics; the rest is folded."""
    found, counts = _sorted(record.comparisons), _is_of_counts(record.comparisons)
    notable = [each for each in found if each.verdict is not Verdict.NO_CHANGE]
    rest = [each for each in found if each.verdict is Verdict.NO_CHANGE]
    failures = [f"{stack}: {error}" for stack, error in record.stack_failures.items()]
    failures += [f"{cell}: {error}" for cell, error in record.check_failures.items()]
    failures += [describe_regression(each) for each in found if each.verdict is Verdict.SLOWER]
    title = f"No change beyond the threshold: {len(rest)}"
    failed = tuple(Note(kind=NoteKind.FAILED, text=text) for text in failures)
    parts = [Part(title=_counts(found), notes=(*failed, *_notes(record)))]
    if notable:
        parts.append(
            Part(tables=(_verdict_table(notable, "Beyond the threshold, or undecided", counts=counts),))
        )
    if rest:
        parts.append(Part(title=title, tables=(_verdict_table(rest, title, counts=counts),), folded=True))
    return tuple(parts)


def describe_regression(comparison: Comparison) -> str:
    """Return the line with which a test fails."""
    if find_metric(comparison.metric).measure is Measure.INSTRUCTIONS:
        return describe_growth(comparison)
    what = f"{comparison.metric} of {comparison.cell}"
    if find_metric(comparison.metric).rule is Rule.COUNT:
        limit = describe_limit(comparison.threshold)
        return f"{what}: {comparison.head:g}, where the base has {comparison.base:g}, allowed {limit} a round"
    ratio = comparison.ratio
    return (
        f"{what} is {ratio.estimate:.2f} times the base [{ratio.low:.2f}, {ratio.high:.2f}], "
        f"allowed {1 + comparison.threshold.limit:.2f}"
    )


def describe_more(comparisons: Sequence[Comparison], rounds: int) -> str:
    """Return a line between two looks: how many metrics are undecided, and how many rounds come next."""
    undecided = sum(each.verdict is Verdict.INCONCLUSIVE for each in comparisons)
    return f"{undecided} of {len(comparisons)} comparisons are undecided: {counted(rounds, 'more round')}"


# --- base and head ----------------------------------------------------------------------------------


def _verdicts_part(record: SavedRun) -> Part:
    found, counts = _sorted(record.comparisons), _is_of_counts(record.comparisons)
    rows = [
        RatioRow(
            label=f"{each.metric} of {each.cell}",
            ratio=each.ratio,
            verdict=str(each.verdict),
            limit=each.threshold.limit,
        )
        for each in found
        if find_metric(each.metric).rule is Rule.RATIO and each.pairs
    ]
    charts, tables = _drawn(
        rows,
        _verdict_table(found, f"Against {record.against}", counts=counts),
        "verdicts",
        "Ratios to the base",
    )
    together = "launches" if counts else "pairs of rounds"
    return Part(
        title=f"Against {record.against}: {_counts(found)}",
        lead=(f"Measured in the same run, in {together}.{SPREAD if counts else ''}",),
        charts=charts,
        tables=tables if found else (),
        notes=_notes(record),
    )


def _drawn(
    rows: Sequence[RatioRow], table: Table, file: str, title: str
) -> tuple[tuple[Chart, ...], tuple[Table, ...]]:
    """Return a chart of the ratios with its table, or only the table if there is no ratio."""
    if not rows:
        return (), (table,)
    draw = Chart(file=file, title=title, draw=lambda charts: charts.ratios(rows), table=table, wide=True)
    return (draw,), ()


def _sorted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    return sorted(comparisons, key=lambda each: (ORDER.index(each.verdict), str(each.cell)))


def _counts(comparisons: Sequence[Comparison]) -> str:
    """Return the number of each verdict: ``1 slower, 3 no change``."""
    found = Counter(each.verdict for each in comparisons)
    counts = ", ".join(f"{found[each]} {each}" for each in ORDER if found[each])
    if _is_of_counts(comparisons):
        counts = verdict_counts(comparisons)
    if comparisons and all(each.why for each in comparisons):
        return f"nothing could be compared, {counts}"
    return counts or "nothing was compared"


def _is_of_counts(comparisons: Sequence[Comparison]) -> bool:
    """Return whether instructions were counted; verdicts on errors exist in either case."""
    return any(find_metric(each.metric).measure is Measure.INSTRUCTIONS for each in comparisons)


def _verdict_table(comparisons: Sequence[Comparison], caption: str, *, counts: bool) -> Table:
    if counts:
        words_of = [Judged(verdict_words(each), each.verdict) for each in comparisons]
        return verdict_table(comparisons, caption, words_of)
    return Table(
        caption=caption,
        columns=(
            *words("verdict", "benchmark", "metric"),
            *numbers("base", "now", "ratio", "95 % interval", "allowed"),
        ),
        rows=tuple(
            (
                Judged(each.verdict, each.verdict),
                str(each.cell),
                each.metric,
                find_metric(each.metric).shown_with_unit(each.base),
                find_metric(each.metric).shown_with_unit(each.head),
                "-" if math.isnan(each.ratio.estimate) else f"{each.ratio.estimate:.3f}",
                "-" if math.isnan(each.ratio.low) else f"{each.ratio.low:.3f} - {each.ratio.high:.3f}",
                describe_limit(each.threshold),
            )
            for each in comparisons
        ),
    )


def _notes(record: SavedRun) -> tuple[Note, ...]:
    found = remarks(record.comparisons, needed_s=record.needed_s)
    return tuple(Note(subject=each.subject, text=each.text) for each in found)


# --- saved runs -------------------------------------------------------------------------------------


def _apart(base: SavedRun, head: SavedRun) -> Part:
    """Return one sentence that replaces a comparison of counts with times."""
    what = {True: "counts of instructions", False: "times"}
    return Part(
        title=f"{base.source} and {head.source}",
        lead=(
            f"{base.source} has {what[base.counts]}, and {head.source} has {what[head.counts]}: "
            "they are not compared.",
        ),
    )


def _across_part(found: AcrossRuns) -> Part:
    rows = [
        RatioRow(label=str(each.cell), ratio=each.ratio, verdict=each.verdict)
        for each in found.cells
        if each.ratio is not None
    ]
    charts, tables = _drawn(rows, _across_table(found), "across", "Ratios of the two runs")
    counts = (
        f"{found.head} against {found.base}: {len(rows)} of {counted(len(found.cells), 'shared benchmark')} "
        "can be compared."
    )
    differing = (
        Note(
            kind=NoteKind.NOTE if difference.comparable else NoteKind.INVALID,
            subject=counted(len(cells), "benchmark"),
            text=difference.reason,
        )
        for difference, cells in found.differing.items()
    )
    alone = (
        Note(subject=run, text=Code.CELL_ALONE.reason(cell=str(cell)))
        for run, cells in ((found.base, found.only_base), (found.head, found.only_head))
        for cell in cells
    )
    return Part(
        title=f"{found.base} and {found.head}",
        lead=(counts, Code.RUNS_APART.reason()),
        charts=charts,
        tables=tables,
        notes=(*differing, *alone),
    )


def _across_table(found: AcrossRuns) -> Table:
    """Return every cell that two runs have."""
    rows = tuple(
        (
            str(each.cell),
            each.verdict,
            shown_number(each.base.result.estimate, each.base.unit),
            shown_number(each.head.result.estimate, each.head.unit),
            each.head.unit.value,
            "-" if each.ratio is None else shown_ratio(each.ratio),
            each.reason,
        )
        for each in found.cells
    )
    return Table(
        caption=f"{found.base} and {found.head}",
        columns=(
            *words("benchmark", "verdict"),
            *numbers(found.base, found.head, "unit", "x slower"),
            *words("reason", long=True),
        ),
        rows=rows,
        dimmed=frozenset(number for number, each in enumerate(found.cells) if each.ratio is None),
    )
