"""Names, numbers and durations as people read them, the same in every format."""

import math
import re
from collections.abc import Iterable

from pytest_webbench.model.errors import printable
from pytest_webbench.model.results import Interval
from pytest_webbench.model.suite import Unit

__all__ = [
    "clean",
    "counted",
    "duration",
    "largest",
    "shown_interval",
    "shown_milliseconds",
    "shown_number",
    "shown_ratio",
    "shown_significant",
]

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
SECRET = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""A name and a password in a URL."""


def clean(text: str) -> str:
    """Return ``text`` without colour codes and passwords, with all other control characters made visible.

    Content holds texts as they are; each renderer passes everything it shows through here.
    """
    return printable(ANSI.sub("", SECRET.sub("SECRET", text)))


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 round``, ``5 rounds``."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def duration(seconds: float) -> str:
    """Return seconds as people write them: ``45 s``, ``2 min 40 s``, ``1 h 5 min``."""
    whole = max(1, round(seconds))
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def shown_number(value: float, unit: Unit) -> str:
    """Return a value in the unit of its scenario; ``-`` for none."""
    if math.isnan(value):
        return "-"
    if unit is Unit.INSTRUCTIONS:
        return f"{value:,.1f}"
    return f"{value:,.0f}" if unit is Unit.RATE and value >= 100 else f"{value:,.2f}"


def shown_interval(interval: Interval, unit: Unit) -> str:
    """Return both bounds, in the unit of the scenario."""
    if math.isnan(interval.low):
        return "-"
    if math.isinf(interval.high):
        return "one round"
    return f"{shown_number(interval.low, unit)} - {shown_number(interval.high, unit)}"


def shown_ratio(ratio: Interval | None) -> str:
    """Return how many times as long as the fastest, with its interval; ``None`` is for an invalid cell."""
    if ratio is None:
        return "invalid"
    if ratio.estimate == 1 and ratio.low == ratio.high:
        return "1"
    if math.isinf(ratio.high):
        return f"{ratio.estimate:.2f}"
    return f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def shown_milliseconds(seconds: float | None) -> str:
    """Return seconds as milliseconds; ``-`` for none."""
    return "-" if seconds is None or math.isnan(seconds) else f"{seconds * 1000:,.2f}"


def largest(values: Iterable[float | None]) -> float | None:
    """Return the largest of the known values; ``None`` if none is known."""
    return max((each for each in values if each is not None), default=None)


def shown_significant(value: float | None) -> str:
    """Return a number with three significant digits, at most four of them decimals; ``-`` for none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{round(value, 4):.3g}"
