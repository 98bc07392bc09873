"""Checks that base and head respond alike: counts of different work cannot be compared.

Each launch gets the same few requests. Values that differ between launches of one side, such as a time or
a generated id, vary by nature, and only their presence is compared.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from pytest_webbench.analysis.text import MASK, is_secret_name, mask_body, mask_credentials
from pytest_webbench.model.errors import printable
from pytest_webbench.model.http import SeenResponse

__all__ = ["first_difference"]

BY_NATURE = frozenset(
    {"date", "age", "expires", "etag", "last-modified", "server"}
    | {"connection", "keep-alive", "transfer-encoding", "content-length"}
)
"""Headers about when or how a response was sent; the body itself is compared."""
FEWEST = 2
"""A single launch of a side does not show which values vary by nature."""
_SHOWN = 60
_MOST_DEPTH = 100

Launches = Sequence[Sequence[SeenResponse]]
"""The responses to the same requests in each launch of a side."""


def first_difference(base: Launches, head: Launches, *, headers: bool) -> str:
    """Return the first request to which base and head respond differently, and how; empty if there is none.

    With ``headers``, headers beside the media type are compared, too, as for two versions of one application.
    With a single launch of a side, only the status and the media type are compared.
    """
    fewest = min((len(launch) for launch in (*base, *head)), default=0)
    for number in range(fewest):
        sides = [[launch[number] for launch in side] for side in (base, head)]
        if all(sides) and (difference := _difference(sides[0], sides[1], headers=headers)):
            return f"{sides[1][0].request}: {difference}"
    return ""


def _difference(base: Sequence[SeenResponse], head: Sequence[SeenResponse], *, headers: bool) -> str:
    old, new = ([dict(_facts(each, headers=headers)) for each in side] for side in (base, head))
    alone = min(len(old), len(new)) < FEWEST
    for name in {name: None for side in (new, old) for each in side for name in each}:
        if alone and name not in (STATUS, TYPE):
            continue
        before, now = ([each.get(name) for each in side] for side in (old, new))
        varies = len(set(before)) > 1 or len(set(now)) > 1
        if varies and {each is None for each in before} == {each is None for each in now}:
            continue
        if varies and not _is_there_on_one_side_alone(before, now):
            continue
        if before[0] != now[0]:
            return f"{name} {_shown(name, now[0], before[0])}, of the base {_shown(name, before[0], now[0])}"
    return ""


def _is_there_on_one_side_alone(before: Sequence[str | None], now: Sequence[str | None]) -> bool:
    sides = [{each is None for each in side} for side in (before, now)]
    return sides in ([{True}, {False}], [{False}, {True}])


STATUS, TYPE = "the status is", "the media type is"


def _facts(seen: SeenResponse, *, headers: bool) -> Iterator[tuple[str, str]]:
    """Yield all values that can differ, by their names in a sentence."""
    yield STATUS, str(seen.status)
    named = {name.lower(): value for name, value in seen.headers}
    yield TYPE, named.pop("content-type", "none").replace(" ", "").lower()
    for name, value in sorted(named.items()) if headers else ():
        if name not in BY_NATURE:  # the values of cookies are secrets
            yield f"the header {name} is", value.partition("=")[0] if name == "set-cookie" else value
    try:
        value = json.loads(seen.body)
    except (ValueError, RecursionError):
        yield "the body is", seen.body.decode("utf-8", "backslashreplace")
    else:
        yield from _leaves(value, (), 0)


def _leaves(value: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
    """Yield the single values of a JSON document, and the lengths of its lists."""
    place = ": ".join(path) or "the body"
    if isinstance(value, Mapping) and value and depth < _MOST_DEPTH:
        for key, each in value.items():
            yield from _leaves(each, (*path, json.dumps(key)), depth + 1)
    elif isinstance(value, list) and value and depth < _MOST_DEPTH:
        yield f"the number of items in {place} is", str(len(value))
        for number, each in enumerate(value):
            yield from _leaves(each, (*path, f"item {number}"), depth + 1)
    else:
        yield f"{place} is", json.dumps(value, ensure_ascii=False)


def _shown(name: str, value: str | None, other: str | None) -> str:
    """Return ``value``, shortened, from where it differs from ``other``, and masked if it is a secret."""
    if value is None:
        return "not there"
    words = re.findall(r"[\w.-]+", name)
    if any(map(is_secret_name, words)):
        return MASK
    text = mask_credentials(mask_body(value))
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(text, other or "", strict=False))
    start = max(0, len(list(alike)) - 20) if len(text) > _SHOWN else 0
    cut = text[start : start + _SHOWN]
    return printable(f"{'…' if start else ''}{cut}{'…' if start + _SHOWN < len(text) else ''}")
