"""Reports as Markdown: a full one, and the comment on a pull request."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_webbench.model.results import Verdict
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import (
    Judged,
    Note,
    NoteKind,
    Part,
    Room,
    Table,
    fitted,
    fitted_parts,
)
from pytest_webbench.report.content.comparison import pull_request_parts
from pytest_webbench.report.content.configuration import stacks_part
from pytest_webbench.report.content.counts import LEAVES_OUT, TITLE
from pytest_webbench.report.content.document import make_document
from pytest_webbench.report.content.growth import growth_parts
from pytest_webbench.report.content.text import clean

__all__ = ["render_pull_request", "render_report"]

SIGNS = {
    Verdict.SLOWER: "\N{CROSS MARK}",
    Verdict.INCONCLUSIVE: "\N{WHITE QUESTION MARK ORNAMENT}",
    Verdict.FASTER: "\N{ROCKET}",
    Verdict.NO_CHANGE: "\N{WHITE HEAVY CHECK MARK}",
    Verdict.VOID: "\N{NO ENTRY SIGN}",
}


def render_report(records: Sequence[SavedRun]) -> str:
    """Render the last of ``records``, compared with those before it."""
    document = make_document(records)
    lines = [f"# {_escaped(document.title)}", "", _escaped(document.subtitle), ""]
    lines += [f"> {_escaped(document.banner)}", ""] if document.banner else []
    lines += [f"- {_escaped(name)}: {_escaped(value)}" for name, value in document.facts]
    lines += ["", "## Can it be trusted?", "", f"**{_escaped(document.conclusion)}**", ""]
    lines += [
        f"- {each.level.value}: {_escaped(each.subject)}: {_escaped(each.text)}"
        for each in document.diagnostics
    ]
    lines.append("")
    for section in document.sections:
        lines += [f"## {_escaped(section.title)}", ""]
        lines += [line for words in section.lead for line in (_escaped(words), "")]
        lines += [line for part in fitted_parts(section, Room.FULL) for line in _part(part)]
    return "\n".join(lines).rstrip() + "\n"


def render_pull_request(record: SavedRun) -> str:
    """Render the verdicts of ``record``, with unchanged metrics and the configuration folded."""
    verdicts, *rest = pull_request_parts(record)
    parts = [verdicts, *growth_parts(record), *rest]
    if record.summaries:
        parts.append(replace(stacks_part(record), title="How this was measured", folded=True))
    what = TITLE if record.counts else "Benchmarks"
    lines = [f"## {what} against {_escaped(record.against)}", ""]
    lines += [line for part in parts for line in _part(fitted(part, Room.BRIEF))]
    lines += [f"> {_escaped(LEAVES_OUT)}", ""] if record.counts else []
    return "\n".join(lines)


def _part(part: Part) -> Iterator[str]:
    if part.folded:
        yield from (f"<details><summary>{_escaped(part.title)}</summary>", "")
    elif part.title:
        yield from (f"### {_escaped(part.title)}", "")
    for words in part.lead:
        yield from (_escaped(words), "")
    for name, value in part.facts:
        yield f"- {_escaped(name)}: {_escaped(value)}"
    if part.facts:
        yield ""
    if part.code:
        yield from (*_fenced(part.code), "")
    for table in part.all_tables():
        if table.caption != part.title:
            yield from (f"*{_escaped(table.caption)}*", "")
        yield from (*_table(table), "")
    yield from map(_note, part.notes)
    if part.notes:
        yield ""
    if part.folded:
        yield from ("</details>", "")


def _note(note: Note) -> str:
    kind = {NoteKind.FAILED: SIGNS[Verdict.SLOWER], NoteKind.INVALID: "**invalid**"}.get(note.kind, note.kind)
    if note.subject:
        return f"- {kind} {_escaped(note.subject)}: {_escaped(note.text)}"
    return f"- {'' if note.kind is NoteKind.NOTE else f'{kind} '}{_escaped(note.text)}"


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(_escaped(column.name) for column in table.columns)} |"
    yield f"| {' | '.join('---:' if column.numeric else '---' for column in table.columns)} |"
    yield from (f"| {' | '.join(map(_cell, row))} |" for row in table.rows)


def _cell(text: str) -> str:
    return f"{SIGNS[text.verdict]} {_escaped(text)}" if isinstance(text, Judged) else _escaped(text)


def _escaped(text: str) -> str:
    """Return ``text`` as plain words in one line of Markdown."""
    text = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace("\n", " ")
    return "".join(f"\\{each}" if each in "\\`*_[]|#" else each for each in text)


def _fenced(text: str) -> list[str]:
    """Return ``text`` as a code block, with a fence longer than any in it."""
    runs = "".join(each if each == "`" else " " for each in text).split()
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return [f"{fence}text", clean(text).rstrip(), fence]
