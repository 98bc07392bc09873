"""What all files of saved runs share: JSON documents and lines of JSON, and the errors in them."""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pytest_webbench.model.codec import decode, encode, from_saved
from pytest_webbench.model.errors import UsageError

__all__ = ["NO_RUN", "append_line", "check_format", "damaged", "read_document", "read_lines", "value_of"]

T = TypeVar("T")

NO_RUN = "give the folder of a run (.webbench/20261121-091500-4711) or a file of --benchmark-json"
SHOWN = 200
"""The number of characters of a parser's message to show."""


def append_line(file: Path, line: Any) -> None:
    """Write ``line`` at the end of ``file``, all of it or nothing. Raises :class:`OSError`."""
    before = file.stat().st_size if file.exists() else 0
    try:
        with file.open("ab") as lines:
            lines.write(encode(line) + b"\n")
    except OSError as error:
        with suppress(OSError):  # a full disk: half a line would make the previous ones look damaged
            os.truncate(file, before)
        error.filename = error.filename or str(file)
        raise


def read_document(file: Path) -> dict[str, Any]:
    """Return the object in ``file``."""
    try:
        data = decode(file.read_bytes())
    except ValueError as error:
        fault = "is empty" if not file.stat().st_size else "is damaged, or not JSON"
        raise UsageError(f"{file} {fault}", evidence=str(error)[:SHOWN], hint=NO_RUN) from None
    if not isinstance(data, dict):
        raise UsageError(f"{file} holds no run", evidence=f"a {type(data).__name__}", hint=NO_RUN)
    return data


def read_lines(file: Path, notes: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the objects of ``file``, none if there is no such file, each with its place in words.

    A truncated last line, as after a kill, is left out, and ``notes`` get a sentence about it.
    """
    if not file.exists():
        return
    with file.open("rb") as opened:
        yield from _objects(opened, file, notes)


def _objects(lines: Iterable[bytes], file: Path, notes: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = decode(line)
        except ValueError as error:
            if not line.endswith(b"\n"):
                notes.append(
                    f"the last line of {file.name} is cut off, as when a run is killed; the {number - 1} "
                    "before it are shown"
                )
                return
            raise damaged(f"{file}, line {number} is damaged", error) from None
        if not isinstance(data, dict):
            raise UsageError(f"{file}, line {number} holds no event", hint=NO_RUN)
        yield data, f"{file}, line {number},"


def value_of(kind: type[T], data: Any, place: object, what: str) -> T:
    """Return the value that ``data`` at ``place`` describes; ``what`` is its name in messages."""
    try:
        return from_saved(kind, data)
    except (ValueError, TypeError, zlib.error) as error:
        raise damaged(f"{place} is damaged: it does not describe {what}", error) from None


def damaged(message: str, error: Exception) -> UsageError:
    """Return the error for damaged saved data."""
    hint = "measure again; what was saved cannot be relied on"
    return UsageError(message, evidence=str(error)[:SHOWN], hint=hint)


def check_format(file: Path, found: Any, newest: int) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` unless the format ``found`` can be read."""
    if isinstance(found, int) and found > newest:
        raise UsageError(
            f"{file} was written by a newer version of pytest-webbench (format {found}; this one reads "
            f"{newest})",
            hint="update pytest-webbench",
        )
    if found != newest:
        raise UsageError(f"{file} holds no run", evidence=f"its format is {found!r}", hint=NO_RUN)
