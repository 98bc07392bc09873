"""One report, three renderings: the page, the Markdown and the terminal show the same content."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Validity, Verdict
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Part, Room, fitted_parts
from pytest_webbench.report.content.document import make_document, make_sections
from pytest_webbench.report.markdown import render_report
from pytest_webbench.report.page import render_page
from pytest_webbench.report.terminal import render_run
from tests.builders import make_summary
from tests.report.samples import SLOWER, full_run


@pytest.fixture(scope="module")
def records() -> tuple[SavedRun, SavedRun]:
    """Two runs, of which the second has something for every section."""
    invalid = make_summary(
        [0.02, 0.021],
        stack="broken",
        validity=Validity(reasons=("3 of 300 requests failed",), warnings=("it wavers",)),
        examples=("GET /items/1: the body is 'x'",),
    )
    head = full_run(
        source="the second run",
        against="main (1a2b3c4)",
        comparisons=(SLOWER, replace(SLOWER, verdict=Verdict.INCONCLUSIVE, metric="time", pairs_needed=14)),
        needed_s=93.0,
        stack_failures={"flask-sqlalchemy": "it exited\n    a line of its log"},
        check_failures={Cell(scenario="echo", stack="django-drf"): "echo is wrong\n    evidence"},
        trial_failures={Cell(scenario="hello", stack="django-drf"): "the worker ended"},
        notes=("the last line was cut off",),
        live=(make_summary([0.01], stack="mine"),),
    )
    return full_run(source="the first run"), replace(head, summaries=(*head.summaries, invalid))


def parts_of(records: tuple[SavedRun, ...], room: Room) -> list[Part]:
    return [part for each in make_sections(records) for part in fitted_parts(each, room)]


def tables_of(parts: list[Part]) -> list[list[list[str]]]:
    """The head and the rows of each table."""
    tables = [table for part in parts for table in part.all_tables()]
    return [[[each.name for each in table.columns], *map(list, table.rows)] for table in tables]


def notes_of(parts: list[Part]) -> list[str]:
    notes = [note for part in parts for note in part.notes]
    return [f"{each.subject}: {each.text}" if each.subject else each.text for each in notes]


class Reader(HTMLParser):
    """The headings, tables and list items of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.items: list[str] = []
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        if tag not in ("b", "span"):
            self._text = ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self.tables[-1][-1].append(self._text)
        elif tag in ("h2", "h3") or (tag == "summary" and not self._text.startswith("Table of")):
            self.headings.append(self._text)
        elif tag == "li":
            self.items.append(self._text)


def plain(markdown: str) -> str:
    """A line of Markdown without its escapes."""
    return html.unescape(re.sub(r"\\([\\`*_\[\]|#])", r"\1", markdown))


def test_the_page_and_the_markdown_show_every_heading_table_and_note(
    records: tuple[SavedRun, SavedRun],
) -> None:
    sections, parts = make_sections(records), parts_of(records, Room.FULL)
    headings = [
        heading
        for each in sections
        for heading in (each.title, *(part.title for part in fitted_parts(each, Room.FULL) if part.title))
    ]
    page = render_page(records)
    reader = Reader()
    reader.feed(page[page.index('<section id="comparison"') : page.index("</main>")])
    assert reader.headings == headings
    assert reader.tables == tables_of(parts)
    shown_notes = [re.sub(r"^\w+ ", "", " ".join(each.split())) for each in reader.items]
    assert [each for each in shown_notes if each in set(notes_of(parts))] == notes_of(parts)

    markdown = render_report(records)
    lines = markdown[markdown.index("## Comparison") :].splitlines()
    found = [re.fullmatch(r"##+ (.*)|<details><summary>(.*)</summary>", each) for each in lines]
    assert [plain(each[1] or each[2]) for each in found if each] == headings
    rows = [line[2:-2] for line in lines if line.startswith("|") and not re.fullmatch(r"[| :-]+", line)]
    cells = [[plain(cell.strip()) for cell in re.split(r" \| ", f" {row} ")] for row in rows]
    expected = [row for table in tables_of(parts) for row in table]
    assert [
        [re.sub(r"^[^\w\s] (?=slower|inconclusive)", "", cell) for cell in row] for row in cells
    ] == expected
    bullets = [plain(line) for line in lines if line.startswith("- ")]
    assert all(any(bullet.endswith(note) for bullet in bullets) for note in notes_of(parts))
    for name, value in (fact for part in parts for fact in part.facts):
        assert f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" in page
        assert f"- {name}: {value}" in bullets


def test_the_page_and_the_markdown_judge_the_run_in_the_same_words(
    records: tuple[SavedRun, SavedRun],
) -> None:
    document = make_document(records)
    page, markdown = html.unescape(render_page(records)), plain(render_report(records))
    for text in (document.conclusion, *(each.text for each in document.diagnostics)):
        assert text in page
        assert text in markdown


def test_the_terminal_shows_the_brief_parts_and_all_their_notes(
    records: tuple[SavedRun, SavedRun],
) -> None:
    head = records[-1]
    parts = parts_of((head,), Room.BRIEF)
    lines = [line.rstrip() for line in render_run(head, width=400, colour=False).splitlines()]
    assert [part.title for part in parts if part.title in lines] == [part.title for part in parts]
    for row in (row for table in tables_of(parts) for row in table):
        assert [cell for cell in row if cell] in [re.split(r"   +", line.strip()) for line in lines]
    notes = [note for part in parts for note in part.notes]
    assert all(any(line.endswith(note.text) for line in lines) for note in notes)
    shared = [part for part in parts_of((head,), Room.FULL) if part.room is Room.ANY]
    assert notes == [note for part in shared for note in part.notes]
