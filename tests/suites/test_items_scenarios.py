"""What the seven scenarios ask for, the expected responses, and the state afterwards."""

import json
import random
from collections.abc import Sequence

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.responses import judge
from pytest_webbench.model.http import Effect, EffectKind, Exchange, Record, Refusal
from pytest_webbench.suites.items import SCENARIOS, SUITE
from pytest_webbench.suites.items.scenarios import examples

BY_NAME = {each.name: each for each in SCENARIOS}
RECORDS = SUITE.dataset.records(200)
KEYS = [record["id"] for record in RECORDS]


def traffic(
    name: str, count: int | None = 50, records: Sequence[Record] = RECORDS, seed: int = 0
) -> Sequence[Exchange]:
    return BY_NAME[name].traffic(records, count, random.Random(seed))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_right_answer_is_right_and_another_one_is_not(name: str) -> None:
    for exchange in traffic(name):
        answer = exchange.answer
        body = (
            b""
            if answer.json is None
            else json.dumps(_with_generated(answer.json, answer.generated)).encode()
        )
        assert judge(answer, answer.status, body) is None
        assert judge(answer, 500, body) is not None
        assert judge(answer, answer.status, b'{"other": 1}') is not None


def _with_generated(value: object, keys: Sequence[str]) -> object:
    return {**value, **dict.fromkeys(keys, 1)} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_scenarios_that_write_say_so(name: str) -> None:
    effects = {exchange.effect is not None for exchange in traffic(name)}
    assert effects == {BY_NAME[name].writes}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_request_is_in_the_contract(name: str) -> None:
    assert SUITE.contract is not None
    paths = yaml.safe_load(SUITE.contract.read_text())["paths"]
    for exchange in traffic(name):
        request = exchange.request
        path = request.path
        if path.startswith("/items/") and path != "/items/":
            (path,) = (each for each in paths if each.startswith("/items/{"))
        responses = paths[path][request.method.lower()]["responses"]
        assert str(exchange.answer.status) in responses


@given(st.integers(1, 400), st.integers(0, 5))
def test_deletions_are_of_records_that_are_there_each_once(count: int, seed: int) -> None:
    exchanges = traffic("delete_item", count, seed=seed)
    assert len(exchanges) == min(count, len(RECORDS))
    keys = [exchange.effect.key for exchange in exchanges if exchange.effect]
    assert len(set(keys)) == len(keys) == len(exchanges)
    assert set(keys) <= set(KEYS)
    for exchange in exchanges:
        assert exchange.effect is not None
        assert exchange.effect.kind is EffectKind.REMOVE
        assert exchange.request.path == f"/items/{exchange.effect.key}"
        assert exchange.request.method == "DELETE"
    assert BY_NAME["delete_item"].repeat is False


def test_new_records_come_without_an_id_and_are_all_different() -> None:
    exchanges = traffic("create_item", 1000)
    assert len(exchanges) == 1000
    for exchange in exchanges:
        assert exchange.request.body is not None
        sent = json.loads(exchange.request.body)
        assert set(sent) == {"name", "description", "price", "quantity"}
        assert exchange.answer.generated == ("id",)
        assert exchange.answer.json == sent
        assert exchange.effect is not None
        assert exchange.effect == Effect(kind=EffectKind.INSERT, record=sent)
    assert len({exchange.request.body for exchange in exchanges}) == 1000


def test_updates_carry_the_new_values() -> None:
    exchanges = traffic("update_item", 1000)
    for exchange in exchanges:
        assert exchange.request.body is not None
        assert exchange.effect is not None
        assert exchange.effect.kind is EffectKind.REPLACE
        assert exchange.effect.record == json.loads(exchange.request.body)
        assert exchange.answer.json == {"id": exchange.effect.key, **exchange.effect.record}
        assert exchange.request.path == f"/items/{exchange.effect.key}"


def test_no_record_is_updated_again_before_all_others_were() -> None:
    """Two users that update one record at once may each be sent what the other wrote: a fault of neither."""
    keys = [
        exchange.effect.key
        for exchange in traffic("update_item", 1000)
        if exchange.effect and exchange.effect.key
    ]
    turns = [keys[start : start + len(KEYS)] for start in range(0, 1000, len(KEYS))]
    assert all(sorted(turn) == sorted(KEYS) for turn in turns)
    assert turns[0] == turns[1]
    assert turns[0] != sorted(KEYS)


def test_one_record_is_read_at_a_time_at_random() -> None:
    exchanges = traffic("get_item", 1000)
    by_path = {f"/items/{record['id']}": dict(record) for record in RECORDS}
    assert all(by_path[exchange.request.path] == exchange.answer.json for exchange in exchanges)
    assert len({exchange.request.path for exchange in exchanges}) > 150


def test_all_records_are_listed() -> None:
    (exchange,) = traffic("list_items")
    assert exchange.answer.json == [dict(record) for record in RECORDS]


def test_echoes_differ_so_that_no_answer_can_be_kept() -> None:
    exchanges = traffic("echo")
    bodies = [exchange.request.body for exchange in exchanges]
    assert len(set(bodies)) == 100
    for exchange in exchanges:
        assert exchange.request.body is not None
        assert json.loads(exchange.request.body) == exchange.answer.json


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_chance_comes_from_the_source_given(name: str) -> None:
    assert traffic(name, seed=4) == traffic(name, seed=4)


@pytest.mark.parametrize("name", ["get_item", "create_item", "update_item", "delete_item"])
@pytest.mark.parametrize("count", [1, 7, 200])
def test_as_many_exchanges_as_requests(name: str, count: int) -> None:
    assert len(traffic(name, count)) == count


@pytest.mark.parametrize("name", ["get_item", "create_item", "update_item", "delete_item"])
def test_a_duration_has_exchanges_enough_to_differ(name: str) -> None:
    assert len(traffic(name, None)) >= 200


@pytest.mark.parametrize("name", ["get_item", "update_item", "delete_item"])
def test_without_records_there_is_nothing_to_ask_for(name: str) -> None:
    assert traffic(name, 5, records=[]) == []


# --- the examples of the check ----------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 200])
def test_examples_do_not_write(count: int) -> None:
    for example in examples(RECORDS[:count]):
        if isinstance(example, Exchange):
            assert example.effect is None
        else:
            assert all(400 <= status < 500 for status in example.statuses)


def test_what_must_be_refused_is_no_right_request() -> None:
    refused = [example.request for example in examples(RECORDS) if isinstance(example, Refusal)]
    unknown = [request for request in refused if request.path not in {"/items/", "/echo"}]
    assert {request.method for request in unknown} == {"GET", "PUT", "DELETE"}
    assert all(int(request.path.removeprefix("/items/")) not in KEYS for request in unknown)
    bodies = [request.body or "" for request in refused if request.method == "POST"]
    for body in bodies:
        try:
            sent = json.loads(body)
        except ValueError:
            continue
        if isinstance(sent, dict):
            assert not isinstance(sent.get("price"), float) or sent["quantity"] < 0
    assert len(bodies) == 6
