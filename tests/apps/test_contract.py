"""Every application keeps the contract, and keeps it in the same way."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.specs.openapi.checks import allow_header_conformance, negative_data_rejection

from pytest_webbench.stacks.process import RunningProcess
from pytest_webbench.suites.items import SUITE
from tests.apps.conftest import Item, NewClient, Seed

LAMP: Item = {"name": "Lamp", "description": "Brass, green shade.", "price": 19.5, "quantity": 7}
MAX_ID = 2**53 - 1
WRITING = (("POST", "/items/"), ("PUT", "/items/1"))
THOROUGH = "WEBBENCH_THOROUGH"
"""The environment variable that asks for as many examples as there is time for at night."""

assert SUITE.contract is not None
schema = schemathesis.openapi.from_path(SUITE.contract)
schema.config.generation.update(allow_x00=False, codec="utf-8")


@pytest.fixture(autouse=True)
def _quiet_log(app: RunningProcess) -> Iterator[None]:
    """Fail the test during which the server logged an exception or a warning."""
    start = app.log.stat().st_size
    yield
    logged = app.log.read_bytes()[start:].decode()
    assert "Traceback" not in logged, logged
    # SQLAlchemy warns of two requests that delete an item at the same time.
    warnings = [line for line in logged.splitlines() if "Warning" in line and "DELETE" not in line]
    assert not warnings, logged


def some_items(count: int, name: str = "item") -> list[Item]:
    return [
        {"id": number, "name": f"{name} {number}", "description": "", "price": number / 4, "quantity": number}
        for number in range(1, count + 1)
    ]


def rows(database_path: Path) -> list[Item]:
    with closing(sqlite3.connect(database_path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM items ORDER BY id")]


def send(client: httpx.Client, method: str, path: str, body: bytes | str) -> httpx.Response:
    return client.request(method, path, content=body, headers={"content-type": "application/json"})


def refused(response: httpx.Response, *statuses: int) -> bool:
    """Whether it is a 4xx, one of ``statuses`` if any are given, that says why in a JSON object."""
    return (
        400 <= response.status_code < 500
        and (not statuses or response.status_code in statuses)
        and response.headers["content-type"].split(";")[0] == "application/json"
        and isinstance(response.json(), dict)
    )


# --- requests made from the contract


def is_item_when_coerced(body: object) -> bool:
    """Whether a body keeps the contract, once strings and booleans are numbers, and numbers strings."""
    if not isinstance(body, dict):
        return False
    try:
        name, description = body["name"], body["description"]
        price, quantity = float(body["price"]), float(body["quantity"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return False
    texts = all(isinstance(text, str | int | float) for text in (name, description))
    lengths = 1 <= len(str(name)) <= 100 and len(str(description)) <= 1000
    ranges = 0 <= price <= 1e9 and 0 <= quantity <= 2**31 - 1 and quantity.is_integer()
    return texts and lengths and ranges


def is_left_open(case: schemathesis.Case[Any]) -> bool:
    """Whether only a fuzzer sends this, so that the contract says nothing of it."""
    try:
        if abs(int((case.path_parameters or {}).get("id", 0))) > MAX_ID:
            return True
    except (TypeError, ValueError):
        pass
    try:
        text = json.dumps(case.body, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:  # NaN, infinity, lone surrogates
        return True
    except TypeError:  # no JSON at all, or no body
        return False
    return "\\u0000" in text


@schema.parametrize()
@settings(
    max_examples=100 if os.environ.get(THOROUGH) else 10,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_generated_requests(case: schemathesis.Case[Any], app: RunningProcess) -> None:
    assume(not is_left_open(case))
    # Two checks are left out. What is refused depends on coercions that the contract leaves open: see below.
    # And Starlette's Allow header names the methods of the first route of a path alone.
    checks = [negative_data_rejection, allow_header_conformance]
    response = case.call_and_validate(base_url=app.base_url, excluded_checks=checks)
    if case.method in {"POST", "PUT"} and response.status_code < 300:
        if case.path == "/echo":
            assert response.json() == (case.body if isinstance(case.body, dict) else {})
        else:
            assert is_item_when_coerced(case.body), case.body


# --- the response of each operation


def test_hello_and_echo(client: httpx.Client) -> None:
    response = client.get("/hello")
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == "application/json"
    assert response.json() == {"message": "Hello, World!"}
    bodies: list[Item] = [
        {},
        {"a": None, "b": [True, False, {"c": []}], "": "", "Zürich 東京 \U0001f4a1": '\u2028"\\/\t'},
        {"numbers": [0, -1, 2**53 + 1, 0.1, -1.5e-300, 1.7976931348623157e308, 5e-324]},
        {"long": "x" * 900_000},
        {"wide": list(range(50_000))},
    ]
    for body in bodies:
        response = send(client, "POST", "/echo", json.dumps(body))
        assert response.status_code == 200
        assert response.headers["content-type"].split(";")[0] == "application/json"
        assert response.json() == body


def test_list_and_get(client: httpx.Client, seed: Seed) -> None:
    seed([])
    response = client.get("/items/")
    assert (response.status_code, response.json()) == (200, [])
    seeded = [*some_items(1500), {"id": MAX_ID, **LAMP}]
    seed(list(reversed(seeded)))
    response = client.get("/items/")
    assert (response.status_code, response.json()) == (200, seeded)
    for item in (seeded[0], seeded[1], seeded[-1]):
        response = client.get(f"/items/{item['id']}")
        assert (response.status_code, response.json()) == (200, item)


def test_create_update_and_delete(client: httpx.Client, seed: Seed, database_path: Path) -> None:
    first, second, third = some_items(3)
    seed([first, second, third])
    lamp = {**LAMP, "id": 77, "colour": "green"}
    created = client.post("/items/", json=lamp)
    assert (created.status_code, created.json()) == (201, {"id": 4, **LAMP})
    assert rows(database_path) == [first, second, third, {"id": 4, **LAMP}]
    for _ in range(2):  # the second time to the same
        updated = client.put("/items/2", json=lamp)
        assert (updated.status_code, updated.json()) == (200, {"id": 2, **LAMP})
        assert rows(database_path) == [first, {"id": 2, **LAMP}, third, {"id": 4, **LAMP}]
    deleted = client.delete("/items/2")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert rows(database_path) == [first, third, {"id": 4, **LAMP}]


@pytest.mark.parametrize(
    "numbers",
    [{"price": 0, "quantity": 0}, {"price": 10**9, "quantity": 2**31 - 1}, {"price": 1e9, "quantity": 7.0}],
)
def test_bounds_and_whole_numbers_are_accepted(client: httpx.Client, numbers: Item) -> None:
    item = {**LAMP, **numbers}
    created = client.post("/items/", json=item)
    assert created.status_code == 201
    assert created.json() == {"id": created.json()["id"], **item}
    assert client.get(f"/items/{created.json()['id']}").json() == created.json()
    # In JSON a price is a number with a fraction, a quantity one without, whichever way it came.
    assert isinstance(created.json()["price"], float)
    assert isinstance(created.json()["quantity"], int)


TEXTS = (
    "x" * 100,
    "\U0001f4a1" * 100,
    "  two spaces before, a tab after\t",
    "\r\n\v\f",
    " ",
    "\u00a0\u3000\u200b\ufeff",
    "Zürich, 東京, Ελλάδα, עברית",
    "e\u0301 is not \u00e9",
    "\U0001f469\u200d\U0001f52c \U0001f1e8\U0001f1ed \U0010ffff \uffff",
    "\u2028\u2029\u0085\x7f\x1f\x01",
    "'; DROP TABLE items; --",
    '"\\u0041 \\ / %s {0} <b>&amp;</b>',
    "null",
    "0123",
    "1e3",
)


def test_text_comes_back_as_sent(client: httpx.Client, seed: Seed, database_path: Path) -> None:
    seed([])
    kept = []
    for text in TEXTS:
        item = {**LAMP, "name": text, "description": text}
        created = client.post("/items/", json=item)
        assert created.status_code == 201, text
        item_id = created.json()["id"]
        assert created.json() == {"id": item_id, **item}
        updated = client.put(f"/items/{item_id}", json={**item, "description": text * 10})
        assert updated.json() == {"id": item_id, **item, "description": text * 10}
        kept.append(updated.json())
    assert client.get("/items/").json() == kept
    assert rows(database_path) == kept


# --- input that is at fault


def test_unknown_ids(client: httpx.Client, seed: Seed) -> None:
    seed(some_items(3))
    unknown = ["4", str(MAX_ID)]
    no_ids = ["0", "-1", "1.5", "1e0", "one", "null", "%20", "1;2", "1'", "0x1", "1,2", "%F0%9F%92%A1"]
    for method in ("GET", "PUT", "DELETE"):
        for item_id in (*unknown, *no_ids):
            response = client.request(method, f"/items/{item_id}", json=LAMP if method == "PUT" else None)
            statuses = (404,) if item_id in unknown else (404, 422)
            assert refused(response, *statuses), (method, item_id, response.status_code, response.text)
    assert client.get("/items/").json() == some_items(3)


WRONG: dict[str, list[object]] = {
    "name": ["", "x" * 101, "x" * 900_000, None, True, [], ["Lamp"], {"a": 1}],
    "description": ["x" * 1001, "\U0001f4a1" * 1001, None, False, [], {}],
    "price": [-0.01, 1e9 + 1, "", "cheap", "Infinity", None, [], [1], {}],
    "quantity": [-1, 2**31, 10**30, 1e300, 0.5, "", "many", None, [], [1], {}],
}


@pytest.mark.parametrize("field", WRONG)
def test_wrong_and_missing_values(client: httpx.Client, seed: Seed, field: str) -> None:
    seed(some_items(1))
    missing = {name: value for name, value in LAMP.items() if name != field}
    for item in (missing, *({**LAMP, field: value} for value in WRONG[field])):
        for method, path in WRITING:
            response = send(client, method, path, json.dumps(item))
            assert refused(response), (method, item, response.status_code, response.text)
    assert client.get("/items/").json() == some_items(1)


MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "cut off": b'{"name": "La',
    "two values": b"{} {}",
    "single quotes": b"{'name': 'Lamp'}",
    "raw newline": b'{"name": "a\nb"}',
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"Lamp"',
    "list": b"[]",
    "list of pairs": b'[["name", "Lamp"]]',
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "cut UTF-8": b'{"name": "\xf0\x9f\x92"}',
    "binary": bytes(range(256)),
}


def test_malformed_bodies(client: httpx.Client, seed: Seed) -> None:
    """All over one connection: what remains of a refused body must not be taken for the next request."""
    seed(some_items(1))
    for name, body in MALFORMED.items():
        for method, path in (("POST", "/echo"), *WRITING):
            response = send(client, method, path, body)
            if path == "/echo" and not body and response.status_code == 200:
                assert response.json() == {}
            else:
                assert refused(response), (method, path, name, response.status_code, response.text)
    assert client.get("/items/").json() == some_items(1)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "x"])
def test_wrong_content_type(client: httpx.Client, seed: Seed, content_type: str) -> None:
    seed(some_items(1))
    for method, path in (("POST", "/echo"), *WRITING):
        response = client.request(
            method, path, content=json.dumps(LAMP), headers={"content-type": content_type}
        )
        assert refused(response), (method, path, response.status_code, response.text)
    assert client.get("/items/").json() == some_items(1)


def test_wrong_methods_and_paths(client: httpx.Client, seed: Seed) -> None:
    seed(some_items(1))
    allowed = {
        "/hello": {"GET"},
        "/echo": {"POST"},
        "/items/": {"GET", "POST"},
        "/items/1": {"GET", "PUT", "DELETE"},
    }
    for path, methods in allowed.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"} - methods:
            response = client.request(method, path, json=LAMP)
            assert refused(response, 405), (method, path, response.status_code, response.text)
            assert response.headers["allow"]
    for path in ("/", "/nothing", "/items/1/more"):
        assert refused(client.get(path), 404), path
    assert client.get("/items/").json() == some_items(1)


# --- many at once


@pytest.fixture
def clients(new_client: NewClient) -> Iterator[list[httpx.Client]]:
    with ExitStack() as stack:
        yield [stack.enter_context(new_client()) for _ in range(10)]


def at_once(clients: list[httpx.Client], work: Callable[[httpx.Client, int], None]) -> None:
    """Run the work of all clients in parallel, from a common start; raise what any of them raises."""
    start = Barrier(len(clients))

    def run(number: int) -> None:
        start.wait()
        work(clients[number], number)

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, range(len(clients))))


def test_many_more_clients_than_threads(new_client: NewClient, seed: Seed) -> None:
    """A burst is served late, but served: threads (40 a worker, at most) do not wait for connections."""
    seed(some_items(1))

    def read(client: httpx.Client, _number: int) -> None:
        for _ in range(3):
            assert client.get("/items/1").json() == some_items(1)[0]

    with ExitStack() as stack:
        at_once([stack.enter_context(new_client()) for _ in range(100)], read)


def test_concurrent_writes(clients: list[httpx.Client], seed: Seed, database_path: Path) -> None:
    """Ten clients write their own items, read in between, and end with the state that they wrote."""
    seed(some_items(100))

    def write(client: httpx.Client, number: int) -> None:
        for turn in range(8):
            created = client.post("/items/", json={**LAMP, "name": f"{number}.{turn}"})
            assert created.status_code == 201, created.text
            item_id = created.json()["id"]
            assert client.get("/items/").status_code == 200
            updated = client.put(f"/items/{item_id}", json={**LAMP, "name": f"{number}.{turn}!"})
            assert updated.json() == {"id": item_id, **LAMP, "name": f"{number}.{turn}!"}
            assert client.get(f"/items/{item_id}").json() == updated.json()
            if turn % 2:
                assert client.delete(f"/items/{item_id}").status_code == 204

    at_once(clients, write)
    left = rows(database_path)
    assert left[:100] == some_items(100)
    kept = {f"{number}.{turn}!" for number in range(10) for turn in range(0, 8, 2)}
    assert {item["name"] for item in left[100:]} == kept


def test_concurrent_updates_and_deletes_of_the_same_items(
    clients: list[httpx.Client], seed: Seed, database_path: Path
) -> None:
    """An item that is deleted while another client updates it is gone: 404, no error, and no resurrection."""
    seed(some_items(60))

    def write(client: httpx.Client, number: int) -> None:
        for item_id in range(1, 61):
            if number % 2:
                assert client.put(f"/items/{item_id}", json=LAMP).status_code in {200, 404}
            else:
                assert client.delete(f"/items/{item_id}").status_code in {204, 404}

    at_once(clients, write)
    assert rows(database_path) == []


@pytest.mark.parametrize(("method", "statuses"), [("PUT", [404]), ("DELETE", [204, 404])])
def test_item_that_is_deleted_while_a_request_waits(
    client: httpx.Client, seed: Seed, database_path: Path, method: str, statuses: list[int]
) -> None:
    """The same, in slow motion: the application reads the item, waits to write, and finds it gone."""
    seed(some_items(2))
    with closing(sqlite3.connect(database_path)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("DELETE FROM items WHERE id = 1")
        answer = pool.submit(client.request, method, "/items/1", json=LAMP if method == "PUT" else None)
        waited = wait([answer], timeout=0.5).not_done
        other.commit()
    assert waited
    assert answer.result().status_code in statuses, answer.result().text
    assert rows(database_path) == some_items(2)[1:]


def test_restored_database_is_seen_by_every_worker(clients: list[httpx.Client], seed: Seed) -> None:
    """Connections that were open before see the new content too, and can write."""
    for turn in range(10):
        expected = some_items(1 + 50 * (turn % 3), name=f"turn {turn}")
        seed(expected)

        def read(client: httpx.Client, _number: int, expected: list[Item] = expected) -> None:
            assert client.get("/items/").json() == expected
            assert client.get("/items/1").json() == expected[0]

        at_once(clients, read)
        assert clients[0].post("/items/", json=LAMP).json()["id"] == len(expected) + 1
