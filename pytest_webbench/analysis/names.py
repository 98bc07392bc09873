"""Names that people type: selection by patterns, and the nearest match of a typing error."""

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pytest_webbench.model.errors import UsageError

__all__ = ["NAME_WORDS", "did_you_mean", "duplicates", "is_name", "select"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
NAME_WORDS = "1 to 64 letters (a-z, A-Z), digits, and _ . - after the first"
"""What a name consists of. It stands in names of files and of tests, in options and in tables."""


def is_name(value: Any) -> bool:
    """Whether ``value`` may be the name of a stack, a scenario, a suite or a running server."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def select(kind: str, patterns: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Those of ``known`` that match a pattern (``*``, ``?``, ``[...]``), in the order of ``known``.

    No pattern selects all. Raises :class:`~pytest_webbench.model.errors.UsageError` for a pattern that
    matches none; ``kind`` is the word for what is selected.
    """
    wanted = tuple(patterns)
    if not wanted:
        return tuple(known)
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UsageError(
                f"no {kind} is called {pattern!r}{did_you_mean(pattern, known)}",
                evidence=f"known: {', '.join(known) or 'none'}",
                hint=f"choose from these with --webbench-{kind}, or see pytest --webbench-list",
            )
    return tuple(name for name in known if any(fnmatchcase(name, pattern) for pattern in wanted))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known name nearest to ``name``, or nothing.

    A name of several words is compared by its beginning, too: ``flsk`` is near to ``flask-sqlite3``.
    """
    likeness = {each: max(_likeness(name, each), _likeness(name, each[: len(name) + 1])) for each in known}
    nearest = max(likeness, key=likeness.__getitem__, default=None)
    return f"; did you mean {nearest!r}?" if nearest is not None and likeness[nearest] > 0.6 else ""


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def duplicates(names: Iterable[str]) -> tuple[str, ...]:
    """The names that occur more than once, each once, in the order of their second occurrence.

    Capital letters make no difference: two logs would be one file on some file systems.
    """
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for name in names:
        if name.casefold() in seen:
            twice[name] = None
        seen.add(name.casefold())
    return tuple(twice)
