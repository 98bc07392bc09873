"""Figures as people read them, the same in every rendering."""

import math

from pytest_webbench.model.results import Interval
from pytest_webbench.model.suite import Unit

__all__ = [
    "counted",
    "shown_bytes",
    "shown_interval",
    "shown_milliseconds",
    "shown_number",
    "shown_ratio",
    "shown_significant",
]


def counted(count: int, noun: str) -> str:
    """``1 round``, ``5 rounds``."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def shown_number(value: float, unit: Unit) -> str:
    """A figure in the unit of its scenario; ``-`` for none."""
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if unit is Unit.RATE and value >= 100 else f"{value:,.2f}"


def shown_interval(interval: Interval, unit: Unit) -> str:
    """Both bounds, in the unit of the scenario."""
    if math.isnan(interval.low):
        return "-"
    if math.isinf(interval.high):
        return "one round"
    return f"{shown_number(interval.low, unit)} - {shown_number(interval.high, unit)}"


def shown_ratio(ratio: Interval | None) -> str:
    """How many times as long as the fastest, with its interval; ``None`` is that of an invalid cell."""
    if ratio is None:
        return "invalid"
    if ratio.estimate == 1 and ratio.low == ratio.high:
        return "1"
    if math.isinf(ratio.high):
        return f"{ratio.estimate:.2f}"
    return f"{ratio.estimate:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"


def shown_milliseconds(seconds: float | None, digits: int = 2) -> str:
    """Seconds as milliseconds; ``-`` for none."""
    return "-" if seconds is None or math.isnan(seconds) else f"{seconds * 1000:,.{digits}f}"


def shown_bytes(count: float | None) -> str:
    """Bytes as mebibytes; ``-`` for none."""
    return "-" if count is None else f"{count / (1 << 20):,.0f}"


def shown_significant(value: float | None) -> str:
    """A number with three digits that count; ``-`` for none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
