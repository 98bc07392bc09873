"""The sections of the page, each made from the figures and left out where there are none."""

from collections.abc import Iterator, Sequence

from pytest_webbench.analysis.cross_run import AcrossRuns, Agreement, compare_runs, set_beside
from pytest_webbench.analysis.metrics import Rule, find_metric
from pytest_webbench.analysis.summary import latency_curve
from pytest_webbench.model.results import CellSummary, Comparison, Verdict
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.model.suite import Published
from pytest_webbench.report.charts import (
    SCREEN,
    ForestRow,
    as_spec,
    cost_chart,
    forest_chart,
    latency_chart,
    paper_chart,
    rounds_chart,
    scenario_chart,
)
from pytest_webbench.report.content.cards import part_name
from pytest_webbench.report.content.configuration import configuration_parts
from pytest_webbench.report.content.numbers import counted
from pytest_webbench.report.content.tables import (
    Table,
    across_table,
    caveats,
    clean,
    comparison_table,
    cost_table,
    latency_table,
    paper_table,
    rounds_table,
    scenario_groups,
    scenario_table,
)
from pytest_webbench.report.content.view import Figure, Part, Section
from pytest_webbench.report.content.why import why_sections
from pytest_webbench.report.text import describe_rate, duration

__all__ = ["make_sections"]

ORDER = (Verdict.SLOWER, Verdict.INCONCLUSIVE, Verdict.FASTER, Verdict.NO_CHANGE)


def make_sections(records: Sequence[RunRecord]) -> tuple[Section, ...]:
    """Those of the last of ``records``, with a comparison with the others."""
    record = records[-1]
    made = (
        ("comparison", "Comparison", _comparison_parts(records), ()),
        ("scenarios", "Scenarios", _scenario_parts(record), SCENARIOS_LEAD),
        *(
            (f"published-{number}", clean(each.title).capitalize(), _published_parts(record, each), ())
            for number, each in enumerate(record.about.published, start=1)
        ),
        ("cost", "Cost", _cost_parts(record), COST_LEAD),
        ("why", "Why", why_sections(record), ()),
        ("configuration", "Configuration", configuration_parts(record), ()),
        ("notes", "Failures and notes", _notes_parts(record), ()),
    )
    return tuple(
        Section(name=name, title=title, parts=parts, lead=lead) for name, title, parts, lead in made if parts
    )


# --- scenarios --------------------------------------------------------------------------------------

SCENARIOS_LEAD = (
    "The bar around a figure is its 95 % interval over the rounds, of which each small dot is one. Each "
    "round comes from a fresh launch. Stacks that the rounds do not tell apart share a rank.",
)


def _scenario_parts(record: RunRecord) -> tuple[Part, ...]:
    ordered = [each for name in record.scenarios() for each in record.cells_of(name)]
    return tuple(
        _scenario_part(record, group, part_name(number))
        for number, group in enumerate(scenario_groups(ordered))
    )


def _scenario_part(record: RunRecord, group: Sequence[CellSummary], name: str) -> Part:
    first, stacks = group[0], record.stacks()
    scenario = clean(first.cell.scenario)
    about = record.about.scenarios.get(first.cell.scenario)
    table = scenario_table(group)
    figures = [
        Figure(
            name=f"{name}-ranking",
            title="Figures with their intervals",
            label=f"{scenario}: {first.unit.value} of each stack with its interval; the table below has them",
            spec=as_spec(scenario_chart(group, stacks), SCREEN),
            table=table,
            wide=True,
        ),
        *_latency_figures(record, group, name),
    ]
    if any(len(each.rounds) > 1 for each in group):
        figures.append(
            Figure(
                name=f"{name}-rounds",
                title="Rounds, in the order in which they were made",
                label=f"{scenario}: {first.unit.value} of each round; the table below has them",
                spec=as_spec(rounds_chart(group, stacks, legend=False), SCREEN),
                table=rounds_table(group),
            )
        )
    return Part(
        name=name,
        title=f"{scenario}: {clean(about.title)}" if about and about.title else scenario,
        lead=(table.caption.partition(": ")[2] + f", {clean(first.launch.launcher)} launcher",),
        figures=tuple(figures),
        notes=(*caveats(group), *_failed_checks(record, first.cell.scenario)),
        legend=True,
    )


def _failed_checks(record: RunRecord, scenario: str) -> Iterator[tuple[str, str, str]]:
    """Which stacks failed the check of a scenario; all that was seen is among the failures."""
    for cell, error in record.check_failures.items():
        if cell.scenario == scenario:
            what = error.partition("\n")[0]
            yield "invalid", clean(cell.stack), f"failed the check before timing: {clean(what)}"


def _latency_figures(record: RunRecord, group: Sequence[CellSummary], name: str) -> Iterator[Figure]:
    """The distribution of response times, where single ones were kept."""
    curves = {
        each.cell.stack: latency_curve([one.load.latency_ns for one in record.rounds_of(each.cell)])
        for each in group
        if each.validity.valid
    }
    known = {stack: curve for stack, curve in curves.items() if curve}
    if known:
        scenario = clean(group[0].cell.scenario)
        yield Figure(
            name=f"{name}-latency",
            title="Response times, up to where ten requests lie beyond",
            label=f"{scenario}: response times over percentiles; the table below has some of them",
            spec=as_spec(latency_chart(known, record.stacks(), legend=False), SCREEN),
            table=latency_table(scenario, known),
        )


# --- published figures ------------------------------------------------------------------------------


def _published_parts(record: RunRecord, published: Published) -> tuple[Part, ...]:
    found = [
        beside
        for scenario in record.scenarios()
        for group in scenario_groups(record.cells_of(scenario))[:1]
        if (beside := set_beside(published, scenario, group)) is not None
    ]
    if not found:
        return ()
    lead = (
        clean(
            f"{published.citation}{f' ({published.licence})' if published.licence else ''}. {published.url}"
        ),
        "Machines, versions and the length of the load differ, so that only ratios and ranks can be set side "
        "by side. Hollow: published. Filled: this run.",
    )
    return (
        Part(name="published-about", lead=lead, legend=True, notes=_published_notes(published)),
        *(_beside_part(record, each, published, number) for number, each in enumerate(found)),
    )


def _published_notes(published: Published) -> tuple[tuple[str, str, str], ...]:
    return tuple(("note", clean(published.title), clean(note)) for note in published.notes)


def _beside_part(record: RunRecord, found: Agreement, published: Published, number: int) -> Part:
    name = f"beside-{number + 1}"
    figures: tuple[Figure, ...] = ()
    table = paper_table(found, published.title)
    if found.common > 1:
        figures = (
            Figure(
                name=name,
                title="Ratio to the best",
                label=f"{clean(found.scenario)}: ratios to the best, published and here; the table has them",
                spec=as_spec(paper_chart(found, record.stacks(), published.title), SCREEN),
                table=table,
            ),
        )
    return Part(
        name=f"{name}-part",
        title=clean(found.scenario),
        lead=(_agreement_words(found),),
        figures=figures,
        tables=() if figures else (table,),
    )


def _agreement_words(found: Agreement) -> str:
    if found.tau is None:
        return f"{counted(found.common, 'stack')} in common: too few, or too much tied, to compare the order."
    ties = "; some of our ranks are tied" if found.ties else ""
    return (
        f"Rank agreement: Kendall's \N{GREEK SMALL LETTER TAU} = {found.tau:+.2f} (1: the same order{ties})."
    )


# --- cost -------------------------------------------------------------------------------------------

COST_LEAD = (
    "Processor time is what the kernel booked to the server's processes, so it is steadier than response "
    "times on a busy machine. Lines of code are those of the application, without comments, docstrings and "
    "blank ones.",
)


def _cost_parts(record: RunRecord) -> tuple[Part, ...]:
    if not record.summaries:
        return ()
    by_stack, by_cell = cost_table(record)
    figures: tuple[Figure, ...] = ()
    if any(each.server_cpu_s_per_request for each in record.summaries):
        figures = (
            Figure(
                name="cost-cpu",
                title="Processor time of the server for each request",
                label="CPU time per request of each stack in each scenario; the table below has them",
                spec=as_spec(cost_chart(record, legend=False), SCREEN),
                table=by_cell,
                wide=True,
            ),
        )
    return (Part(name="cost-all", figures=figures, tables=(by_stack,), legend=bool(figures)),)


# --- comparison -------------------------------------------------------------------------------------


def _comparison_parts(records: Sequence[RunRecord]) -> tuple[Part, ...]:
    record = records[-1]
    across = [compare_runs(each, record) for each in records[:-1]]
    return (
        *([_verdicts_part(record)] if record.comparisons else []),
        *(_across_part(each, number) for number, each in enumerate(across)),
    )


def _verdicts_part(record: RunRecord) -> Part:
    ordered = sorted(record.comparisons, key=lambda each: (ORDER.index(each.verdict), str(each.cell)))
    counts = ", ".join(
        f"{count} {each}" for each in ORDER if (count := sum(one.verdict is each for one in ordered))
    )
    lead = [f"Measured in the same run, in pairs, against {clean(record.against)}: {counts}."]
    if record.needed_s:
        lead.append(f"A budget of {duration(record.needed_s)} would probably decide what is open.")
    table = comparison_table(ordered, record.against)
    tested = (each for each in ordered if find_metric(each.metric).rule is Rule.RATIO)
    rows = [_forest_row(each) for each in tested if each.pairs]
    figures = () if not rows else (_forest("verdicts", "Ratios to the base", rows, table),)
    notes = tuple(
        ("note", clean(f"{each.metric} of {each.cell}"), clean(each.why)) for each in ordered if each.why
    )
    return Part(
        name="verdicts-part",
        title="Base and head",
        lead=tuple(lead),
        figures=figures,
        tables=() if figures else (table,),
        notes=notes,
    )


def _forest_row(comparison: Comparison) -> ForestRow:
    return ForestRow(
        label=f"{comparison.metric} of {comparison.cell}",
        ratio=comparison.ratio,
        verdict=str(comparison.verdict),
        limit=comparison.threshold.limit,
    )


def _forest(name: str, title: str, rows: Sequence[ForestRow], table: Table) -> Figure:
    label = f"{title}, with intervals; the table below has them"
    spec = as_spec(forest_chart(rows), SCREEN)
    return Figure(name=name, title=title, label=label, spec=spec, table=table, wide=True)


def _across_part(found: AcrossRuns, number: int) -> Part:
    compared = [each for each in found.cells if each.ratio is not None]
    lead = [
        f"{clean(found.head)} against {clean(found.base)}: {len(compared)} of "
        f"{counted(len(found.cells), 'cell')} that both have can be compared.",
        "The runs were made one after the other. What shifts from run to run is in no interval, so that a "
        "small difference proves nothing; to find one out, measure both in one run with --webbench-against.",
    ]
    table = across_table(found)
    rows = [
        ForestRow(label=str(each.cell), ratio=each.ratio, verdict=each.verdict)
        for each in compared
        if each.ratio is not None
    ]
    figures = () if not rows else (_forest(f"across-{number + 1}", "Ratios of the two runs", rows, table),)
    differing = tuple(
        (
            "note" if difference.comparable else "invalid",
            counted(len(cells), "cell"),
            clean(f"{difference}{'' if difference.comparable else ': not comparable, so not ranked'}"),
        )
        for difference, cells in found.differing.items()
    )
    alone = (
        *(("note", clean(found.base), clean(f"{cell} is in this one alone")) for cell in found.only_base),
        *(("note", clean(found.head), clean(f"{cell} is in this one alone")) for cell in found.only_head),
    )
    return Part(
        name=f"across-{number + 1}-part",
        title=f"{clean(found.base)} and {clean(found.head)}",
        lead=tuple(lead),
        figures=figures,
        tables=() if figures else (table,),
        notes=(*differing, *alone),
    )


# --- failures and notes -----------------------------------------------------------------------------


def _notes_parts(record: RunRecord) -> tuple[Part, ...]:
    failed = {
        **{f"{stack} failed": error for stack, error in record.stack_failures.items()},
        **{f"{cell} failed the check": error for cell, error in record.check_failures.items()},
    }
    failures = tuple(
        Part(name=f"failure-{number}", title=clean(title), code=clean(error))
        for number, (title, error) in enumerate(failed.items(), start=1)
    )
    notes = (
        *(("note", clean(record.source), clean(note)) for note in record.notes),
        *(("note", clean(each.scenario), clean(describe_rate(each))) for each in record.rates),
        *(("invalid", clean(str(cell)), clean(error)) for cell, error in record.trial_failures.items()),
        *(
            (kind, f"{clean(each.cell.scenario)}, {stack}", words)
            for each in record.summaries
            for kind, stack, words in caveats([each])
        ),
    )
    rest = (Part(name="all-notes", notes=notes),) if notes else ()
    return (*failures, *rest)
