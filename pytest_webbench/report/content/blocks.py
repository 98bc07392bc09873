"""The blocks of a report, as values that every format renders: sections, parts, tables, charts, notes.

Their texts are unescaped: a renderer escapes everything it shows
(:func:`~pytest_webbench.report.content.text.clean`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from pytest_webbench.model.results import Verdict

if TYPE_CHECKING:
    from pytest_webbench.report.charts import AltairChart, Charts

__all__ = [
    "Chart",
    "Column",
    "Judged",
    "Note",
    "NoteKind",
    "Part",
    "Room",
    "Section",
    "Table",
    "fitted",
    "fitted_parts",
    "numbers",
    "with_columns",
    "words",
]


class Room(StrEnum):
    """The formats that have room for a block."""

    ANY = "any"
    FULL = "full"
    """The page and ``report.md``."""
    BRIEF = "brief"
    """The terminal and the comment on a pull request."""


class NoteKind(StrEnum):
    """How serious a note is for the content above it."""

    FAILED = "failed"
    INVALID = "invalid"
    EXAMPLE = "example"
    """Evidence for the notes before it."""
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A sentence, and the stack, cell or run that it concerns; ``subject`` may be empty."""

    text: str
    subject: str = ""
    kind: NoteKind = NoteKind.NOTE


class Judged(str):
    """The words of a verdict in a table."""

    verdict: Verdict

    def __new__(cls, words: str, verdict: Verdict) -> Self:
        """Create the words of ``verdict``, which may differ from the verdict's own."""
        made = super().__new__(cls, words)
        made.verdict = verdict
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The head of a column. ``long`` is text that may be broken into lines."""

    name: str
    numeric: bool = False
    long: bool = False
    room: Room = Room.ANY


def words(*names: str, long: bool = False, room: Room = Room.ANY) -> tuple[Column, ...]:
    """Return columns of words."""
    return tuple(Column(name=name, long=long, room=room) for name in names)


def numbers(*names: str, room: Room = Room.ANY) -> tuple[Column, ...]:
    """Return columns of numbers."""
    return tuple(Column(name=name, numeric=True, room=room) for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows below ``columns``; the first cell of a row is its head. ``dimmed`` rows do not count."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    dimmed: frozenset[int] = frozenset()
    room: Room = Room.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with the table that replaces it where nothing is drawn.

    ``file`` names its image, which has the caption of the table as its title. ``draw`` gets the object that
    draws, because Altair takes a second to import, which a terminal does not need.
    """

    file: str
    title: str
    draw: Callable[["Charts"], "AltairChart"]
    table: Table
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a section, with its own heading if it has a ``title``.

    ``facts`` are pairs of a term and its value, ``code`` is preformatted text. ``legend`` asks for the
    colours and shapes of the stacks; a ``folded`` part is closed until the reader opens it.
    """

    title: str = ""
    lead: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    code: str = ""
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[Note, ...] = ()
    legend: bool = False
    folded: bool = False
    room: Room = Room.ANY

    def all_tables(self) -> tuple[Table, ...]:
        """Return its tables, for a format without charts."""
        return (*(each.table for each in self.charts), *self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section. ``name`` identifies it and is its anchor in the page."""

    name: str
    title: str
    parts: tuple[Part, ...]
    lead: tuple[str, ...] = ()


def fitted(part: Part, room: Room) -> Part:
    """Return ``part`` with the blocks that a format with so much ``room`` shows.

    If brief, charts are shown as tables.
    """
    tables = part.all_tables() if room is Room.BRIEF else part.tables
    charts = () if room is Room.BRIEF else part.charts
    return replace(
        part,
        charts=tuple(replace(each, table=_fitted_table(each.table, room)) for each in charts),
        tables=tuple(_fitted_table(each, room) for each in tables if _fits(each, room)),
    )


def fitted_parts(section: Section, room: Room) -> tuple[Part, ...]:
    """Return the parts of ``section`` that a format with so much ``room`` shows."""
    return tuple(fitted(each, room) for each in section.parts if _fits(each, room))


def _fits(block: Part | Table | Column, room: Room) -> bool:
    return block.room in (Room.ANY, room)


def _fitted_table(table: Table, room: Room) -> Table:
    return with_columns(table, [number for number, each in enumerate(table.columns) if _fits(each, room)])


def with_columns(table: Table, kept: Sequence[int]) -> Table:
    """Return ``table`` with only the columns of these numbers."""
    return replace(
        table,
        columns=tuple(table.columns[number] for number in kept),
        rows=tuple(tuple(row[number] for number in kept) for row in table.rows),
    )
