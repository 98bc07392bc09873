"""Which responses are as expected, and the messages for others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.responses import excerpt, judge
from pytest_webbench.model.http import Answer, BodyRule
from pytest_webbench.model.load import ErrorClass

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def fault_of(expected: Any, body: bytes | str, *generated: str) -> str:
    """The words for what is wrong with ``body``; empty if nothing is."""
    answer = Answer(rule=BodyRule.JSON, json=expected, generated=generated)
    fault = judge(answer, 200, body.encode() if isinstance(body, str) else body)
    if fault is None:
        return ""
    assert fault.error is ErrorClass.WRONG_BODY
    return fault.why


@given(value=JSON)
def test_a_value_is_right_however_it_is_written(value: Any) -> None:
    for body in (json.dumps(value), json.dumps(value, indent=3, ensure_ascii=False, sort_keys=True)):
        assert fault_of(value, body.encode("utf-8", "surrogatepass").decode("utf-8", "replace")) == "" or any(
            "\ud800" <= char <= "\udfff" for char in body
        )


@given(value=JSON, other=JSON)
def test_two_values_are_told_apart(value: Any, other: Any) -> None:
    assert (fault_of(value, json.dumps(other)) == "") is (canonical(value) == canonical(other))


def canonical(value: Any) -> Any:
    """Equal for equal JSON values, and for no others."""
    if isinstance(value, dict):
        return ("object", frozenset((key, canonical(each)) for key, each in value.items()))
    if isinstance(value, list):
        return ("array", tuple(canonical(each) for each in value))
    return (
        "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value),
        value,
    )


@given(body=st.binary(), rule=st.sampled_from(BodyRule), status=st.integers(0, 999), expected=JSON)
def test_whatever_comes_nothing_is_raised(body: bytes, rule: BodyRule, status: int, expected: Any) -> None:
    fault = judge(Answer(rule=rule, json=expected, generated=("id",)), status, body)
    assert fault is None or fault.why.isprintable()


HOSTILE = {
    "bad UTF-8": b'"\xff\xfe"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "deep arrays": b"[" * 1_000_000,
    "deep arrays, closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 1_000_000,
    "a huge integer": b"9" * 1_000_000,
    "a huge exponent": b"1e999999999",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "one key twice": b'{"a": 2, "a": 1}',
    "many keys twice": b"{" + b", ".join(b'"%d": 1' % (n % 50_000) for n in range(100_000)) + b"}",
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "control characters": b'{"a": "\\u001b[31m\\u009b"}',
    "nothing": b"",
    "a lone bracket": b"{",
    "HTML": b"<html>\x1b[31m</html>",
    "two values": b'{"a": 1} {"a": 1}',
    "null bytes": bytes(1000),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("expected", [{"a": 1}, [], None, float("nan"), float("inf"), "\ud801"])
def test_hostile_bodies_are_wrong(body: bytes, expected: Any) -> None:
    why = fault_of(expected, body)
    assert why
    assert why.isprintable()
    assert len(why) < 500


@pytest.mark.parametrize(
    ("expected", "body", "right"),
    [
        (1, "1.0", True),
        (1.0, "1", True),
        (0, "-0.0", True),
        (10**400, str(10**400), True),
        (10**400, "1e400", False),
        (2**53 + 1, str(float(2**53)), False),
        (1, "true", False),
        (True, "1", False),
        (0, "false", False),
        (0, "null", False),
        (None, "null", True),
        ("1", "1", False),
        (1, '"1"', False),
        ([], "{}", False),
        ({}, "[]", False),
        ([1, 2], "[2, 1]", False),
        ({"a": 1, "b": 2}, '{"b": 2, "a": 1}', True),
        ("ż", '"\\u017c"', True),
        (0.1, "0.10", True),
    ],
)
def test_equality(expected: Any, body: str, right: bool) -> None:
    assert (fault_of(expected, body) == "") is right


ITEMS = [{"id": number, "price": number / 2} for number in range(30)]


@pytest.mark.parametrize(
    ("expected", "body", "why"),
    [
        (
            ITEMS,
            json.dumps([*ITEMS[:17], {"id": 17, "price": 3.5}, *ITEMS[18:]]),
            'item 17: "price" is 3.5, expected 8.5',
        ),
        (ITEMS, json.dumps(ITEMS[:-1]), "the body has 29 items, expected 30"),
        ({"items": [1, 2]}, '{"items": [1]}', '"items" has 1 items, expected 2'),
        ({"a": {"b": 1}}, '{"a": {"b": true}}', '"a": "b" is true, expected 1'),
        ({"a": 1}, "{}", '"a" is missing'),
        ({}, '{"a": null}', '"a" is null, expected to be absent'),
        ({"a": 1}, "[]", 'the body is [], expected {"a": 1}'),
        ([1], "[[2]]", "item 0 is [2], expected 1"),
        ("x", '"y"', 'the body is "y", expected "x"'),
        ({"a": 1}, "<p>", "the body is not JSON (Expecting value: line 1 column 1 (char 0)): '<p>'"),
        (
            {"a": 1},
            '{"a": 1, "a": 1}',
            'the body is not JSON (the key "a" comes more than once): \'{"a": 1, "a": 1}\'',
        ),
        ({"a": 1}, b'\xff{"a"', "the body is not UTF-8 (byte 0): '\\xff{\"a\"'"),
        ({"a": 1}, "NaN", "the body is not JSON (NaN is not valid JSON): 'NaN'"),
    ],
)
def test_the_words_for_a_difference(expected: Any, body: str | bytes, why: str) -> None:
    assert fault_of(expected, body) == why


def test_long_values_are_cut() -> None:
    why = fault_of("x" * 1000, json.dumps("y" * 1000))
    assert why == f'the body is "{"y" * 79}…, expected "{"x" * 79}…'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"id": 5, "name": "a"}', ""),
        ('{"id": null, "name": "a"}', ""),
        ('{"name": "a"}', '"id" is missing'),
        ('{"id": 5, "name": "b"}', '"name" is "b", expected "a"'),
        ('{"id": 5}', '"name" is missing'),
        ('{"id": 5, "name": "a", "x": 1}', '"x" is 1, expected to be absent'),
        ("[]", 'the body is [], expected {"name": "a"}'),
    ],
)
def test_generated_keys_must_be_there_with_any_value(body: str, why: str) -> None:
    assert fault_of({"name": "a"}, body, "id") == why


def test_generated_keys_may_stand_in_the_expected_value() -> None:
    assert fault_of({"id": 0, "name": "a"}, '{"id": 5, "name": "a"}', "id") == ""


def test_generated_keys_are_of_the_top_level() -> None:
    assert fault_of({"a": {"id": 1}}, '{"id": 1, "a": {"id": 2}}', "id") == '"a": "id" is 2, expected 1'


def test_a_wrong_status_is_told_first() -> None:
    answer = Answer(status=201, rule=BodyRule.JSON, json={})
    fault = judge(answer, 500, b"Internal Server Error")
    assert fault is not None
    assert fault.error is ErrorClass.WRONG_STATUS
    assert fault.why == "the status is 500, expected 201; the body is 'Internal Server Error'"
    assert judge(answer, 201, b"{}") is None


def test_no_body_is_wanted() -> None:
    answer = Answer(status=204, rule=BodyRule.EMPTY)
    assert judge(answer, 204, b"") is None
    fault = judge(answer, 204, b"{}")
    assert fault is not None
    assert fault.why == "a body of 2 bytes, expected none: '{}'"


def test_any_body_will_do() -> None:
    assert judge(Answer(), 200, b"\xff") is None
    assert judge(Answer(), 404, b"") is not None


def test_an_excerpt_is_short_and_steers_no_terminal() -> None:
    assert excerpt(b"\x1b[31m\r\n\xff\xe2\x80\xae") == "'\\x1b[31m\\r\\n\\xff\\u202e'"
    assert excerpt(b"x" * 100, limit=5) == "'xxxxx…'"
