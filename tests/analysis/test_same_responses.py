"""Whether base and head respond alike, apart from values that vary by nature."""

import json
from typing import Any

import pytest

from pytest_webbench.analysis.same_responses import first_difference
from pytest_webbench.model.http import SeenResponse


def seen(body: Any = None, status: int = 200, **headers: str) -> SeenResponse:
    given = {
        "Content-Type": "application/json",
        **{name.replace("_", "-"): headers[name] for name in headers},
    }
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SeenResponse(
        scenario="get_item", request="GET /items/1", status=status, headers=tuple(given.items()), body=content
    )


def difference(base: list[SeenResponse], head: list[SeenResponse], *, headers: bool = True) -> str:
    return first_difference([[each] for each in base], [[each] for each in head], headers=headers)


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        (seen({"a": 1}), seen({"a": 1}, 201), "the status is 201, of the base 200"),
        (seen({"a": 1}), seen({"a": 2}), '"a" is 2, of the base 1'),
        (seen({"a": [1]}), seen({"a": [1, 2]}), 'the number of items in "a" is 2, of the base 1'),
        (seen({"a": 1}), seen({}), "the body is {}, of the base not there"),
        (seen({"a": 1, "b": 1}), seen({"a": 1}), '"b" is not there, of the base 1'),
        (seen({"token": "x"}), seen({"token": "y"}), '"token" is ***, of the base ***'),
        (seen(b"<p>1"), seen(b"<p>2"), "the body is <p>2, of the base <p>1"),
        (seen(1), seen(1, X_New="1"), "the header x-new is 1, of the base not there"),
        (seen(1), seen(1, Set_Cookie="id=1; Path=/"), "the header set-cookie is id, of the base not there"),
        (seen(1), seen(1, Date="now", ETag="2"), ""),
        (seen({"a": 1, "b": 2}), seen(b'{ "b": 2, "a": 1 }'), ""),
    ],
)
def test_the_first_difference_is_named(base: SeenResponse, head: SeenResponse, said: str) -> None:
    found = difference([base, base], [head, head])
    assert found == (f"GET /items/1: {said}" if said else "")


def test_what_differs_from_launch_to_launch_is_not_compared_but_has_to_be_there() -> None:
    base = [seen({"id": number, "a": 1}, X_Id=str(number)) for number in (1, 2)]
    assert difference(base, [seen({"id": number, "a": 1}, X_Id=str(number)) for number in (3, 4)]) == ""
    assert '"a" is 2' in difference(base, [seen({"id": number, "a": 2}, X_Id="5") for number in (3, 4)])
    assert '"id" is not there' in difference(base, [seen({"a": 1}, X_Id="5")] * 2)


def test_of_one_launch_the_status_and_the_media_type_alone_are_compared() -> None:
    assert difference([seen({"id": 1})], [seen({"id": 2})]) == ""
    assert "the status is 404" in difference([seen({"id": 1})], [seen({"id": 2}, 404)])


def test_headers_are_left_out_of_other_applications() -> None:
    assert difference([seen(1)] * 2, [seen(1, X_Frame="deny")] * 2, headers=False) == ""


def test_long_bodies_are_shown_from_where_they_differ() -> None:
    found = difference([seen(b"a" * 500 + b"b")] * 2, [seen(b"a" * 500 + b"c")] * 2)
    assert found.endswith("of the base …" + "a" * 20 + "b")
