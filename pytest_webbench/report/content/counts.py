"""The parts of a report of counted instructions that differ: counts are not times, and have no ranks."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_webbench.analysis.gate import describe_limit, is_unsteady
from pytest_webbench.analysis.metrics import Rule, columns, find_metric
from pytest_webbench.model.plan import Measure
from pytest_webbench.model.results import CellSummary, Comparison, Verdict
from pytest_webbench.report.content.blocks import Column, Room, Table, numbers, words

__all__ = [
    "LEAVES_OUT",
    "TITLE",
    "counts_table",
    "describe_growth",
    "shown_spread",
    "verdict_counts",
    "verdict_table",
    "verdict_words",
]

TITLE = "Instructions per request"
LEAVES_OUT = (
    "These are counts of instructions, not times. They leave out what the kernel does, waiting, locks, the "
    "database server, parallelism and caches: a server that executes fewer instructions may still respond "
    "later."
)
"""The note at the top of each report of counts."""


def counts_table(caption: str, group: Sequence[CellSummary]) -> Table:
    """Return the counts of one scenario, in the order of the stacks."""
    launches = sorted({each.round for summary in group for each in summary.rounds})
    metric, others = find_metric("instructions"), columns(Measure.INSTRUCTIONS)
    rows = []
    for summary in group:
        counts = {each.round: each.values.get(metric.key) for each in summary.rounds}
        rows.append(
            (
                summary.cell.stack,
                metric.shown(summary.value(metric.key)),
                shown_spread(summary.spread),
                *(metric.shown(counts.get(number)) for number in launches),
                *(each.shown(summary.value(each.key)) for each in others),
            )
        )
    return Table(
        caption=caption,
        columns=(
            *words("stack"),
            *numbers("k instructions/req", "launches differ by"),
            *numbers(*(f"launch {number + 1}" for number in launches), room=Room.FULL),
            *(
                Column(name=each.column, numeric=True, room=Room.ANY if each.brief else Room.FULL)
                for each in others
            ),
        ),
        rows=tuple(rows),
        dimmed=frozenset(number for number, each in enumerate(group) if not each.validity.valid),
    )


def verdict_words(comparison: Comparison) -> str:
    """Return the verdict in words that cannot be mistaken for speed: ``more instructions``."""
    metric = find_metric(comparison.metric)
    noun = metric.title if metric.rule is Rule.COUNT else metric.quantity.noun
    return {Verdict.SLOWER: f"more {noun}", Verdict.FASTER: f"fewer {noun}"}.get(
        comparison.verdict, str(comparison.verdict)
    )


def verdict_counts(comparisons: Iterable[Comparison]) -> str:
    """Return the number of each verdict: ``1 with more instructions, 3 no change``."""
    found = Counter(map(verdict_words, comparisons))
    return ", ".join(
        f"{count} {'with ' if text.startswith(('more ', 'fewer ')) else ''}{text}"
        for text, count in found.items()
    )


def verdict_table(comparisons: Sequence[Comparison], caption: str, verdicts: Sequence[str]) -> Table:
    """Return the counts of base and head, whose verdicts are shown as ``verdicts``."""
    return Table(
        caption=caption,
        columns=(
            *words("verdict", "cell", "metric"),
            *numbers("base", "now", "change"),
            *numbers("95 % interval", room=Room.FULL),
            *numbers("spread", "allowed"),
        ),
        rows=tuple(
            (
                verdict,
                str(each.cell),
                each.metric,
                _shown(each, each.base),
                _shown(each, each.head),
                _change(each),
                _interval(each),
                shown_spread(each.spread),
                describe_limit(each.threshold),
            )
            for verdict, each in zip(verdicts, comparisons, strict=True)
        ),
    )


def describe_growth(comparison: Comparison) -> str:
    """Return the line with which a test fails."""
    more = verdict_words(comparison)
    return (
        f"{comparison.cell} has {comparison.ratio.estimate - 1:.2%} {more} per request than the base: "
        f"{_shown(comparison, comparison.head)} instead of {_shown(comparison, comparison.base)}, allowed "
        f"{describe_limit(comparison.threshold)}"
    )


def shown_spread(spread: float | None) -> str:
    """Return by how much launches differ: ``0.03%``; ``-`` if there was only one."""
    return "-" if spread is None or math.isnan(spread) else f"{spread:.2%}"


def _change(comparison: Comparison) -> str:
    """Return ``+2.30%``; ``-`` if it is not known."""
    ratio = comparison.ratio.estimate
    return "-" if math.isnan(ratio) else f"{ratio - 1:+.2%}"


def _interval(comparison: Comparison) -> str:
    """Return the interval of the change if launches differ; ``-`` for counts that repeat."""
    ratio = comparison.ratio
    if math.isnan(ratio.low) or not is_unsteady(comparison):
        return "-"
    return f"{ratio.low - 1:+.2%} to {ratio.high - 1:+.2%}"


def _shown(comparison: Comparison, value: float) -> str:
    metric = find_metric(comparison.metric)
    shown = metric.shown(value)
    return shown if shown == "-" else f"{shown}{metric.quantity.shown}"
