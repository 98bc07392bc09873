"""Readable output where the terminal, or the file behind a pipe, does not support Unicode."""

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
    """Replace characters that the encodings of standard output and error lack by the nearest ones they have.

    Otherwise a line of a table raises an error, and pytest writes the whole table in one escaped line.
    Streams that are not files, and those in Unicode, are left as they are.
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
    """Return ASCII text, which every terminal's encoding has: the letter without its accents, or the code."""
    if character in PLAIN:
        return PLAIN[character]
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return letters or character.encode("unicode_escape").decode("ascii")
