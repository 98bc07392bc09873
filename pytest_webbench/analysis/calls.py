"""Which calls of a request increased or decreased, in the terms of the application."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pytest_webbench.model.growth import CallChange, Place

__all__ = ["CountedCalls", "call_changes", "plain_name"]

SMALLEST = 0.5
"""Calls per request: smaller numbers come from occasional events, such as a timer, not from each request."""

_INSTALLED = re.compile(r"^.*/(?:site|dist)-packages/(?=.)")
_STANDARD = re.compile(r"^.*/lib(?:64)?/python3\.\d+t?/(?=.)")
_COMPREHENSION = re.compile(r"(?:^|\.)<(?:list|set|dict)comp>|(?:^|\.)<genexpr>")


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCalls:
    """The calls of ``requests``, and the folders of the application, as the server sees them.

    A file is shown relative to the first of ``folders`` that contains it.
    """

    calls: Mapping[Place, int]
    requests: int
    folders: Sequence[str] = ()


def plain_name(name: str) -> str:
    """Return a qualified name as people write it.

    A comprehension or generator expression counts as code of the function that contains it, and what is
    defined in a function is named after it: ``outer.inner``.
    """
    outside = _COMPREHENSION.sub("", name.replace(".<locals>", ""))
    return outside or "<module>"


def call_changes(base: CountedCalls, head: CountedCalls) -> tuple[CallChange, ...]:
    """Return changes of at least :data:`SMALLEST` calls per request: the application's first, then by size.

    Calls are the same if the same function of the same file makes them, regardless of its lines; of several
    lines, the one is named that was added, judging by its text, or that makes most of the calls.
    """
    was, now = _by_function(base), _by_function(head)
    changes = []
    for key in was.keys() | now.keys():
        before, after = was.get(key, {}), now.get(key, {})
        change = sum(after.values()) - sum(before.values())
        if abs(change) >= SMALLEST:
            place = _grown(before, after) if after else max(before, key=before.__getitem__)
            changes.append(
                CallChange(place=place, base=sum(before.values()), head=sum(after.values()), own=key[0])
            )
    return tuple(sorted(changes, key=_order))


def _order(change: CallChange) -> tuple[bool, float, str, int, str]:
    place = change.place
    return not change.own, -abs(change.change), place.file, place.line, place.called


_Key = tuple[bool, str, str, str]


def _by_function(counted: CountedCalls) -> dict[_Key, dict[Place, float]]:
    """Return the calls per request that each function makes of another, by their places."""
    found: dict[_Key, dict[Place, float]] = {}
    for place, count in counted.calls.items():
        own, file = _relative(place.file, counted.folders)
        shown = replace(place, file=file)
        lines = found.setdefault((own, file, place.function, place.called), {})
        lines[shown] = lines.get(shown, 0.0) + count / counted.requests
    return found


def _grown(before: Mapping[Place, float], after: Mapping[Place, float]) -> Place:
    """Return the place in ``after`` with the largest increase in calls over the same text in ``before``."""
    known: dict[str, float] = {}
    for place, count in before.items():
        known[place.source] = known.get(place.source, 0.0) + count
    more = {place: count - known.get(place.source, 0.0) for place, count in after.items()}
    return max(more, key=lambda place: (more[place], -place.line))


def _relative(file: str, folders: Sequence[str]) -> tuple[bool, str]:
    """Return whether ``file`` is the application's, and its path below the application or the libraries.

    Files that neither are installed nor belong to Python itself are the application's, too, wherever they
    are.
    """
    for known in (_INSTALLED, _STANDARD):
        if known.match(file):
            return False, known.sub("", file)
    path = PurePosixPath(file)
    if not path.is_absolute():  # such as <frozen importlib._bootstrap>
        return False, file
    for folder in folders:
        if folder and path.is_relative_to(folder):
            return True, str(path.relative_to(folder))
    return True, file
