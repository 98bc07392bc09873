"""Values turn into JSON and back."""

import base64
import json
import struct
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from pytest_webbench.analysis.statistics import Buckets
from pytest_webbench.model.codec import decode, encode, from_json, from_saved, to_json
from pytest_webbench.model.http import Answer, BodyRule, Effect, EffectKind, Exchange, Request
from pytest_webbench.model.load import Amount, Latencies, Load, LoadResult
from pytest_webbench.model.measurement import Readings, ServerUsage
from pytest_webbench.model.results import Interval

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
        latency_ns=Latencies(array("Q", latencies)),
        ttfb_ns=Latencies(array("Q", reversed(latencies))),
        unconfirmed=(1, 2, 3),
        examples=("GET /: no",),
    )
    back = there_and_back(result)
    assert back == result
    assert back.latency_ns.samples.typecode == "Q"


def test_the_histogram_of_very_many_requests_comes_back() -> None:
    buckets = Buckets()
    buckets.add(array("I", [1, 5000, 5001, 2**32 - 1]))
    times = buckets.times()
    assert isinstance(to_json(times), dict)
    assert there_and_back(times) == times


def test_samples_are_written_as_they_always_were() -> None:
    """Files of older versions are read, and theirs read ours, unless there are histograms in them."""
    written = base64.b64encode(zlib.compress(struct.pack("<2Q", 1, 258), level=1)).decode()
    assert to_json(Latencies(array("I", [1, 258]))) == written
    assert from_json(Latencies, written) == Latencies(array("Q", [1, 258]))


def test_readings_come_back_and_those_of_older_versions_are_read() -> None:
    readings = Readings(cpu_s=0.5, oom_kills=0, instructions=2e9)
    assert to_json(readings) == {"cpu_s": 0.5, "oom_kills": 0, "instructions": 2e9}
    assert there_and_back(readings) == readings
    old = {"cpu_s": 0.5, "peak_rss_bytes": 7, "replaced": True, "throttled_s": None, "oom_kills": None}
    assert from_json(Readings, old) == ServerUsage(cpu_s=0.5, peak_rss_bytes=7, replaced=True)
    assert isinstance(from_json(Readings, old)["peak_rss_bytes"], int)
    assert from_json(Readings, old | {"replaced": False}).replaced is False
    with pytest.raises(ValidationError, match="Expected"):
        from_json(Readings, {"cpu_s": "much"})


def test_a_path_comes_back() -> None:
    assert from_json(Path, to_json(Path("/a/b"))) == Path("/a/b")


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValidationError, match=r"\$\.users"):
        from_json(Load, {"users": "two", "amount": {"requests": 1}, "exchanges": []})


def test_an_amount_is_one_of_two() -> None:
    for both in ({}, {"requests": 1, "duration_s": 1.0}):
        with pytest.raises(ValidationError, match="either a duration or a number of requests"):
            from_json(Amount, both)


@dataclass(frozen=True)
class Saved:
    """A number of each kind that may not be known, and one that may be left out."""

    known: float
    optional: float | None
    inner: Interval
    maybe: Interval | None
    row: tuple[Interval, ...]
    named: dict[str, float]


def test_what_is_not_known_is_null_in_a_file_and_nan_again() -> None:
    nan = float("nan")
    unknown = Interval(estimate=nan, low=nan, high=1.5)
    value = Saved(nan, None, unknown, unknown, (unknown, unknown), {"a": nan, "b": 2.0})
    written = encode(value)
    assert b"NaN" not in written
    assert decode(written)["inner"] == {"estimate": None, "low": None, "high": 1.5}
    found = from_saved(Saved, decode(written))
    assert str(found) == str(value)
    assert from_saved(Saved, {**decode(written), "maybe": None}).maybe is None


def test_a_number_that_is_left_out_is_missed() -> None:
    with pytest.raises(ValidationError, match="missing required field `low`"):
        from_saved(Interval, {"estimate": 1.0, "high": None})


def test_text_that_is_no_unicode_is_written_all_the_same() -> None:
    """The output of a server may be anything."""
    assert decode(encode({"error": "\udcff"})) == {"error": "\udcff"}
