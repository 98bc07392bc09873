"""The summary of one load, against counting by hand."""

from array import array
from fractions import Fraction
from typing import Any

import pytest

from pytest_webbench.analysis.summary import Times, summarise_load
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Amount, Latencies, Load, LoadResult, Schedule
from tests.builders import make_result

CLOSED = Load(
    users=4, amount=Amount(requests=1000), exchanges=(Exchange(request=Request(), answer=Answer()),)
)
OPEN = Load(users=4, amount=CLOSED.amount, exchanges=CLOSED.exchanges, schedule=Schedule(rate=100))
MS = 1_000_000


def with_latencies(*latency_ns: int, **changes: Any) -> LoadResult:
    count = len(latency_ns)
    return make_result(
        requests=count,
        latency_ns=Latencies(array("Q", latency_ns)),
        ttfb_ns=Latencies(array("Q", latency_ns)),
        **changes,
    )


def test_percentiles_and_mean_of_a_thousand_requests() -> None:
    result = with_latencies(*(number * MS for number in range(1000, 0, -1)), elapsed_s=10.0)
    summary = summarise_load(CLOSED, result, generators=1)
    assert summary.model == "closed loop"
    assert summary.latency == Times(mean_s=0.5005, p50_s=0.5, p90_s=0.9, p99_s=0.99, p999_s=0.999, max_s=1.0)
    assert summary.service is None
    assert summary.requests_per_s == 100
    assert summary.all_ok


def test_a_mean_loses_nothing_to_rounding() -> None:
    values = [2**62, *[1] * 999, 2**62]
    summary = summarise_load(CLOSED, with_latencies(*values), generators=1)
    assert summary.latency is not None
    assert summary.latency.mean_s == float(Fraction(sum(values), len(values))) / 1e9


def test_an_open_loop_has_service_times_of_its_own() -> None:
    result = with_latencies(3 * MS, 5 * MS, service_ns=Latencies(array("I", [MS, 2 * MS])), scheduled=2)
    summary = summarise_load(OPEN, result, generators=1)
    assert summary.model == "open loop"
    assert summary.service is not None
    assert (summary.service.mean_s, summary.service.max_s) == (0.0015, 0.002)


def test_without_an_expected_response_there_are_no_times_and_no_warnings() -> None:
    result = with_latencies(errors={"reset": 3}, sent=3, elapsed_s=0.0)
    summary = summarise_load(CLOSED, result, generators=1)
    assert (summary.latency, summary.service, summary.requests_per_s, summary.warnings) == (
        None,
        None,
        None,
        (),
    )
    assert not summary.all_ok


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"generator_busy": 0.95}, "more than 90 % of a core"),
        ({"elapsed_s": 0.5}, "Little's law"),
    ],
)
def test_a_generator_that_was_the_limit_is_told(changes: dict[str, Any], words: str) -> None:
    (warning,) = summarise_load(CLOSED, make_result(**changes), generators=1).warnings
    assert words in warning


def test_one_failure_is_enough() -> None:
    assert not summarise_load(CLOSED, make_result(errors={"reset": 1}, sent=101), generators=1).all_ok
