"""Checks the database after a load."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_webbench.model.http import Effect, EffectKind, Exchange, Record

__all__ = ["records_by_key", "state_faults"]

_Content = tuple[tuple[str, object], ...]

SHOWN = 3
"""How many faults are spelled out before the rest is only counted."""


def records_by_key(records: Iterable[Record]) -> dict[int, Record]:
    """Return the records under their ``id``."""
    return {record["id"]: record for record in records}


def state_faults(
    before: Mapping[int, Record],
    after: Mapping[int, Record],
    exchanges: Sequence[Exchange],
    *,
    sent: int,
    unconfirmed: Iterable[int] = (),
) -> tuple[str, ...]:
    """Return what is wrong in ``after`` as sentences; empty if nothing is.

    ``before`` is the earlier content of the database, ``exchanges`` the load's, of which the first ``sent``
    (over and over) were sent. Those numbered in ``unconfirmed`` got no successful response, so that their
    effects may or may not be there. Of several replacements of one record any may be the last.
    """
    expected = _Expected(before)
    doubtful = frozenset(unconfirmed)
    for number in range(sent) if any(exchange.effect for exchange in exchanges) else ():
        effect = exchanges[number % len(exchanges)].effect
        if effect is not None:
            expected.apply(effect, certain=number not in doubtful)
    faults = list(expected.faults(after))
    if len(faults) > SHOWN:
        faults[SHOWN:] = [f"and {len(faults) - SHOWN} more"]
    return tuple(faults)


class _Expected:
    """The contents allowed under each key, and the records that may have been added."""

    def __init__(self, before: Mapping[int, Record]) -> None:
        self._before = before
        # For each key that was written to: the allowed contents (None: nothing).
        self._allowed: dict[int, list[Record | None]] = {}
        # The keys that were certainly written to, so that the original content must be gone.
        self._certain: set[int] = set()
        # For each content that was added: how often it must occur at least, and may occur at most.
        self._inserted: dict[_Content, list[int]] = {}

    def apply(self, effect: Effect, *, certain: bool) -> None:
        if effect.kind is EffectKind.INSERT:
            least_most = self._inserted.setdefault(_content(effect.record), [0, 0])
            least_most[0] += certain
            least_most[1] += 1
            return
        assert effect.key is not None
        wanted = {"id": effect.key, **effect.record} if effect.kind is EffectKind.REPLACE else None
        self._allowed.setdefault(effect.key, []).append(wanted)
        if certain:
            self._certain.add(effect.key)

    def faults(self, after: Mapping[int, Record]) -> Iterator[str]:
        added, perhaps_added = Counter[_Content](), Counter[_Content]()
        for key, record in self._before.items():
            allowed = list(self._allowed.get(key, ()))
            if key not in self._certain:
                allowed.append(record)
            now = after.get(key)
            if None in allowed and now is not None and _content_of_row(now) in self._inserted:
                # A removed record's key may be given to a new one (SQLite does it with the largest).
                (perhaps_added if now in allowed else added)[_content_of_row(now)] += 1
            elif now not in allowed:
                wanted = " or ".join(map(_short, allowed[:2]))
                yield f"record {key} is {_short(now)}, expected {wanted}"
        added.update(_content_of_row(row) for key, row in after.items() if key not in self._before)
        for content, (least, most) in self._inserted.items():
            count = added.pop(content, 0)
            if count > most or count + perhaps_added[content] < least:
                yield f"{_short(dict(content))} is there {count} times, expected {_range(least, most)}"
        for content, count in added.items():
            yield f"{_short(dict(content))} is there {count} times, but was never sent"


def _content_of_row(row: Record) -> _Content:
    return _content({name: value for name, value in row.items() if name != "id"})


def _content(record: Record) -> _Content:
    return tuple(sorted(record.items()))


def _range(least: int, most: int) -> str:
    return f"{most}" if least == most else f"{least} to {most}"


def _short(record: Record | None) -> str:
    if record is None:
        return "absent"
    text = repr(dict(record))
    return text if len(text) <= 120 else f"{text[:117]}..."
