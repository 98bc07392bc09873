"""Results as Markdown: a table for each scenario with every caveat, and how it was measured."""

from collections.abc import Iterator, Sequence

from pytest_webbench.analysis.diagnostics import judge_trust
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.content.configuration import configuration_parts
from pytest_webbench.report.content.sections import make_sections
from pytest_webbench.report.content.tables import Table, clean
from pytest_webbench.report.content.view import Part
from pytest_webbench.report.verdicts import escaped, fenced

__all__ = ["results_as_markdown"]

LEFT_OUT = ("configuration", "notes")
"""Sections whose parts are shown in another way, or twice."""


def results_as_markdown(records: Sequence[RunRecord]) -> str:
    """The last of ``records``, compared with those before it."""
    record = records[-1]
    lines = [f"# {escaped(clean(record.source))}", ""]
    lines += [f"- {each.level.value}: {escaped(clean(each.text))}" for each in judge_trust(record)]
    lines.append("")
    for section in make_sections(records):
        if section.name in LEFT_OUT:
            continue
        lines += [f"## {escaped(section.title)}", ""]
        lines += [line for part in section.parts for line in _part(part)]
    lines += _failures(record)
    lines += ["## Configuration", ""]
    lines += [line for part in configuration_parts(record) for line in _part(part)]
    return "\n".join(lines).rstrip() + "\n"


def _part(part: Part) -> Iterator[str]:
    if part.title:
        yield from (f"### {escaped(part.title)}", "")
    for words in part.lead:
        yield from (escaped(words), "")
    for name, value in part.facts:
        yield f"- {escaped(name)}: {escaped(value)}"
    if part.facts:
        yield ""
    if part.code:
        yield from (*fenced(part.code), "")
    shown = [figure.table for figure in part.figures]
    for table in (*shown, *part.tables):
        yield from (*_table(table), "")
    for kind, what, words in part.notes:
        yield f"- {'**invalid**' if kind == 'invalid' else kind} {escaped(what)}: {escaped(words)}"
    if part.notes:
        yield ""
    for table in part.folded:
        summary = f"<details><summary>{escaped(table.caption)}</summary>"
        yield from (summary, "", *_table(table), "", "</details>", "")


def _table(table: Table) -> Iterator[str]:
    yield f"*{escaped(table.caption)}*"
    yield ""
    yield f"| {' | '.join(escaped(column.name) for column in table.columns)} |"
    yield f"| {' | '.join('---:' if column.numeric else '---' for column in table.columns)} |"
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in table.rows)


def _failures(record: RunRecord) -> Iterator[str]:
    if record.stack_failures or record.check_failures or record.trial_failures or record.notes:
        yield from ("## Failures and notes", "")
    for stack, error in record.stack_failures.items():
        yield from (f"### {escaped(clean(stack))} failed", "", *fenced(clean(error)), "")
    for cell, error in record.check_failures.items():
        yield from (f"### {escaped(clean(str(cell)))} failed the check", "", *fenced(clean(error)), "")
    lines = [
        f"- {escaped(clean(str(cell)))}: {escaped(clean(error))}"
        for cell, error in record.trial_failures.items()
    ]
    lines += [f"- {escaped(clean(note))}" for note in record.notes]
    yield from lines
    if lines:
        yield ""
