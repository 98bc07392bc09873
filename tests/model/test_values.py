"""The small arithmetic and words of values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Interval, Validity
from pytest_webbench.model.settings import Override

NOTHING: Override[int] = Override()

positive = st.floats(1e-9, 1e9)
intervals = (
    st.tuples(positive, positive, positive)
    .map(sorted)
    .map(lambda three: Interval(low=three[0], estimate=three[1], high=three[2]))
)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Amount(requests=1), "1 requests"),
        (Amount(requests=1000), "1000 requests"),
        (Amount(duration_s=10.0), "10 s"),
        (Amount(duration_s=0.25), "0.25 s"),
    ],
)
def test_an_amount_in_words(amount: Amount, text: str) -> None:
    assert str(amount) == text


@pytest.mark.parametrize("arguments", [{}, {"duration_s": 1.0, "requests": 5}])
def test_an_amount_is_one_or_the_other(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"^an amount is either a duration or a number of requests$"):
        Amount(**arguments)


def test_a_cell_is_written_as_its_item() -> None:
    assert str(Cell(scenario="hello", stack="flask-sqlite3")) == "hello[flask-sqlite3]"


@pytest.mark.parametrize(
    ("override", "hello", "echo"),
    [
        (NOTHING, None, None),
        (Override(everywhere=3), 3, 3),
        (Override(by_scenario={"hello": 4}), 4, None),
        (Override(everywhere=3, by_scenario={"hello": 4}), 4, 3),
    ],
)
def test_a_number_by_name_wins_over_one_for_all(
    override: Override[int], hello: int | None, echo: int | None
) -> None:
    assert (override.get("hello"), override.get("echo")) == (hello, echo)


@given(intervals, positive)
def test_the_inverse_of_an_interval_holds_the_inverses(interval: Interval, value: float) -> None:
    inverse = interval.inverse()
    assert inverse.low <= inverse.estimate <= inverse.high
    assert (
        (1 / value in inverse) == (value in interval)
        or math.isclose(value, interval.low)
        or math.isclose(value, interval.high)
    )


@given(intervals)
def test_the_inverse_of_the_inverse_is_the_interval(interval: Interval) -> None:
    again = interval.inverse().inverse()
    assert again.estimate == pytest.approx(interval.estimate)
    assert again.low == pytest.approx(interval.low)
    assert again.high == pytest.approx(interval.high)


def test_an_open_interval_has_an_inverse() -> None:
    open_ = Interval(estimate=0.5, low=0.0, high=math.inf)
    assert open_.inverse() == Interval(estimate=2.0, low=0.0, high=math.inf)
    assert open_.relative_half_width == math.inf
    assert 10**9 in open_


def test_the_half_width_is_relative_to_the_estimate() -> None:
    assert Interval(estimate=10, low=9, high=11).relative_half_width == pytest.approx(0.1)
    assert Interval(estimate=10, low=9, high=11).scaled(1000).relative_half_width == pytest.approx(0.1)


def test_a_warning_leaves_a_figure_valid_and_a_reason_does_not() -> None:
    assert Validity(warnings=("it wavers",)).valid
    assert not Validity(reasons=("it failed",)).valid
