"""Reports as text for a terminal, which shows only the brief blocks."""

import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from pytest_webbench.model.plan import Plan, Profile
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Scenario
from pytest_webbench.report.content.blocks import (
    Note,
    NoteKind,
    Part,
    Room,
    Table,
    fitted_parts,
    numbers,
    with_columns,
    words,
)
from pytest_webbench.report.content.counts import LEAVES_OUT, TITLE
from pytest_webbench.report.content.document import make_sections
from pytest_webbench.report.content.hot_spots import hot_spot_sections
from pytest_webbench.report.content.text import clean, counted, duration

__all__ = ["describe_known", "describe_run", "render_hot_spots", "render_run"]

LAST = ("comparison", "growth")
"""The sections that come last, where a reader of a terminal looks."""
NOTES = {
    NoteKind.FAILED: ("  FAILED ", "red"),
    NoteKind.INVALID: ("  INVALID ", "red"),
    NoteKind.NOTE: ("  note ", "yellow"),
}


def describe_run(settings: Settings, plan: Plan, *, launcher: str, expected_s: float) -> str:
    """Return one line: launcher (if any), profile, order, seed and expected duration."""
    trials = sum(len(block.trials) for block in plan.blocks)
    return (
        f"webbench: {launcher + ', ' if launcher else ''}profile {settings.profile.name} "
        f"({counted(settings.profile.rounds, 'round')}, {trials} trials), {plan.order} order, "
        f"seed {settings.seed}, about {duration(expected_s)}"
    )


def describe_known(
    stacks: Iterable[Stack], scenarios: Iterable[Scenario], profiles: Iterable[Profile], *, width: int
) -> str:
    """Return the text of ``--webbench-list``."""
    tables = (
        Table(
            caption="stacks",
            columns=(*words("stack", "suite"), *words("description", long=True)),
            rows=tuple((each.name, each.suite, each.title) for each in stacks),
        ),
        Table(
            caption="scenarios",
            columns=(
                *words("scenario", "suite"),
                *numbers("users"),
                *words("amount", "unit"),
                *words("description", long=True),
            ),
            rows=tuple(
                (each.name, each.suite, str(each.users), str(each.amount), each.unit, each.title)
                for each in scenarios
            ),
        ),
        Table(
            caption="profiles",
            columns=(
                *words("profile"),
                *numbers("rounds"),
                *words("order"),
                *words("description", long=True),
            ),
            rows=tuple((each.name, str(each.rounds), each.order, each.title) for each in profiles),
        ),
    )
    return _render([Part(tables=tables)], width=width, colour=False)


def render_run(record: SavedRun, *, width: int, colour: bool) -> str:
    """Render the report of ``record``, as far as a terminal has room for it."""
    sections = sorted(make_sections([record]), key=lambda each: each.name in LAST)
    parts = [part for each in sections for part in fitted_parts(each, Room.BRIEF)]
    banner = [Part(title=TITLE, lead=(LEAVES_OUT,))] if record.counts else []
    return _render([*banner, *parts], width=width, colour=colour)


def render_hot_spots(profiles: Sequence[CodeProfile], *, width: int, colour: bool) -> str:
    """Render the hot spots of each sampled scenario."""
    record = SavedRun(source="", explained=tuple(profiles))
    parts = [part for each in hot_spot_sections([record]) for part in fitted_parts(each, Room.BRIEF)]
    return _render(parts, width=width, colour=colour)


def _render(parts: Iterable[Part], *, width: int, colour: bool) -> str:
    """Render the parts one below the other; names and messages are text, never markup."""
    output = io.StringIO()
    console = Console(
        file=output, width=width, force_terminal=colour, no_color=not colour, legacy_windows=False
    )
    for number, part in enumerate(parts):
        for each in (*([""] if number else []), *_part(part, width)):
            console.print(each, highlight=False)
    return output.getvalue()


def _part(part: Part, width: int) -> Iterator[RenderableType]:
    if part.title:
        yield _text(part.title, "bold")
    for line in part.lead:
        yield _text(textwrap.fill(clean(line), width))
    for table in part.tables:
        for piece in _pieces(table, width):
            yield _table(piece)
    yield from map(_note, part.notes)


def _note(note: Note) -> Text:
    if note.kind is NoteKind.EXAMPLE:
        return _text(f"          {note.text}", "dim")
    label, style = NOTES[note.kind]
    return _text(f"{label}{note.subject}: {note.text}" if note.subject else f"{label}{note.text}", style)


def _table(table: Table) -> RichTable:
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for each in table.columns:
        made.add_column(_text(each.name), justify="right" if each.numeric else "left", no_wrap=not each.long)
    for number, row in enumerate(table.rows):
        made.add_row(*map(_text, row), style="dim" if number in table.dimmed else None)
    return made


def _pieces(table: Table, width: int) -> Iterator[Table]:
    """Split ``table`` so that all its columns of numbers fit; numbers cannot be wrapped."""
    if not all(each.numeric for each in table.columns[1:]):
        yield table
        return
    widths = [3 + max(map(len, map(clean, column))) for column in _texts(table)]
    chosen = [0]
    for number in range(1, len(widths)):
        if len(chosen) > 1 and sum(widths[each] for each in (*chosen, number)) > width:
            yield with_columns(table, chosen)
            chosen = [0]
        chosen.append(number)
    yield with_columns(table, chosen)


def _texts(table: Table) -> list[tuple[str, ...]]:
    """Return the texts of each column."""
    names = tuple(each.name for each in table.columns)
    return list(zip(names, *table.rows, strict=True))


def _text(text: str, style: str = "") -> Text:
    """Return ``text`` taken literally: no markup, no control characters."""
    return Text(clean(text), style=style)
