"""Why the figures differ: what a report shows of the profiles that ``--webbench-explain`` made."""

from pytest_webbench.report.tables import Column, Table, clean
from pytest_webbench.report.view import Part
from pytest_webbench.values.record import RunRecord

__all__ = ["why_sections"]


def why_sections(record: RunRecord) -> tuple[Part, ...]:
    """The parts of the section "Why"; none where nothing was explained."""
    if not record.explained:
        return ()
    rows = tuple(
        (clean(each.cell.scenario), clean(each.cell.stack), f"{each.samples:,}", clean(each.why_not))
        for each in record.explained
    )
    columns = (
        Column(name="scenario"),
        Column(name="stack"),
        Column(name="samples", numeric=True),
        Column(name="why not"),
    )
    table = Table(caption="How often the servers were looked at", columns=columns, rows=rows)
    return (Part(name="why-samples", tables=(table,)),)
