"""Output that can be read where the terminal, or the file behind a pipe, has no Unicode."""

import codecs
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["plain_output"]

HANDLER = "webbench-plain"
PLAIN = {
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BOX DRAWINGS LIGHT VERTICAL AND RIGHT}": "+",
    "\N{BOX DRAWINGS LIGHT UP AND RIGHT}": "+",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{PLUS-MINUS SIGN}": "+-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
}
"""Replacements for characters that an encoding lacks."""


@contextmanager
def plain_output() -> Iterator[None]:
    """Write to standard output and error what their encodings have, and the nearest thing for the rest.

    Without it a line of a table is an error, for which pytest writes the whole table in one line, escaped.
    Streams that are no files, and those in Unicode, are left as they are.
    """
    changed: list[tuple[Any, str]] = []
    for stream in (sys.stdout, sys.stderr):
        errors = getattr(stream, "errors", None)
        if (
            hasattr(stream, "reconfigure")
            and errors in ("strict", "backslashreplace")
            and _lacks(stream.encoding)
        ):
            codecs.register_error(HANDLER, _replace)
            stream.reconfigure(errors=HANDLER)
            changed.append((stream, errors))
    try:
        yield
    finally:
        for stream, errors in changed:
            stream.reconfigure(errors=errors)


def _lacks(encoding: str) -> bool:
    try:
        "".join(PLAIN).encode(encoding)
    except UnicodeError:
        return True
    return False


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_nearest(each) for each in lacking), error.end


def _nearest(character: str) -> str:
    """In ASCII, which every encoding of a terminal has: the letter without its accents, or the code."""
    if character in PLAIN:
        return PLAIN[character]
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return letters or character.encode("unicode_escape").decode("ascii")
