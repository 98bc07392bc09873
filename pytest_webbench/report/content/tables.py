"""The tables of a report as values: what is in them, whatever they are drawn with."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_webbench.analysis.cross_run import AcrossRuns, Agreement
from pytest_webbench.analysis.gate import describe_limit
from pytest_webbench.analysis.metrics import columns, find_metric
from pytest_webbench.analysis.summary import Point, rank
from pytest_webbench.model.errors import printable
from pytest_webbench.model.results import CellSummary, Comparison, Standing
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.content.numbers import (
    shown_bytes,
    shown_interval,
    shown_milliseconds,
    shown_number,
    shown_ratio,
    shown_significant,
)

__all__ = [
    "Column",
    "Table",
    "across_table",
    "caveats",
    "clean",
    "comparison_table",
    "cost_table",
    "describe_load",
    "latency_table",
    "paper_table",
    "rank_words",
    "rounds_table",
    "scenario_groups",
    "scenario_table",
]

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
SECRET = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""A name and a password in a URL."""
SHOWN_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)


def clean(text: str) -> str:
    """``text`` without codes that colour a terminal, all else that would steer one visible, and no password.

    Whatever a report shows that somebody else may have written goes through here: it is passed on.
    """
    return printable(ANSI.sub("", SECRET.sub("SECRET", text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a column, and whether numbers stand in it."""

    name: str
    numeric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below ``columns``; the first cell of a row is its head. ``dimmed`` are rows that do not count."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    dimmed: frozenset[int] = frozenset()


def _columns(words: Sequence[str], numbers: Sequence[str]) -> tuple[Column, ...]:
    return (*(Column(name=name) for name in words), *(Column(name=name, numeric=True) for name in numbers))


def scenario_groups(summaries: Iterable[CellSummary]) -> list[tuple[CellSummary, ...]]:
    """The cells that may be ranked with each other: of one scenario, launcher, engine and load."""
    groups: dict[tuple[object, ...], list[CellSummary]] = {}
    for each in summaries:
        key = each.cell.scenario, each.launch.launcher, each.engine, each.users, each.amount, each.model
        groups.setdefault(key, []).append(each)
    return [tuple(group) for group in groups.values()]


def describe_load(summary: CellSummary) -> str:
    """The load of a cell: ``50 users, 0.4 s, closed loop``."""
    noun = "user" if summary.schedule is None else "connection"
    return f"{summary.users} {noun}{'s' if summary.users != 1 else ''}, {summary.amount}, {summary.model}"


def rank_words(standings: Sequence[Standing]) -> list[str]:
    """The rank of each, with ``=`` behind one that is shared; ``-`` for an invalid cell."""
    ranks = [each.rank for each in standings]
    return ["-" if each is None else f"{each}{'=' if ranks.count(each) > 1 else ''}" for each in ranks]


def scenario_table(group: Sequence[CellSummary]) -> Table:
    """The ranking of a scenario with every figure that goes with it."""
    unit = group[0].unit
    standings = rank(group)
    rows = []
    for words, standing in zip(rank_words(standings), standings, strict=True):
        each = standing.summary
        rows.append(
            (
                clean(each.cell.stack),
                words,
                shown_number(each.result.estimate, unit),
                shown_interval(each.result, unit),
                shown_ratio(standing.ratio),
                *(metric.shown(each.value(metric.key)) for metric in columns()),
            )
        )
    numbers = ("rank", unit.value, "95 % interval", "x slower", *(metric.column for metric in columns()))
    return Table(
        caption=f"{clean(group[0].cell.scenario)}: {describe_load(group[0])}",
        columns=_columns(("stack",), numbers),
        rows=tuple(rows),
        dimmed=frozenset(number for number, each in enumerate(standings) if each.rank is None),
    )


def caveats(group: Sequence[CellSummary]) -> Iterator[tuple[str, str, str]]:
    """What speaks against the figures of a scenario: a kind, a stack, and words."""
    for each in group:
        stack = clean(each.cell.stack)
        yield from (("invalid", stack, clean(reason)) for reason in each.validity.reasons)
        yield from (("example", stack, clean(example)) for example in each.examples)
        yield from (("note", stack, clean(warning)) for warning in each.validity.warnings)


def rounds_table(group: Sequence[CellSummary]) -> Table:
    """The figure of every round."""
    unit = group[0].unit
    numbers = sorted({each.round for summary in group for each in summary.rounds})
    rows = []
    for summary in group:
        values = {number: shown_number(value, unit) for number, value in summary.shown_rounds().items()}
        rows.append((clean(summary.cell.stack), *(values.get(number, "-") for number in numbers)))
    return Table(
        caption=f"{clean(group[0].cell.scenario)}: {unit.value} of each round",
        columns=_columns(("stack",), [f"round {number + 1}" for number in numbers]),
        rows=tuple(rows),
    )


def latency_table(scenario: str, curves: Mapping[str, Sequence[Point]]) -> Table:
    """Some percentiles of each stack, as far as there are samples enough."""
    rows = []
    for stack, curve in curves.items():
        found = {round(each.share, 6): each.latency_s for each in curve}
        rows.append((clean(stack), *(shown_milliseconds(found.get(share)) for share in SHOWN_SHARES)))
    return Table(
        caption=f"{clean(scenario)}: response times in ms, - where fewer than ten samples lie beyond",
        columns=_columns(("stack",), [f"p{share * 100:g}" for share in SHOWN_SHARES]),
        rows=tuple(rows),
    )


def paper_table(found: Agreement, title: str) -> Table:
    """A published table beside ours."""
    unit = found.unit
    rows = [
        (
            clean(each.stack),
            f"{'~' if each.approximate else ''}{_as_published(each.published)}",
            "-" if each.ours is None else shown_number(each.ours, unit),
            "-" if each.published_ratio is None else f"{each.published_ratio:.2f}",
            "-" if each.ours_ratio is None else f"{each.ours_ratio:.2f}",
            "-" if each.our_rank is None else str(each.our_rank),
        )
        for each in found.rows
    ]
    theirs = clean(title)
    numbers = (
        f"{theirs}, {unit.value}",
        f"ours, {unit.value}",
        f"{theirs}, x best",
        "ours, x best",
        "our rank",
    )
    return Table(
        caption=f"{clean(found.scenario)}: {theirs} and this run",
        columns=_columns(("stack",), numbers),
        rows=tuple(rows),
        dimmed=frozenset(number for number, each in enumerate(found.rows) if each.ours is None),
    )


def _as_published(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def cost_table(record: RunRecord) -> tuple[Table, Table]:
    """What each stack costs by itself, and the processor time of each of its scenarios."""
    stacks = []
    for stack in record.stacks():
        cells = [each for each in record.summaries if each.cell.stack == stack]
        about = record.about.stacks.get(stack)
        peaks = [each.server_peak_rss_bytes for each in cells if each.server_peak_rss_bytes is not None]
        startups = [each.startup_s for each in cells if each.startup_s is not None]
        image = next((v for each in cells if (v := each.launch.config.get("image_bytes")) is not None), None)
        lines = about.code_lines if about else None
        stacks.append(
            (
                clean(stack),
                shown_bytes(max(peaks, default=None)),
                "-" if not startups else f"{startups[0]:.2f}",
                shown_bytes(float(image) if isinstance(image, int) else None),
                "-" if lines is None else f"{lines:,}",
            )
        )
    by_stack = Table(
        caption="Each stack: memory is the largest of its cells, start-up the median of its launches",
        columns=_columns(("stack",), ("peak MiB", "start-up s", "image MiB", "lines of code")),
        rows=tuple(stacks),
    )
    cpu = [
        (
            clean(each.cell.scenario),
            clean(each.cell.stack),
            shown_milliseconds(each.server_cpu_s_per_request, 3),
            shown_significant(_per_cpu_second(each)),
        )
        for each in record.summaries
    ]
    by_cell = Table(
        caption="Processor time of the server's processes",
        columns=_columns(("scenario", "stack"), ("CPU ms/request", "requests per CPU-second")),
        rows=tuple(cpu),
    )
    return by_stack, by_cell


def _per_cpu_second(summary: CellSummary) -> float | None:
    cpu_s = summary.server_cpu_s_per_request
    return 1 / cpu_s if cpu_s else None


def comparison_table(comparisons: Sequence[Comparison], against: str) -> Table:
    """Every verdict of a base and a head."""
    rows = tuple(
        (
            str(each.verdict),
            clean(str(each.cell)),
            each.metric,
            find_metric(each.metric).shown_with_unit(each.base),
            find_metric(each.metric).shown_with_unit(each.head),
            "-" if math.isnan(each.ratio.estimate) else f"{each.ratio.estimate:.3f}",
            "-" if math.isnan(each.ratio.low) else f"{each.ratio.low:.3f} - {each.ratio.high:.3f}",
            describe_limit(each.threshold),
        )
        for each in comparisons
    )
    numbers = ("base", "now", "ratio", "95 % interval", "allowed")
    return Table(
        caption=f"Against {clean(against)}",
        columns=_columns(("verdict", "cell", "metric"), numbers),
        rows=rows,
    )


def across_table(found: AcrossRuns) -> Table:
    """Every cell that two runs have."""
    rows = tuple(
        (
            clean(str(each.cell)),
            each.verdict,
            shown_number(each.base.result.estimate, each.base.unit),
            shown_number(each.head.result.estimate, each.head.unit),
            each.head.unit.value,
            "-" if each.ratio is None else shown_ratio(each.ratio),
            clean(each.why_not),
        )
        for each in found.cells
    )
    names = (clean(found.base), clean(found.head))
    columns = (
        Column(name="cell"),
        Column(name="verdict"),
        *(Column(name=name, numeric=True) for name in (*names, "unit", "x slower")),
        Column(name="why not"),
    )
    dimmed = frozenset(number for number, each in enumerate(found.cells) if each.ratio is None)
    return Table(caption=" and ".join(names), columns=columns, rows=rows, dimmed=dimmed)
