"""The results of each scenario: a ranking with all caveats, the rounds, the response times, a card."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_webbench.analysis.metrics import columns
from pytest_webbench.analysis.summary import latency_curve, rank
from pytest_webbench.model.results import CellSummary, RankedResult
from pytest_webbench.model.run import CheckFailed, RateChosen, SavedRun
from pytest_webbench.model.suite import Unit
from pytest_webbench.report.content.blocks import (
    Chart,
    Column,
    Note,
    NoteKind,
    Part,
    Room,
    Section,
    Table,
    numbers,
    words,
)
from pytest_webbench.report.content.counts import TITLE, counts_table
from pytest_webbench.report.content.text import (
    counted,
    shown_interval,
    shown_milliseconds,
    shown_number,
    shown_ratio,
)

__all__ = [
    "Card",
    "CardRow",
    "describe_check",
    "describe_load",
    "describe_rate",
    "make_cards",
    "rank_words",
    "results_sections",
    "scenario_groups",
]

SHOWN_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
LEAD = (
    "Intervals are 95 % confidence intervals over the rounds (small dots), each from a fresh launch. Stacks "
    "that the rounds cannot distinguish share a rank.",
)
LEAD_OF_COUNTS = (
    "Each launch is a fresh one and sends the same requests in the same order. Counts are not ranked.",
)
LIVE = ", rounds from one launch"


def results_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield a part for each scenario, load and launcher of the last run, and for measurements by tests."""
    record = records[-1]
    make = _counts_part if record.counts else _part
    parts = [make(record, group) for group in _groups(record)]
    parts += [make(record, group, remark=LIVE) for group in scenario_groups(record.live)]
    shown = {each.cell.scenario for each in (*record.summaries, *record.live)}
    parts += [
        Part(title=scenario, notes=tuple(_failed_checks(record, scenario)))
        for scenario in dict.fromkeys(cell.scenario for cell in record.check_failures)
        if scenario not in shown
    ]
    if parts and record.counts:
        yield Section(name="scenarios", title=TITLE, parts=tuple(parts), lead=LEAD_OF_COUNTS)
    elif parts:
        yield Section(name="scenarios", title="Scenarios", parts=tuple(parts), lead=LEAD)


def scenario_groups(summaries: Iterable[CellSummary]) -> list[tuple[CellSummary, ...]]:
    """Return the cells that may be ranked together: of one scenario, launcher, engine and load."""
    groups: dict[tuple[object, ...], list[CellSummary]] = {}
    for each in summaries:
        key = each.cell.scenario, each.launch.launcher, each.engine, each.users, each.amount, each.model
        groups.setdefault(key, []).append(each)
    return [tuple(group) for group in groups.values()]


def describe_load(summary: CellSummary) -> str:
    """Return the load of a cell: ``50 users, 0.4 s, closed loop``."""
    noun = "user" if summary.schedule is None else "connection"
    return f"{counted(summary.users, noun)}, {summary.amount}, {summary.model}"


def describe_check(failed: CheckFailed) -> str:
    """Return one line: which scenario failed the check before timing, and why."""
    return f"{failed.cell} failed the check before timing: {failed.error.message}"


def describe_rate(chosen: RateChosen) -> str:
    """Return one line: the rate that was chosen for a scenario, and from what."""
    slowest = min(chosen.saturation, key=lambda stack: chosen.saturation[stack])
    return (
        f"{chosen.scenario} at {chosen.rate:,g} requests/s for every stack: {chosen.share:.0%} of the "
        f"{chosen.saturation[slowest]:,.0f} requests/s that the slowest stack, {slowest}, can serve"
    )


def rank_words(ranked: Sequence[RankedResult]) -> list[str]:
    """Return the rank of each, with ``=`` after a shared one; ``-`` for an invalid cell."""
    ranks = [each.rank for each in ranked]
    return ["-" if each is None else f"{each}{'=' if ranks.count(each) > 1 else ''}" for each in ranks]


def _groups(record: SavedRun) -> list[tuple[CellSummary, ...]]:
    return scenario_groups(each for name in record.scenarios() for each in record.cells_of(name))


def _title(record: SavedRun, scenario: str) -> str:
    about = record.metadata.scenarios.get(scenario)
    return about.title if about else ""


# --- the parts --------------------------------------------------------------------------------------


def _part(record: SavedRun, group: Sequence[CellSummary], *, remark: str = "") -> Part:
    first, stacks = group[0], record.stacks()
    scenario, title = first.cell.scenario, _title(record, first.cell.scenario)
    engine = "" if first.engine == "native" else f", engine {first.engine}"
    charts = [
        Chart(
            file=f"{scenario}-figures",
            title="Results with their intervals",
            draw=lambda charts: charts.ranking(group, stacks),
            table=_ranking_table(group),
            wide=True,
        ),
        *_latency_charts(record, group),
    ]
    if any(len(each.rounds) > 1 for each in group):
        charts.append(
            Chart(
                file=f"{scenario}-rounds",
                title="Rounds, in the order in which they were made",
                draw=lambda charts: charts.rounds(group, stacks),
                table=_rounds_table(group),
            )
        )
    return Part(
        title=f"{scenario}: {title}" if title else scenario,
        lead=(f"{describe_load(first)}, {first.launch.launcher} launcher{engine}{remark}",),
        charts=tuple(charts),
        notes=(
            *_caveats([each.summary for each in rank(group)]),
            *_failed_checks(record, scenario),
        ),
        legend=True,
    )


def _counts_part(record: SavedRun, group: Sequence[CellSummary], *, remark: str = "") -> Part:
    """Return the counts of a scenario.

    These are a table without ranks, and without charts, in which they would look like times.
    """
    first = group[0]
    scenario, title = first.cell.scenario, _title(record, first.cell.scenario)
    return Part(
        title=f"{scenario}: {title}" if title else scenario,
        lead=(f"{describe_load(first)}, {first.launch.launcher} launcher{remark}",),
        tables=(counts_table(f"{scenario}: instructions and system calls per request", group),),
        notes=(*_caveats(group), *_failed_checks(record, scenario)),
    )


def _ranking_table(group: Sequence[CellSummary]) -> Table:
    unit, ranked = group[0].unit, rank(group)
    rows = []
    for place, standing in zip(rank_words(ranked), ranked, strict=True):
        each = standing.summary
        rows.append(
            (
                each.cell.stack,
                place,
                shown_number(each.result.estimate, unit),
                shown_interval(each.result, unit),
                shown_ratio(standing.ratio),
                *(metric.shown(each.value(metric.key)) for metric in columns()),
            )
        )
    return Table(
        caption=f"{group[0].cell.scenario}: {describe_load(group[0])}",
        columns=(
            *words("stack"),
            *numbers("rank", unit.value, "95 % interval", "x slower"),
            *(
                Column(name=each.column, numeric=True, room=Room.ANY if each.brief else Room.FULL)
                for each in columns()
            ),
        ),
        rows=tuple(rows),
        dimmed=frozenset(number for number, each in enumerate(ranked) if each.rank is None),
    )


def _caveats(summaries: Sequence[CellSummary]) -> Iterator[Note]:
    """Yield the caveats about the results of a scenario."""
    for each in summaries:
        stack, validity = each.cell.stack, each.validity
        yield from (Note(kind=NoteKind.INVALID, subject=stack, text=text) for text in validity.reasons)
        yield from (Note(kind=NoteKind.EXAMPLE, subject=stack, text=text) for text in each.examples)
        yield from (Note(subject=stack, text=text) for text in validity.warnings)


def _failed_checks(record: SavedRun, scenario: str) -> Iterator[Note]:
    """Yield the stacks that failed the check of a scenario; the evidence is in the section of failures."""
    for cell, error in record.check_failures.items():
        if cell.scenario == scenario:
            yield Note(kind=NoteKind.FAILED, subject=cell.stack, text=error.splitlines()[0])


def _rounds_table(group: Sequence[CellSummary]) -> Table:
    unit = group[0].unit
    made = sorted({each.round for summary in group for each in summary.rounds})
    rows = []
    for summary in group:
        values = {number: shown_number(value, unit) for number, value in summary.shown_rounds().items()}
        rows.append((summary.cell.stack, *(values.get(number, "-") for number in made)))
    return Table(
        caption=f"{group[0].cell.scenario}: {unit.value} of each round",
        columns=(*words("stack"), *numbers(*(f"round {number + 1}" for number in made))),
        rows=tuple(rows),
        room=Room.FULL,
    )


def _latency_charts(record: SavedRun, group: Sequence[CellSummary]) -> Iterator[Chart]:
    """Yield the distribution of response times, if single ones were kept."""
    curves = {
        each.cell.stack: latency_curve([one.load.latency_ns for one in record.rounds_of(each.cell)])
        for each in group
        if each.validity.valid
    }
    known = {stack: curve for stack, curve in curves.items() if curve}
    if not known:
        return
    scenario, rows = group[0].cell.scenario, []
    for stack, curve in known.items():
        found = {round(each.share, 6): each.latency_s for each in curve}
        rows.append((stack, *(shown_milliseconds(found.get(share)) for share in SHOWN_SHARES)))
    yield Chart(
        file=f"{scenario}-latency",
        title="Response times, up to the percentile beyond which ten requests lie",
        draw=lambda charts: charts.latencies(known, record.stacks()),
        table=Table(
            caption=f"{scenario}: response times in ms (-: fewer than ten requests lie beyond)",
            columns=(*words("stack"), *numbers(*(f"p{share * 100:g}" for share in SHOWN_SHARES))),
            rows=tuple(rows),
            room=Room.FULL,
        ),
    )


# --- the first screen -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A stack's place on a card. ``share`` is its speed as a percentage (0 to 100) of the fastest one's."""

    stack: str
    rank: str
    value: str
    slower: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The ranking of a scenario on the first screen."""

    scenario: str
    title: str
    load: str
    unit: str
    rows: tuple[CardRow, ...]


def make_cards(record: SavedRun) -> tuple[Card, ...]:
    """Return a card for each scenario and load, in the order of the first parts of :func:`results_sections`.

    Counts have none: they are not ranked.
    """
    return () if record.counts else tuple(_card(record, group) for group in _groups(record))


def _card(record: SavedRun, group: Sequence[CellSummary]) -> Card:
    first, ranked = group[0], rank(group)
    rows = tuple(
        CardRow(
            stack=each.summary.cell.stack,
            rank=place,
            value=shown_number(each.summary.result.estimate, first.unit),
            slower="invalid" if each.ratio is None else f"{each.ratio.estimate:.2f}",
            share=None if each.ratio is None else 100 / each.ratio.estimate,
        )
        for place, each in zip(rank_words(ranked), ranked, strict=True)
    )
    return Card(
        scenario=first.cell.scenario,
        title=_title(record, first.cell.scenario),
        load=describe_load(first),
        unit=f"{first.unit.value}, {'more' if first.unit is Unit.RATE else 'less'} is better",
        rows=rows,
    )
