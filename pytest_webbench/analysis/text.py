"""Text for and from people: names they type, addresses without secrets, examples of failures."""

import difflib
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import LoadResult

__all__ = [
    "MASK",
    "NAME_WORDS",
    "Examples",
    "did_you_mean",
    "duplicates",
    "is_name",
    "is_secret_name",
    "join_examples",
    "mask_body",
    "mask_credentials",
    "mask_path",
    "mask_url",
    "select",
    "shown_examples",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


NAME_WORDS = "1 to 64 letters (a-z, A-Z), digits, and _ . - after the first"
"""The rule for names, which are used in names of files and of tests, in options and in tables."""


def is_name(value: Any) -> bool:
    """Return whether ``value`` may be the name of a stack, a scenario, a suite or a running server."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def select(kind: str, patterns: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``known`` that match a pattern (``*``, ``?``, ``[...]``), in the order of ``known``.

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
    """Return ``; did you mean 'x'?`` for the known name nearest to ``name``, or nothing.

    A name of several words is compared by its beginning, too: ``flsk`` is near to ``flask-sqlite3``.
    """
    likeness = {each: max(_likeness(name, each), _likeness(name, each[: len(name) + 1])) for each in known}
    nearest = max(likeness, key=likeness.__getitem__, default=None)
    return f"; did you mean {nearest!r}?" if nearest is not None and likeness[nearest] > 0.6 else ""


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def duplicates(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that occur more than once, each once, in the order of their second occurrence.

    Case is ignored: two logs would be one file on some file systems.
    """
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for name in names:
        if name.casefold() in seen:
            twice[name] = None
        seen.add(name.casefold())
    return tuple(twice)


MASK = "***"


_LONGEST = 200


_WORDS = "token|secret|passw|pwd|auth(?!or)|signature|session|credential|jwt"


_SECRET = rf"(?:[^=&;#\"\s]*(?:{_WORDS})[^=&;#\"\s]*|(?:[^=&;#\"\s]*[_.-])?(?:api|access)?key|sig|code)"
"""A name that suggests a secret."""


_CREDENTIALS = re.compile(r"://\S*@")


_PARAMETER = re.compile(rf"([?&;#]{_SECRET}=)[^&;#\s]+", re.IGNORECASE)


_MEMBER = re.compile(rf'("{_SECRET}"\s*:\s*)("(?:[^"\\]|\\.)*("|$)|[^,}}\s]+)', re.IGNORECASE)


_FIELD = re.compile(rf"((?:^|&){_SECRET}=)[^&\s]+", re.IGNORECASE)


def mask_credentials(text: str) -> str:
    """Return ``text`` without what is between ``://`` and the last ``@``, even if the address is invalid."""
    return _CREDENTIALS.sub(f"://{MASK}@", text)


def mask_url(text: str) -> str:
    """Return the address ``text`` without credentials, query and fragment."""
    head, at, rest = text.rpartition("@")
    scheme, slashes, _ = head.partition("://")
    shown = f"{scheme}{slashes}{MASK}@{rest}" if slashes else f"{MASK}@{rest}" if at else text
    for mark in "#?":
        head, found, rest = shown.partition(mark)
        shown = f"{head}{mark}{MASK}" if rest else head + found
    return shown


def mask_path(path: str) -> str:
    """Return ``path`` without the values of parameters whose names suggest a secret, cut where it is long."""
    shown = _PARAMETER.sub(rf"\1{MASK}", path)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def is_secret_name(name: str) -> bool:
    """Return whether ``name`` suggests a secret, so that its values must not be shown."""
    return re.fullmatch(_SECRET, name, re.IGNORECASE) is not None


def mask_body(body: str) -> str:
    """Return ``body``, of JSON or a form, without the values whose names suggest a secret."""
    return _FIELD.sub(rf"\1{MASK}", _MEMBER.sub(rf'\1"{MASK}"', body))


_MOST = 3


class Examples:
    """The first distinct failures, counted; later ones of other kinds are not kept."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, request: Request, why: str) -> None:
        """Add the failure of ``request``, for the reason in ``why``."""
        self.count(f"{request.method} {mask_path(request.path)}: {why}", 1)

    def count(self, text: str, times: int) -> None:
        """Count ``text`` ``times`` times."""
        if text in self._counts:
            self._counts[text] += times
        elif len(self._counts) < _MOST:
            self._counts[text] = times

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, each once, in the order of their first occurrence."""
        return tuple(self._counts)

    @property
    def counts(self) -> tuple[int, ...]:
        """How often each of the texts occurred."""
        return tuple(self._counts.values())


def join_examples(results: Iterable[LoadResult]) -> Examples:
    """Return the examples of all ``results`` together."""
    joined = Examples()
    for result in results:
        # A third-party engine may give only the texts.
        counts = result.example_counts or (1,) * len(result.examples)
        for text, times in zip(result.examples, counts, strict=True):
            joined.count(text, times)
    return joined


def shown_examples(results: Iterable[LoadResult]) -> tuple[str, ...]:
    """Return the examples of all ``results`` together as text."""
    joined = join_examples(results)
    return tuple(
        text if times == 1 else f"{text} ({times:,} times)"
        for text, times in zip(joined.texts, joined.counts, strict=True)
    )
