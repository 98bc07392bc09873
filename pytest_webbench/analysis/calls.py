"""Which calls of a request became more or fewer: what grew, in the words of the application."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["CallChange", "Place", "call_changes"]

_LIBRARIES = ("site-packages", "dist-packages")
SMALLEST = 0.5
"""Calls per request: less is what comes now and then, such as a timer's, and not with each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a call is made: ``file`` and ``line``, inside ``function``; and what is ``called``."""

    file: str
    function: str
    line: int
    called: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """How often a request of the base and one of the head makes a call, per request.

    ``place`` is that of the head, or of the base where the head does not make the call any more; its file is
    relative to the application, or to where libraries are installed. ``own``: it is the application's.
    """

    place: Place
    base: float
    head: float
    own: bool

    @property
    def change(self) -> float:
        """Calls per request; negative where there are fewer."""
        return self.head - self.base


def call_changes(
    base: Mapping[Place, float], head: Mapping[Place, float], *, folders: tuple[str, str]
) -> tuple[CallChange, ...]:
    """What changed by :data:`SMALLEST` calls per request: the application's first, then the largest.

    ``folders`` are those of the application of the base and of the head. Calls are the same if the same
    function of the same file makes them, whatever its lines.
    """
    sides = [_by_function(side, folder) for side, folder in zip((base, head), folders, strict=True)]
    changes = []
    for key in sides[0].keys() | sides[1].keys():
        (was, where_was), (now, where) = (side.get(key, (0.0, None)) for side in sides)
        place = where or where_was
        if place is not None and abs(now - was) >= SMALLEST:
            changes.append(CallChange(place=place, base=was, head=now, own=key[0]))
    return tuple(
        sorted(changes, key=lambda each: (not each.own, -abs(each.change), each.place.file, each.place.line))
    )


_Key = tuple[bool, str, str, str]


def _by_function(calls: Mapping[Place, float], folder: str) -> dict[_Key, tuple[float, Place]]:
    """The calls of each function together, with the line of most of them."""
    counts: dict[_Key, float] = {}
    most: dict[_Key, tuple[float, Place]] = {}
    for place, count in calls.items():
        own, file = _relative(place.file, folder)
        key = (own, file, place.function, place.called)
        counts[key] = counts.get(key, 0.0) + count
        if key not in most or count > most[key][0]:
            shown = Place(file=file, function=place.function, line=place.line, called=place.called)
            most[key] = (count, shown)
    return {key: (count, most[key][1]) for key, count in counts.items()}


def _relative(file: str, folder: str) -> tuple[bool, str]:
    """Whether ``file`` is the application's, and its path below the application or the libraries."""
    path = PurePosixPath(file)
    parts = path.parts
    for name in _LIBRARIES:
        if name in parts:
            return False, str(PurePosixPath(*parts[parts.index(name) + 1 :]))
    if path.is_relative_to(folder):
        return True, str(path.relative_to(folder))
    return False, path.name if path.is_absolute() else file
