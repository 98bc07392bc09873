"""Thresholds: from their text, and the one that holds for a cell."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from pytest_webbench.values.plan import Cell
from pytest_webbench.values.verdict import Metric, Threshold

__all__ = ["DEFAULTS", "describe_limit", "parse_threshold", "threshold_of"]

DEFAULTS = (
    Threshold(metric=Metric.TIME, limit=0.05),
    Threshold(metric=Metric.CPU, limit=0.03),
    Threshold(metric=Metric.ERRORS, limit=0.0),
)
"""CPU time is steadier than time, so that less of it can be asked for."""

_TEXT = re.compile(
    r"(?P<metric>[a-z0-9]+)"
    r"(?: +of +(?=[^: ])(?P<scenario>[^\[\]:]*[^\[\]: ])?(?:\[(?P<stack>[^\[\]]+)\])?)?"
    r" *: *(?P<limit>\d+(?:\.\d+)?) *(?P<percent>%?)"
    r"(?: +and +(?P<floor>\d+(?:\.\d+)?) *(?P<unit>[a-z]*))?"
)
_TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
_SIZE_UNITS = {"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3}


def parse_threshold(text: str) -> Threshold:
    """The threshold that ``text`` says, such as ``p95 of hello[flask-*]: 10% and 2ms``.

    Raises :class:`ValueError` that says what is wrong with it.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not METRIC[ of SCENARIO[STACK]]: LIMIT, such as 'p95: 10%'")
    if found["metric"] not in set(Metric):
        raise ValueError(f"{text!r}: {found['metric']!r} is no metric (known: {', '.join(Metric)})")
    metric = Metric(found["metric"])
    number, relative = float(found["limit"]), bool(found["percent"])
    if relative == (metric is Metric.ERRORS):
        how = "a number of requests, such as 0" if metric is Metric.ERRORS else "a percentage, such as 10%"
        raise ValueError(f"{text!r}: the limit of {metric} is {how}")
    if metric is Metric.ERRORS and found["floor"]:
        raise ValueError(f"{text!r}: errors have no floor")
    return Threshold(
        metric=metric,
        limit=number / 100 if relative else number,
        floor=_floor(text, metric, found["floor"], found["unit"]),
        scenario=found["scenario"] or "*",
        stack=found["stack"] or "*",
    )


def _floor(text: str, metric: Metric, number: str | None, unit: str | None) -> float:
    if number is None:
        return 0.0
    units, example = (_SIZE_UNITS, "8m") if metric is Metric.MEMORY else (_TIME_UNITS, "2ms")
    if unit not in units:
        raise ValueError(f"{text!r}: the floor of {metric} is such as {example}")
    return float(number) * units[unit]


def threshold_of(thresholds: Sequence[Threshold], metric: Metric, cell: Cell) -> Threshold | None:
    """The last of ``thresholds`` that speaks of ``metric`` in ``cell``, else the default, if there is one."""
    for each in reversed((*DEFAULTS, *thresholds)):
        fits = fnmatchcase(cell.scenario, each.scenario) and fnmatchcase(cell.stack, each.stack)
        if each.metric is metric and fits:
            return each
    return None


def describe_limit(threshold: Threshold) -> str:
    """The limit in short: ``+10 %``, ``0 more``."""
    if threshold.metric is Metric.ERRORS:
        return f"{threshold.limit:g} more"
    floor = ""
    if threshold.floor:
        size = threshold.metric is Metric.MEMORY
        floor = f" and {threshold.floor / 1024**2:g} MiB" if size else f" and {threshold.floor * 1000:g} ms"
    return f"+{threshold.limit * 100:g} %{floor}"
