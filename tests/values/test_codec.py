"""Values turn into JSON and back."""

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from pytest_webbench.values.codec import from_json, to_json
from pytest_webbench.values.exchange import Answer, BodyRule, Effect, EffectKind, Exchange, Request
from pytest_webbench.values.load import Amount, Load, LoadResult

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def there_and_back(value: Any) -> Any:
    return from_json(type(value), json.loads(json.dumps(to_json(value))))


@given(json_value=JSON, body=st.none() | st.text())
def test_a_load_comes_back(json_value: Any, body: str | None) -> None:
    exchange = Exchange(
        request=Request(method="POST", path="/a", body=body, headers=(("A", "b"), ("A", "c"))),
        answer=Answer(status=201, rule=BodyRule.JSON, json=json_value, generated=("id",)),
        effect=Effect(kind=EffectKind.REPLACE, key=3, record={"name": json_value}),
    )
    load = Load(users=2, amount=Amount(duration_s=1.5), exchanges=(exchange, exchange), repeat=False)
    assert there_and_back(load) == load


@given(latencies=st.lists(st.integers(min_value=0, max_value=2**64 - 1)), requests=st.integers(min_value=0))
def test_a_result_comes_back(latencies: list[int], requests: int) -> None:
    result = LoadResult(
        users=1,
        elapsed_s=0.1,
        sent=requests,
        ok=len(latencies),
        errors={"reset": 1, "wrong_body": 2},
        in_flight=0,
        latency_ns=array("Q", latencies),
        ttfb_ns=array("Q", reversed(latencies)),
        unconfirmed=(1, 2, 3),
        examples=("GET /: no",),
    )
    back = there_and_back(result)
    assert back == result
    assert back.latency_ns.typecode == "Q"


def test_a_path_comes_back() -> None:
    assert from_json(Path, to_json(Path("/a/b"))) == Path("/a/b")


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValidationError, match=r"\$\.users"):
        from_json(Load, {"users": "two", "amount": {"requests": 1}, "exchanges": []})


def test_an_amount_is_one_of_two() -> None:
    for both in ({}, {"requests": 1, "duration_s": 1.0}):
        with pytest.raises(ValidationError, match="either a duration or a number of requests"):
            from_json(Amount, both)
