"""When requests are sent: a rate that every stack can serve, and rounds in slices."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.metrics import combine
from pytest_webbench.load.schedule import amount_of_turn, common_rate, saturating, turns_of
from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import ServerUsage
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


BY_NAME = {each.name: each for each in SCENARIOS}


@pytest.mark.parametrize(
    ("name", "users", "amount", "turns"),
    [
        ("hello", 4, Amount(duration_s=1.0), 25),
        ("hello", 100, Amount(duration_s=0.4), 1),
        ("hello", 50, Amount(duration_s=2.24), 10),
        ("hello", 4, Amount(duration_s=3600.0), 60),
        ("hello", 4, Amount(duration_s=0.01), 1),
        ("get_item", 10, Amount(requests=1000), 10),
        ("get_item", 10, Amount(requests=99), 1),
        ("update_item", 10, Amount(requests=1000), 1),  # the database is filled once
    ],
)
def test_turns_are_short_but_not_beside_what_their_ends_cost(
    name: str, users: int, amount: Amount, turns: int
) -> None:
    assert turns_of(replace(BY_NAME[name], users=users, amount=amount)) == turns


def test_an_open_loop_has_one_turn() -> None:
    assert turns_of(replace(BY_NAME["hello"], users=4, amount=Amount(duration_s=5.0), rate=100.0)) == 1


@given(st.integers(1, 10_000), st.integers(1, 40))
def test_the_turns_are_the_whole_amount(requests: int, turns: int) -> None:
    parts = [amount_of_turn(Amount(requests=requests), turn=turn, turns=turns) for turn in range(turns)]
    counts = [part.requests or 0 for part in parts]
    assert sum(counts) == requests
    assert max(counts) - min(counts) <= 1


def test_a_duration_is_cut_into_equal_parts() -> None:
    assert amount_of_turn(Amount(duration_s=1.0), turn=3, turns=8) == Amount(duration_s=0.125)


def test_what_the_server_used_adds_up() -> None:
    one = ServerUsage(cpu_s=0.5, peak_rss_bytes=7, throttled_s=0.25, oom_kills=1)
    other = ServerUsage(cpu_s=0.25, peak_rss_bytes=9, replaced=True, throttled_s=0.5, oom_kills=0)
    assert combine([one, other]) == ServerUsage(
        cpu_s=0.75, peak_rss_bytes=9, replaced=True, throttled_s=0.75, oom_kills=1
    )


def test_what_is_not_known_of_one_turn_is_not_known_of_all() -> None:
    assert combine([ServerUsage(cpu_s=0.5, peak_rss_bytes=7), ServerUsage()]) == ServerUsage()
