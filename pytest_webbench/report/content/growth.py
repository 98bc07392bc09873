"""What grew where a benchmark executes more than its base: shared objects, functions, calls."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_webbench.analysis.metrics import Rule, find_metric
from pytest_webbench.model.growth import CallChange, CodeChange, WhatGrew
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Note, Part, Room, Section, Table, numbers, words
from pytest_webbench.report.content.text import counted

__all__ = ["describe_call", "growth_parts", "growth_sections", "name_of_object"]

MOST_LINES = 5
MOST_BENCHMARKS = 5
"""The number of benchmarks that a terminal or a comment has room for; the page has all of them."""

_KNOWN = {
    "???": "code that belongs to no file",
    "_sqlite3.so": "Python's module sqlite3 (_sqlite3.so)",
    "ld-linux-x86-64.so": "the dynamic linker (ld-linux-x86-64.so)",
    "libc.so": "the C library (libc.so)",
    "libcrypto.so": "OpenSSL (libcrypto.so)",
    "libsqlite3.so": "SQLite (libsqlite3.so)",
    "libssl.so": "OpenSSL (libssl.so)",
    "pydantic_core/_pydantic_core.so": "pydantic-core (_pydantic_core.so)",
}
_INTERPRETER = re.compile(r"^(?:lib)?python3\.\d+t?(?:\.so)?$")


def growth_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield what grew in the last run."""
    parts = growth_parts(records[-1])
    if parts:
        yield Section(name="growth", title="What grew", parts=parts)


def growth_parts(record: SavedRun) -> tuple[Part, ...]:
    """Return a part for each benchmark that failed by its counts, the worst first."""
    parts = [_part(record, each) for each in record.grown]
    rest = [str(each.cell) for each in record.grown[MOST_BENCHMARKS:]]
    shown = [*parts[:MOST_BENCHMARKS], *(replace(each, room=Room.FULL) for each in parts[MOST_BENCHMARKS:])]
    if rest:
        text = f"what grew in {counted(len(rest), 'more benchmark')} is in the report: {', '.join(rest)}"
        shown.append(Part(notes=(Note(text=text),), room=Room.BRIEF))
    return tuple(shown)


def _part(record: SavedRun, grown: WhatGrew) -> Part:
    tables = (
        _code_table("by shared object", grown.objects),
        _code_table("by function, without what it calls", grown.functions),
        _calls_table(grown.calls),
    )
    notes = [Note(text=grown.note)] if grown.note else []
    if not (grown.objects or grown.note or grown.calls):
        notes.append(Note(text="no object, function or call changed by itself enough to be named"))
    return Part(
        title=f"What grew in {grown.cell}",
        lead=(*_totals(record, grown),),
        tables=tuple(each for each in tables if each.rows),
        notes=tuple(notes),
    )


def _totals(record: SavedRun, grown: WhatGrew) -> Iterator[str]:
    """Yield the totals that made it fail."""
    failed = [each for each in record.comparisons if each.cell == grown.cell and each.fails]
    for each in failed:
        metric = find_metric(each.metric)
        if metric.rule is Rule.EXACT:
            base, head = metric.shown_with_unit(each.base), metric.shown_with_unit(each.head)
            yield f"{metric.title}: {base} at the base, {head} now, {100 * (each.ratio.estimate - 1):+.1f} %"


def _code_table(how: str, changes: Sequence[CodeChange]) -> Table:
    by_function = any(each.function for each in changes)
    rows = tuple(
        (
            *([each.function[:80]] if by_function else []),
            name_of_object(each.object),
            *map(_thousands, (each.base, each.head)),
            f"{each.change / 1000:+,.1f}",
        )
        for each in changes[:MOST_LINES]
    )
    return Table(
        caption=f"instructions per request, {how}",
        columns=(
            *words(*(["function"] if by_function else []), "object"),
            *numbers("base, k", "now, k", "change, k"),
        ),
        rows=rows,
    )


def _thousands(value: float) -> str:
    return f"{value / 1000:,.1f}"


def _calls_table(changes: Sequence[CallChange]) -> Table:
    return Table(
        caption="calls per request, those of the application first",
        columns=(*words("calls", long=True), *words("in function"), *numbers("base", "now")),
        rows=tuple(
            (describe_call(each), each.place.function, _number(each.base), _number(each.head))
            for each in changes[:MOST_LINES]
        ),
    )


def describe_call(call: CallChange) -> str:
    """Return a description such as ``+1 call of Connection.execute from items/views.py:31``."""
    noun = "call" if _number(abs(call.change)) == "1" else "calls"
    sign = "+" if call.change > 0 else "-"
    place = call.place
    return f"{sign}{_number(abs(call.change))} {noun} of {place.called} from {place.file}:{place.line}"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def name_of_object(name: str) -> str:
    """Return the common name of a shared object, if it has one besides its file's."""
    return f"the interpreter ({name})" if _INTERPRETER.match(name) else _KNOWN.get(name, name)
