"""Thresholds: their text, and which one holds."""

import pytest

from pytest_webbench.analysis.gate import describe_limit, parse_threshold, threshold_of
from pytest_webbench.analysis.metrics import METRICS
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Threshold

HELLO = Cell(scenario="hello", stack="flask-sqlite3")


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("p95: 10%", Threshold(metric="p95", limit=0.1)),
        ("  time:5 %  ", Threshold(metric="time", limit=0.05)),
        ("cpu of hello: 2.5%", Threshold(metric="cpu", limit=0.025, scenario="hello")),
        (
            "p99 of list_*[flask-*]: 20% and 2ms",
            Threshold(metric="p99", limit=0.2, floor=0.002, scenario="list_*", stack="flask-*"),
        ),
        ("mean of [django-drf]: 8%", Threshold(metric="mean", limit=0.08, stack="django-drf")),
        ("memory: 10% and 8m", Threshold(metric="memory", limit=0.1, floor=8 * 2**20)),
        ("errors: 3", Threshold(metric="errors", limit=3)),
    ],
)
def test_a_threshold_is_read(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95", "is not METRIC"),
        ("", "is not METRIC"),
        ("p95: -3%", "is not METRIC"),
        ("p95 of : 3%", "is not METRIC"),
        ("p96: 3%", "'p96' is not a metric (known: time, mean, p50"),
        ("p95: 0.1", "is a percentage, such as 10%"),
        ("errors: 1%", "is a number of requests, such as 0"),
        ("errors: 1 and 3m", "errors have no floor"),
        ("memory: 1% and 3ms", "write the floor of memory like 8m"),
        ("p95: 1% and 3", "write the floor of p95 like 2ms"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse_threshold(text)
    assert said in str(caught.value)


def test_the_last_that_fits_holds_and_the_defaults_come_first() -> None:
    given = [parse_threshold(text) for text in ("time: 8%", "time of hello: 20%", "time of echo: 1%")]
    assert threshold_of(given, METRICS["time"], HELLO) == given[1]
    assert threshold_of(given, METRICS["time"], Cell(scenario="get_item", stack="x")) == given[0]
    assert threshold_of([], METRICS["time"], HELLO) == Threshold(metric="time", limit=0.05)
    assert threshold_of([], METRICS["p99"], HELLO) is None


def test_a_limit_is_said_in_short() -> None:
    texts = ("p95: 10%", "memory: 5% and 8m", "p99: 2.5% and 2ms", "errors: 0")
    limits = [describe_limit(parse_threshold(text)) for text in texts]
    assert limits == ["+10 %", "+5 % and 8 MiB", "+2.5 % and 2 ms", "0 more"]
