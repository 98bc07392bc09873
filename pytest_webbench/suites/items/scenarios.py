"""The seven scenarios, with the users and amounts of the paper."""

import json
import random
from collections.abc import Sequence
from itertools import cycle, islice

from pytest_webbench.model.http import (
    Answer,
    BodyRule,
    Effect,
    EffectKind,
    Exchange,
    JsonValue,
    Record,
    Refusal,
    Request,
)
from pytest_webbench.model.load import Amount
from pytest_webbench.model.suite import Scenario, Unit
from pytest_webbench.suites.items.dataset import make_item

__all__ = ["HELLO", "SCENARIOS", "examples"]


def _get(path: str, answer: JsonValue) -> Exchange:
    return Exchange(request=Request(path=path), answer=Answer(status=200, rule=BodyRule.JSON, json=answer))


def _echo(payload: JsonValue) -> Exchange:
    return Exchange(
        request=Request(method="POST", path="/echo", body=json.dumps(payload)),
        answer=Answer(status=200, rule=BodyRule.JSON, json=payload),
    )


HELLO = _get("/hello", {"message": "Hello, World!"})


def hello(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:  # noqa: ARG001
    """Return requests for a short JSON response, without the database."""
    return [HELLO]


def echo(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:  # noqa: ARG001
    """Return requests that echo a JSON object.

    There are a hundred different ones, so that responses cannot be cached.
    """
    return [_echo({"message": "Hello, World!", "number": rng.randrange(10**6)}) for _ in range(100)]


def list_items(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:  # noqa: ARG001
    """Return requests for all records."""
    return [_get("/items/", [dict(record) for record in records])]


def get_item(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:
    """Return requests for one record, chosen at random each time."""
    drawn = rng.choices(records, k=count or len(records)) if records else []
    return [_get(f"/items/{record['id']}", dict(record)) for record in drawn]


def create_item(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:  # noqa: ARG001
    """Return requests that create a record, different each time."""
    return [_create(make_item(rng)) for _ in range(count or 1000)]


def _create(item: Record) -> Exchange:
    return Exchange(
        request=Request(method="POST", path="/items/", body=json.dumps(item)),
        answer=Answer(status=201, rule=BodyRule.JSON, json=dict(item), generated=("id",)),
        effect=Effect(kind=EffectKind.INSERT, record=item),
    )


def update_item(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:
    """Return requests with new values for a record, each record in turn in a random order.

    Two users that update the same record at once may each get the values that the other one wrote.
    """
    order = rng.sample(records, len(records))
    return [_update(record["id"], make_item(rng)) for record in islice(cycle(order), count or len(records))]


def _update(key: int, item: Record) -> Exchange:
    return Exchange(
        request=Request(method="PUT", path=f"/items/{key}", body=json.dumps(item)),
        answer=Answer(status=200, rule=BodyRule.JSON, json={"id": key, **item}),
        effect=Effect(kind=EffectKind.REPLACE, key=key, record=item),
    )


def delete_item(records: Sequence[Record], count: int | None, rng: random.Random) -> list[Exchange]:
    """Return requests that delete existing records, each once."""
    drawn = rng.sample(records, min(count or len(records), len(records)))
    return [
        Exchange(
            request=Request(method="DELETE", path=f"/items/{record['id']}"),
            answer=Answer(status=204, rule=BodyRule.EMPTY),
            effect=Effect(kind=EffectKind.REMOVE, key=record["id"]),
        )
        for record in drawn
    ]


SCENARIOS = (
    Scenario(
        name="hello",
        title="a short JSON response",
        users=50,
        amount=Amount(duration_s=10.0),
        traffic=hello,
    ),
    Scenario(
        name="echo",
        title="a JSON object, echoed",
        users=100,
        amount=Amount(duration_s=15.0),
        traffic=echo,
    ),
    Scenario(
        name="list_items",
        title="all records",
        users=10,
        amount=Amount(requests=100),
        traffic=list_items,
        unit=Unit.TIME,
        typical_s=0.015,
    ),
    Scenario(
        name="get_item",
        title="one record",
        users=10,
        amount=Amount(requests=1000),
        traffic=get_item,
        unit=Unit.TIME,
    ),
    Scenario(
        name="create_item",
        title="a new record",
        users=10,
        amount=Amount(requests=1000),
        traffic=create_item,
        unit=Unit.TIME,
        writes=True,
    ),
    Scenario(
        name="update_item",
        title="new values for a record",
        users=10,
        amount=Amount(requests=1000),
        traffic=update_item,
        unit=Unit.TIME,
        writes=True,
    ),
    Scenario(
        name="delete_item",
        title="one record, deleted",
        users=1,
        amount=Amount(requests=100),
        traffic=delete_item,
        unit=Unit.TIME,
        repeat=False,
        writes=True,
        typical_s=0.003,
    ),
)

NOT_FOUND = (404,)
CLIENT_ERRORS = tuple(range(400, 500))


def examples(records: Sequence[Record]) -> list[Exchange | Refusal]:
    """Return echoes of JSON objects, some of the records, and requests that must be rejected."""
    unknown = max((record["id"] for record in records), default=0) + 10**6
    edges = [records[0], records[len(records) // 2], records[-1]] if records else []
    item = make_item(random.Random(0))
    return [
        HELLO,
        _echo({}),
        _echo(
            {
                "text": 'żółw, 日本語, 🐢, "quoted" and \\',
                "nothing": None,
                "yes": True,
                "nested": {"a": [1, 2.5]},
            }
        ),
        *(_get(f"/items/{record['id']}", dict(record)) for record in edges),
        Refusal(request=Request(path=f"/items/{unknown}"), statuses=NOT_FOUND),
        Refusal(
            request=Request(method="PUT", path=f"/items/{unknown}", body=json.dumps(item)), statuses=NOT_FOUND
        ),
        Refusal(request=Request(method="DELETE", path=f"/items/{unknown}"), statuses=NOT_FOUND),
        *(
            Refusal(request=Request(method="POST", path="/items/", body=body), statuses=CLIENT_ERRORS)
            for body in (
                "{",
                "[]",
                "{}",
                json.dumps({**item, "price": "many"}),
                json.dumps({**item, "quantity": -1}),
            )
        ),
        Refusal(request=Request(method="POST", path="/echo", body="{"), statuses=CLIENT_ERRORS),
    ]
