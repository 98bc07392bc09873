"""What a page shows, as values that its template lays out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_webbench.model.results import Finding, Level
from pytest_webbench.report.content.tables import Table

__all__ = ["Card", "CardRow", "Figure", "Part", "Section", "View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart with its table. ``label`` says to who cannot see it what it shows."""

    name: str
    title: str
    label: str
    spec: Mapping[str, Any]
    table: Table
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a section, below a heading of its own if it has a ``title``.

    ``facts`` are pairs of a term and what is said of it, ``code`` is shown as it stands, ``notes`` are
    triples of a kind (``invalid``, ``example``, ``note``), what it concerns, and words. ``folded`` are tables
    that are looked at when needed. With ``legend`` the stacks' colours and shapes are explained.
    """

    name: str
    title: str = ""
    lead: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    code: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: tuple[Table, ...] = ()
    notes: tuple[tuple[str, str, str], ...] = ()
    legend: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the page, with a place in its navigation."""

    name: str
    title: str
    parts: tuple[Part, ...]
    lead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A stack's place on a card. ``share`` is its speed as a share (0 to 100) of the fastest one's."""

    stack: str
    rank: str
    value: str
    slower: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The ranking of a scenario on the first screen. ``target`` is the name of the part with its figures."""

    scenario: str
    title: str
    load: str
    unit: str
    target: str
    rows: tuple[CardRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A whole page. ``symbols`` gives each stack the number of its colour and its shape."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    level: Level
    verdict: str
    findings: tuple[Finding, ...]
    cards: tuple[Card, ...]
    sections: tuple[Section, ...]
    version: str
    symbols: Mapping[str, tuple[int, str]] = field(default_factory=dict)
