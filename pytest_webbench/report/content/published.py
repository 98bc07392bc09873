"""Published results beside our own."""

from collections.abc import Iterator, Sequence

from pytest_webbench.analysis.cross_run import Agreement, set_beside
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.suite import Published
from pytest_webbench.report.content.blocks import (
    Chart,
    Note,
    Part,
    Room,
    Section,
    Table,
    numbers,
    words,
)
from pytest_webbench.report.content.results import scenario_groups
from pytest_webbench.report.content.text import counted, shown_number

__all__ = ["published_sections"]

LEAD = (
    "Machines, versions and load durations differ, so only ratios and ranks can be compared. Hollow marks: "
    "published. Filled marks: this run."
)


def published_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield a section for each publication that belongs to the suites of the last run."""
    record = records[-1]
    published_here = () if record.counts else record.metadata.published
    for number, published in enumerate(published_here, start=1):
        found = [
            beside
            for scenario in record.scenarios()
            for group in scenario_groups(record.cells_of(scenario))[:1]
            if (beside := set_beside(published, scenario, group)) is not None
        ]
        if found:
            parts = (_about(published), *(_part(record, each, published) for each in found))
            yield Section(name=f"published-{number}", title=published.title.capitalize(), parts=parts)


def _about(published: Published) -> Part:
    licence = f" ({published.licence})" if published.licence else ""
    return Part(
        lead=(f"{published.citation}{licence}. {published.url}", LEAD),
        legend=True,
        notes=tuple(Note(subject=published.title, text=note) for note in published.notes),
        room=Room.FULL,
    )


def _part(record: SavedRun, found: Agreement, published: Published) -> Part:
    chart = Chart(
        file=f"{found.scenario}-published",
        title="Ratio to the fastest",
        draw=lambda charts: charts.beside(found, record.stacks(), published.title),
        table=_table(found, published.title),
    )
    drawn = found.common > 1
    return Part(
        title=found.scenario,
        lead=(_agreement_words(found),),
        charts=(chart,) if drawn else (),
        tables=() if drawn else (chart.table,),
        room=Room.FULL,
    )


def _agreement_words(found: Agreement) -> str:
    if found.tau is None:
        return f"{counted(found.common, 'stack')} in common: too few, or too many ties, to compare the order."
    ties = "; some of our ranks are tied" if found.ties else ""
    return (
        f"Rank agreement: Kendall's \N{GREEK SMALL LETTER TAU} = {found.tau:+.2f} (1: the same order{ties})."
    )


def _table(found: Agreement, theirs: str) -> Table:
    unit = found.unit
    rows = tuple(
        (
            each.stack,
            f"{'~' if each.approximate else ''}{_as_published(each.published)}",
            "-" if each.ours is None else shown_number(each.ours, unit),
            "-" if each.published_ratio is None else f"{each.published_ratio:.2f}",
            "-" if each.ours_ratio is None else f"{each.ours_ratio:.2f}",
            "-" if each.our_rank is None else str(each.our_rank),
        )
        for each in found.rows
    )
    names = (f"{theirs}, {unit.value}", f"ours, {unit.value}", f"{theirs}, x slower", "ours, x slower")
    return Table(
        caption=f"{found.scenario}: {theirs} and this run",
        columns=(*words("stack"), *numbers(*names, "our rank")),
        rows=rows,
        dimmed=frozenset(number for number, each in enumerate(found.rows) if each.ours is None),
    )


def _as_published(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"
