"""Which trial comes when, and what load a trial makes."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.http import Answer, Exchange, Record, Request
from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import COUNTS, PROFILES, Cell, Plan, Profile, TrialOrder
from pytest_webbench.model.settings import Override, Settings
from pytest_webbench.model.suite import Scenario
from pytest_webbench.runs.planning import (
    expected_seconds,
    make_load,
    make_paired_plan,
    make_plan,
    resolve,
    warmup_amount,
)
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

ALL_CELLS = tuple(Cell(scenario=each.name, stack=stack.name) for each in SCENARIOS for stack in STACKS)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
RECORDS = SUITE.dataset.records(1500)


def profile(rounds: int, order: TrialOrder) -> Profile:
    return Profile(name="test", title="", rounds=rounds, order=order)


def visits(plan: Plan) -> list[tuple[Cell, int]]:
    return [(trial.cell, trial.round) for block in plan.blocks for trial in block.trials]


cells = st.lists(st.sampled_from(ALL_CELLS), max_size=len(ALL_CELLS))
plans = st.builds(
    lambda chosen, rounds, order, seed: make_plan(chosen, profile=profile(rounds, order), seed=seed),
    cells,
    st.integers(1, 6),
    st.sampled_from(TrialOrder),
    st.integers(0, 2**63),
)


@given(cells, st.integers(1, 6), st.sampled_from(TrialOrder), st.integers(0, 2**63))
def test_every_cell_is_visited_once_in_every_round(
    chosen: list[Cell], rounds: int, order: TrialOrder, seed: int
) -> None:
    plan = make_plan(chosen, profile=profile(rounds, order), seed=seed)
    expected = [(cell, number) for cell in set(chosen) for number in range(rounds)]
    assert sorted(visits(plan)) == sorted(expected)
    assert (plan.order, plan.seed) == (order, seed)


@given(plans)
def test_every_round_of_a_cell_comes_from_a_launch_of_its_own(plan: Plan) -> None:
    for number, block in enumerate(plan.blocks):
        assert block.number == number
        assert len(set(block.stacks)) == len(block.stacks)
        cells_of_block = [trial.cell for trial in block.trials]
        assert len(set(cells_of_block)) == len(cells_of_block)
        assert {cell.stack for cell in cells_of_block} == set(block.stacks)


@given(st.integers(0, 2**63))
def test_a_seed_gives_the_same_plan_again(seed: int) -> None:
    first, again = (make_plan(ALL_CELLS, profile=PROFILES["quick"], seed=seed) for _ in range(2))
    assert first == again


def test_interleaved_blocks_launch_every_stack_and_visit_in_ever_new_orders() -> None:
    plans = [make_plan(ALL_CELLS, profile=PROFILES["quick"], seed=seed) for seed in range(20)]
    orders = [tuple(trial.cell for trial in block.trials) for plan in plans for block in plan.blocks]
    assert len(set(orders)) == len(orders) == 100
    assert all(sorted(order) == sorted(ALL_CELLS) for order in orders)
    launches = {block.stacks for plan in plans for block in plan.blocks}
    assert len(launches) > 50  # of 120 orders of five stacks, drawn a hundred times


def test_no_stack_has_a_privileged_place_in_interleaved_blocks() -> None:
    plan = make_plan(ALL_CELLS, profile=profile(400, TrialOrder.INTERLEAVED), seed=1)
    first = [block.trials[0].cell.stack for block in plan.blocks]
    for stack in STACKS:
        assert first.count(stack.name) == pytest.approx(80, abs=32)  # four standard deviations


def test_the_sequential_order_is_the_papers() -> None:
    plan = make_plan(ALL_CELLS, profile=PROFILES["paper"], seed=3)
    expected = [
        ((stack.name,), tuple((scenario.name, repeat) for scenario in SCENARIOS))
        for stack in STACKS
        for repeat in range(5)
    ]
    found = [
        (block.stacks, tuple((trial.cell.scenario, trial.round) for trial in block.trials))
        for block in plan.blocks
    ]
    assert found == expected


def test_no_cells_make_a_plan_without_launches() -> None:
    plan = make_plan([], profile=PROFILES["quick"], seed=0)
    assert [block.stacks for block in plan.blocks] == [()] * 5
    assert expected_seconds(plan, BY_NAME, PROFILES["quick"]) == 0


# --- cells that are compared ------------------------------------------------------------------------


def test_a_cell_and_its_base_are_a_group_and_nothing_has_a_privileged_place() -> None:
    pairs = [[Cell(scenario=name, stack="head"), Cell(scenario=name, stack="base")] for name in "xyz"]
    plan = make_paired_plan(pairs, rounds=range(200), seed=5)
    assert [block.number for block in plan.blocks] == list(range(200))
    for block in plan.blocks:
        found = [sorted(trial.cell for trial in group) for group in block.groups]
        assert sorted(found) == sorted(sorted(pair) for pair in pairs)
        assert sorted(block.stacks) == ["base", "head"]
        assert {trial.round for trial in block.trials} == {block.number}
    heads_first = sum(block.groups[0][0].cell.stack == "head" for block in plan.blocks)
    assert heads_first == pytest.approx(100, abs=29)  # four standard deviations


def test_cells_with_one_base_take_turns_with_it_together() -> None:
    base = Cell(scenario="x", stack="base")
    heads = [Cell(scenario="x", stack=name) for name in ("one", "two")]
    alone = Cell(scenario="x", stack="new")
    (block,) = make_paired_plan([*([head, base] for head in heads), [alone]], rounds=range(1), seed=5).blocks
    groups = sorted(sorted(trial.cell for trial in group) for group in block.groups)
    assert groups == [sorted([base, *heads]), [alone]]


# --- what the options make of a scenario -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "profile_name", "expected"),
    [
        ("hello", "quick", "0.4 s"),
        ("hello", "smoke", "0.1 s"),
        ("hello", "paper", "10 s"),
        ("echo", "paper", "15 s"),
        ("get_item", "quick", "250 requests"),
        ("get_item", "smoke", "20 requests"),
        ("list_items", "quick", "30 requests"),
        ("list_items", "smoke", "10 requests"),  # 2 % would be 2
        ("delete_item", "paper", "100 requests"),
    ],
)
def test_the_profile_gives_the_amount(name: str, profile_name: str, expected: str) -> None:
    scenario = resolve(BY_NAME[name], Settings(profile=PROFILES[profile_name]))
    assert str(scenario.amount) == expected
    assert scenario.users == BY_NAME[name].users


def test_a_share_of_requests_never_exceeds_what_the_scenario_says() -> None:
    scenario = replace(BY_NAME["get_item"], amount=Amount(requests=7))
    assert resolve(scenario, Settings(profile=PROFILES["quick"])).amount == Amount(requests=7)


@pytest.mark.parametrize(
    ("changes", "hello", "get_item"),
    [
        ({"durations_s": Override(everywhere=2.0)}, "2 s", "250 requests"),
        ({"requests": Override(everywhere=9)}, "0.4 s", "9 requests"),
        ({"durations_s": Override(by_scenario={"get_item": 3.0})}, "0.4 s", "3 s"),
        ({"requests": Override(by_scenario={"hello": 11})}, "11 requests", "250 requests"),
        (
            {"durations_s": Override(everywhere=2.0), "requests": Override(by_scenario={"hello": 11})},
            "11 requests",
            "250 requests",
        ),
        (
            {"durations_s": Override(by_scenario={"get_item": 3.0}), "requests": Override(everywhere=9)},
            "0.4 s",
            "3 s",
        ),
        ({"durations_s": Override(everywhere=2.0, by_scenario={"hello": 5.0})}, "5 s", "250 requests"),
        ({"requests": Override(everywhere=9, by_scenario={"get_item": 8})}, "0.4 s", "8 requests"),
    ],
)
def test_an_override_for_all_keeps_the_kind_of_amount_and_one_by_name_may_change_it(
    changes: dict[str, Any], hello: str, get_item: str
) -> None:
    settings = Settings(**changes)
    assert str(resolve(BY_NAME["hello"], settings).amount) == hello
    assert str(resolve(BY_NAME["get_item"], settings).amount) == get_item


def test_users_are_overridden_for_all_and_by_name() -> None:
    settings = Settings(users=Override(everywhere=3, by_scenario={"echo": 8}))
    assert {name: resolve(each, settings).users for name, each in BY_NAME.items()} == {
        **dict.fromkeys(BY_NAME, 3),
        "echo": 8,
    }


# --- the load of a round ---------------------------------------------------------------------------


def load_of(name: str, *, seed: int = 1, round_: int = 0) -> Any:
    scenario = resolve(BY_NAME[name], Settings())
    return make_load(scenario, RECORDS, seed=seed, round_=round_, timeout_s=30.0)


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_stack_gets_the_same_requests_in_a_round(name: str) -> None:
    assert load_of(name) == load_of(name)


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"hello", "list_items"}))
def test_other_requests_in_another_round_and_with_another_seed(name: str) -> None:
    loads = [load_of(name), load_of(name, round_=1), load_of(name, round_=-1), load_of(name, seed=2)]
    assert len({load.exchanges[:20] and str(load.exchanges) for load in loads}) == len(loads)


def test_a_load_has_the_numbers_of_its_scenario() -> None:
    load = load_of("delete_item")
    assert (load.users, load.amount, load.repeat, load.timeout_s) == (1, Amount(requests=30), False, 30.0)


def test_too_few_records_name_both_ways_out() -> None:
    with pytest.raises(UsageError) as caught:
        make_load(BY_NAME["delete_item"], RECORDS[:40], seed=0, round_=0, timeout_s=1.0)
    assert str(caught.value) == (
        "delete_item cannot make 100 requests out of 40 records: "
        "it has 40 different ones and sends each once\n"
        "Next step: raise --webbench-records, or lower --webbench-requests=delete_item=40"
    )


@pytest.mark.parametrize("name", ["get_item", "update_item", "delete_item"])
def test_no_records_at_all_are_too_few(name: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} cannot make .* out of 0 records: "):
        make_load(BY_NAME[name], [], seed=0, round_=0, timeout_s=1.0)


def test_a_scenario_that_repeats_needs_no_more_records_than_one() -> None:
    load = make_load(BY_NAME["update_item"], RECORDS[:1], seed=0, round_=0, timeout_s=1.0)
    assert {exchange.request.path for exchange in load.exchanges} == {"/items/1"}
    assert len(load.exchanges) == 1000


def endless(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:
    return [Exchange(request=Request(path="/"), answer=Answer())]


@given(
    users=st.integers(1, 200),
    requests=st.integers(1, 5000),
    share=st.floats(0, 1),
)
def test_a_warm_up_reaches_every_user_and_is_no_more_than_the_load(
    users: int, requests: int, share: float
) -> None:
    scenario = Scenario(name="x", users=users, amount=Amount(requests=requests), traffic=endless)
    load = make_load(scenario, [], seed=0, round_=0, timeout_s=1.0)
    warmup = warmup_amount(load, share)
    assert warmup.requests is not None
    assert min(users, requests) <= warmup.requests <= requests
    assert warmup.requests >= requests * share - 1e-9


def test_a_warm_up_of_a_duration_is_a_share_of_it() -> None:
    assert warmup_amount(load_of("hello"), 0.25) == Amount(duration_s=0.1)


# --- the time expected -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile_name", "low_s", "high_s"),
    [("quick", 60, 240), ("smoke", 5, 60), ("paper", 25 * (20 + 10 + 15 + 5 + 7 * 3), 3600)],
)
def test_the_time_expected_is_what_the_profiles_promise(
    profile_name: str, low_s: float, high_s: float
) -> None:
    settings = Settings(profile=PROFILES[profile_name])
    resolved = {name: resolve(scenario, settings) for name, scenario in BY_NAME.items()}
    plan = make_plan(ALL_CELLS, profile=settings.profile, seed=0)
    assert low_s < expected_seconds(plan, resolved, settings.profile) < high_s


def test_counted_trials_have_a_fixed_number_of_requests_and_fewer_of_slow_ones() -> None:
    counted = {name: resolve(each, Settings(profile=COUNTS)) for name, each in BY_NAME.items()}
    requests = {name: each.amount.requests for name, each in counted.items()}
    assert requests["hello"] == requests["get_item"] == COUNTS.requests
    assert 5 <= (requests["list_items"] or 0) < 10
    assert {(each.users, each.rate, each.amount.duration_s) for each in counted.values()} == {(1, None, None)}


def test_the_time_expected_of_counts_is_shared_by_the_lanes() -> None:
    plan = make_plan(ALL_CELLS, profile=COUNTS, seed=0)
    alone, two, many = (
        expected_seconds(plan, BY_NAME, COUNTS, lanes=lanes) for lanes in (1, 2, len(STACKS) + 1)
    )
    assert (two, many) == (alone / 2, alone / len(STACKS))


def test_the_time_expected_grows_with_the_rounds() -> None:
    times = [
        expected_seconds(make_plan(ALL_CELLS, profile=chosen, seed=0), BY_NAME, chosen)
        for rounds in (1, 2, 4)
        for chosen in [profile(rounds, TrialOrder.INTERLEAVED)]
    ]
    assert times[1] == pytest.approx(2 * times[0])
    assert times[2] == pytest.approx(4 * times[0])
