"""Readings of meters, and how those of several turns or rounds are one."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.measurement import Combine, Readings

__all__ = ["READINGS", "added_readings", "combine", "combine_values"]

READINGS: dict[str, Combine] = {
    "cpu_s": Combine.SUM,
    "peak_rss_bytes": Combine.MAX,
    "replaced": Combine.ANY,
    "throttled_s": Combine.SUM,
    "oom_kills": Combine.SUM,
}
"""How the readings of each name are combined. One that is not named is summed."""


@dataclass(frozen=True, slots=True)
class _Way:
    of: Callable[[Sequence[float]], float]
    needs_all: bool = True


_WAYS: dict[Combine, _Way] = {
    Combine.SUM: _Way(lambda values: sum(values) if all(map(_is_whole, values)) else math.fsum(values)),
    Combine.MAX: _Way(max),
    Combine.ANY: _Way(lambda values: float(any(values)), needs_all=False),
    Combine.LAST: _Way(lambda values: values[-1]),
}


def _is_whole(value: float) -> bool:
    return isinstance(value, int)


def combine(parts: Sequence[Readings]) -> Readings:
    """The readings of all ``parts``, in their order, as those of one.

    What is not known of one part is not known of all, but for what is asked of any of them.
    """
    names = dict.fromkeys(name for part in parts for name in part)
    return Readings({name: combine_values(name, parts) for name in names})


def combine_values(name: str, parts: Sequence[Readings]) -> float | None:
    """The reading ``name`` of all ``parts``; ``None`` if it is not known."""
    way = _WAYS[READINGS.get(name, Combine.SUM)]
    known = [part[name] for part in parts if name in part]
    return way.of(known) if known and (len(known) == len(parts) or not way.needs_all) else None


@contextmanager
def added_readings(readings: Mapping[str, Combine]) -> Iterator[None]:
    """Have it be known how ``readings`` are combined until the context is left.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a name that is taken.
    """
    taken = [name for name in readings if name in READINGS]
    if taken:
        raise UsageError(
            f"two meters bring a reading {taken[0]!r}",
            hint="give the reading of your meter another name",
        )
    READINGS.update(readings)
    try:
        yield
    finally:
        for name in readings:
            del READINGS[name]
