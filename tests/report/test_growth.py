"""What grew, as content for every format."""

from dataclasses import replace

import pytest

from pytest_webbench.model.growth import CallChange, CodeChange, Place, WhatGrew
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Interval, Threshold
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Part, Room
from pytest_webbench.report.content.growth import (
    MOST_BENCHMARKS,
    MOST_LINES,
    describe_call,
    growth_parts,
    name_of_object,
)
from tests.report.samples import SLOWER

CELL = Cell(scenario="list", stack="shop")
PLACE = Place(file="items/views.py", function="list_items", line=31, called="Connection.execute")
MORE = replace(
    SLOWER,
    cell=CELL,
    metric="instructions",
    threshold=Threshold(metric="instructions", limit=0.01),
    base=800_000,
    head=1_000_000,
    ratio=Interval(estimate=1.25, low=1.25, high=1.25),
)


def call(base: float, head: float) -> CallChange:
    return CallChange(place=PLACE, base=base, head=head, own=True)


@pytest.mark.parametrize(
    ("base", "head", "words"),
    [
        (1, 2, "+1 call of Connection.execute from items/views.py:31"),
        (1, 21, "+20 calls of Connection.execute from items/views.py:31"),
        (2, 1, "-1 call of Connection.execute from items/views.py:31"),
        (0, 1.5, "+1.5 calls of Connection.execute from items/views.py:31"),
        (0, 1200, "+1,200 calls of Connection.execute from items/views.py:31"),
    ],
)
def test_a_change_of_calls_in_words(base: float, head: float, words: str) -> None:
    assert describe_call(call(base, head)) == words


def test_objects_go_by_names_that_people_know() -> None:
    assert name_of_object("libpython3.13.so") == "the interpreter (libpython3.13.so)"
    assert name_of_object("python3.11") == "the interpreter (python3.11)"
    assert name_of_object("libsqlite3.so") == "SQLite (libsqlite3.so)"
    assert name_of_object("uvloop/loop.so") == "uvloop/loop.so"


def grown(number: int = 1) -> WhatGrew:
    code = [CodeChange(object=f"lib{each}.so", base=0, head=9_000 - each) for each in range(9)]
    return WhatGrew(
        cell=replace(CELL, scenario=f"list{number}"),
        base_stack="shop@base",
        objects=tuple(code),
        functions=tuple(replace(each, function="run") for each in code),
        calls=tuple(call(0, 9 - each) for each in range(9)),
    )


def test_each_kind_has_five_lines() -> None:
    (part,) = growth_parts(SavedRun(source="a run", grown=(grown(),)))
    assert [len(table.rows) for table in part.tables] == [MOST_LINES] * 3 == [5] * 3
    objects, functions, calls = part.tables
    assert objects.rows[0] == ("lib0.so", "0.0", "9.0", "+9.0")
    assert functions.rows[0] == ("run", "lib0.so", "0.0", "9.0", "+9.0")
    assert calls.rows[0][1:] == ("list_items", "0", "9")


def test_what_failed_is_said_and_what_is_missing() -> None:
    found = replace(grown(), cell=CELL, calls=(), note="calls were not counted: it rained")
    (part,) = growth_parts(SavedRun(source="a run", comparisons=(MORE,), grown=(found,)))
    assert part.title == "What grew in list[shop]"
    assert part.lead == ("instructions per request: 800 k at the base, 1000 k now, +25.0 %",)
    assert len(part.tables) == 2
    assert [note.text for note in part.notes] == ["calls were not counted: it rained"]


def test_a_growth_without_a_place_is_said_too() -> None:
    nothing = WhatGrew(cell=CELL, base_stack="shop@base")
    (part,) = growth_parts(SavedRun(source="a run", grown=(nothing,)))
    assert part.tables == ()
    assert "no object, function or call" in part.notes[0].text


def test_a_brief_format_has_the_worst_benchmarks_and_names_the_others() -> None:
    parts = growth_parts(SavedRun(source="a run", grown=tuple(map(grown, range(7)))))

    def shown(room: Room) -> list[Part]:
        return [each for each in parts if each.room in (Room.ANY, room)]

    assert [each.title for each in shown(Room.FULL)] == [
        f"What grew in list{each}[shop]" for each in range(7)
    ]
    brief = shown(Room.BRIEF)
    assert len(brief) == MOST_BENCHMARKS + 1
    assert brief[-1].notes[0].text == (
        "what grew in 2 more benchmarks is in the report: list5[shop], list6[shop]"
    )
