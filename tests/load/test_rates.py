"""A rate that every stack can serve."""

import pytest

from pytest_webbench.load.schedule import common_rate, saturating
from pytest_webbench.model.settings import Override, Settings
from pytest_webbench.runs.planning import at_rate
from pytest_webbench.suites.items import SCENARIOS

GET_ITEM = next(each for each in SCENARIOS if each.name == "get_item")


@pytest.mark.parametrize(
    ("saturation", "share", "rate"),
    [
        ({"a": 1000.0, "b": 487.0}, 0.5, 240),
        ({"a": 20.0}, 0.5, 10),
        ({"a": 3.3}, 0.9, 2.9),
        ({"a": 0.05}, 0.5, 0.025),
        ({"a": 98765.0, "b": 98764.0}, 0.8, 79000),
    ],
)
def test_a_share_of_what_the_slowest_serves_in_two_digits(
    saturation: dict[str, float], share: float, rate: float
) -> None:
    assert common_rate(saturation, share) == pytest.approx(rate)


def test_to_saturate_is_to_close_the_loop_with_users_enough() -> None:
    load = saturating(at_rate(GET_ITEM, 100, Settings()))
    assert load.rate is None
    assert load.users >= 16
    assert load.amount.duration_s


@pytest.mark.parametrize(("rate", "connections"), [(1, 1), (10, 5), (150, 75), (5000, 100)])
def test_connections_of_an_open_loop_are_many_and_not_idle_for_long(rate: float, connections: int) -> None:
    assert at_rate(GET_ITEM, rate, Settings()).users == max(connections, GET_ITEM.users)


def test_users_that_were_given_stay() -> None:
    settings = Settings(users=Override(by_scenario={"get_item": 7}))
    assert at_rate(GET_ITEM, 1000, settings).users == 7
