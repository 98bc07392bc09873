"""The 1,500 records, and the way into and out of a SQLite file that an application holds open."""

import hashlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.analysis.database_state import records_by_key
from pytest_webbench.model.errors import SeedError
from pytest_webbench.stacks.fake import FakeStack
from pytest_webbench.suites.items import STACKS
from pytest_webbench.suites.items.dataset import PROGRAM, ItemsDataset, make_item

DATASET = ItemsDataset()
RECORDS = DATASET.records(DATASET.default_count)


@dataclass(kw_only=True)
class FolderStack(FakeStack):
    """A stack without a server whose data folder is real: commands are run."""

    folder: Path

    def put_file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)

    def execute(self, arguments: Sequence[str]) -> bytes:
        words = [word.replace("{data_dir}", str(self.folder)) for word in arguments]
        done = subprocess.run([sys.executable, "-I", *words], capture_output=True, check=False)
        if done.returncode:
            raise SeedError("it failed", evidence=done.stderr.decode())
        return done.stdout

    @property
    def database(self) -> Path:
        return self.folder / "items.db"


@pytest.fixture
def stack(tmp_path: Path) -> FolderStack:
    return FolderStack(stack=STACKS[0], folder=tmp_path)


@pytest.fixture
def loaded(stack: FolderStack) -> FolderStack:
    DATASET.prepare(stack, RECORDS)
    DATASET.load(stack)
    return stack


@pytest.fixture
def connection(loaded: FolderStack) -> Iterator[sqlite3.Connection]:
    """A connection of an application that stays open."""
    with closing(sqlite3.connect(loaded.database, isolation_level=None)) as connection:
        yield connection


# --- the records ------------------------------------------------------------------------------------


def test_the_records_never_change() -> None:
    """Results of two versions are compared only if both served the same bytes."""
    digest = hashlib.sha256(json.dumps(RECORDS, sort_keys=True).encode()).hexdigest()
    assert digest == "ec581fb5d5c0f6f469b1ce7e6b2cd336b14e9fade6b7c7fdb41f37e5ca4c1f3d"


def test_ids_run_from_one_and_fewer_records_are_the_first_ones() -> None:
    assert [record["id"] for record in RECORDS] == list(range(1, 1501))
    assert DATASET.records(7) == RECORDS[:7]
    assert DATASET.records(0) == ()


def test_every_record_fits_the_contract() -> None:
    for record in RECORDS:
        assert list(record) == ["id", "name", "description", "price", "quantity"]
        assert 0 < len(record["name"]) <= 100
        assert isinstance(record["price"], float)
        assert record["price"] == round(record["price"], 2) >= 1
        assert 0 <= record["quantity"] < 1000
    assert len({record["name"] for record in RECORDS}) > 1400


def test_a_list_of_all_records_has_the_size_of_the_papers() -> None:
    """It is what list_items sends: a page of some hundred kilobytes."""
    assert 150_000 < len(json.dumps(RECORDS)) < 300_000


# --- the way in -------------------------------------------------------------------------------------


def test_what_is_loaded_is_what_is_there(loaded: FolderStack) -> None:
    assert DATASET.state(loaded) == records_by_key(RECORDS)


def test_an_empty_database_can_be_loaded(stack: FolderStack) -> None:
    DATASET.prepare(stack, [])
    DATASET.load(stack)
    assert DATASET.state(stack) == {}


def test_a_change_is_seen(loaded: FolderStack, connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE items SET price = 0.25 WHERE id = 7")
    connection.execute("DELETE FROM items WHERE id = 8")
    state = DATASET.state(loaded)
    assert state[7] == {**RECORDS[6], "price": 0.25}
    assert 8 not in state
    assert len(state) == 1499


def test_loading_again_restores_what_an_open_connection_changed(
    loaded: FolderStack, connection: sqlite3.Connection
) -> None:
    connection.execute("DELETE FROM items")
    item = make_item(random.Random(1))
    connection.execute("INSERT INTO items VALUES (5000, :name, :description, :price, :quantity)", item)
    DATASET.load(loaded)
    assert connection.execute("SELECT count(*), max(id) FROM items").fetchone() == (1500, 1500)
    assert DATASET.state(loaded) == records_by_key(RECORDS)
    connection.execute("INSERT INTO items VALUES (NULL, :name, :description, :price, :quantity)", item)
    assert connection.execute("SELECT max(id) FROM items").fetchone() == (1501,)


def test_a_prepared_statement_of_an_open_connection_sees_the_restored_records(
    loaded: FolderStack, connection: sqlite3.Connection
) -> None:
    query = "SELECT price FROM items WHERE id = 3"
    connection.execute("UPDATE items SET price = 0.5 WHERE id = 3")
    assert connection.execute(query).fetchone() == (0.5,)
    DATASET.load(loaded)
    assert connection.execute(query).fetchone() == (RECORDS[2]["price"],)


def test_the_database_stays_in_wal_mode_with_an_empty_log(loaded: FolderStack) -> None:
    """So that a reader does not wait for a writer, and no round pays for the pages of the one before."""
    for _ in range(2):
        with closing(sqlite3.connect(loaded.database)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            with connection:
                connection.execute("UPDATE items SET quantity = 1")
            DATASET.load(loaded)
            wal = loaded.database.with_name("items.db-wal")
            assert not wal.exists() or wal.stat().st_size == 0


def test_the_table_is_the_one_that_the_applications_declare(connection: sqlite3.Connection) -> None:
    rows = connection.execute("PRAGMA table_info(items)")
    columns = {name: (kind, notnull, key) for _, name, kind, notnull, _, key in rows}
    assert columns == {
        "id": ("INTEGER", 1, 1),
        "name": ("VARCHAR(100)", 1, 0),
        "description": ("TEXT", 1, 0),
        "price": ("REAL", 1, 0),
        "quantity": ("INTEGER", 1, 0),
    }


# --- what goes wrong --------------------------------------------------------------------------------


def test_a_database_without_the_table_is_told(stack: FolderStack) -> None:
    DATASET.prepare(stack, RECORDS)
    stack.database.touch()
    with pytest.raises(SeedError) as caught:
        DATASET.state(stack)
    assert "no such table: items" in str(caught.value)


def test_output_that_is_no_json_is_told() -> None:
    with pytest.raises(SeedError, match=r"^the database of \S+ cannot be read: the output is not JSON$"):
        DATASET.state(FakeStack(stack=STACKS[0]))


@pytest.mark.parametrize(
    ("listed", "observed"),
    [
        ([{"id": 4, "name": "a"}, {"id": 9}], [4, 9]),
        ([], []),
        ({"items": []}, []),
        (None, []),
        ([{"name": "no id"}, 5, {"id": 1}], [1]),
    ],
)
def test_the_records_of_a_server_that_cannot_be_reached_inside_are_those_it_lists(
    listed: Any, observed: list[int]
) -> None:
    asked: list[str] = []

    def get(path: str) -> Any:
        asked.append(path)
        return listed

    found: Sequence[Mapping[str, Any]] = DATASET.observe(get)
    assert [record["id"] for record in found] == observed
    assert asked == ["/items/"]


@pytest.mark.parametrize("command", ["load", "dump"])
def test_a_database_that_somebody_else_holds_is_named_and_not_waited_for_without_end(
    tmp_path: Path, command: str
) -> None:
    template, database, program = tmp_path / "template.db", tmp_path / "items.db", tmp_path / "database.py"
    program.write_text(PROGRAM.read_text().replace("BUSY_TIMEOUT_S = 10.0", "BUSY_TIMEOUT_S = 0.2"))
    for path in (template, database):
        with closing(sqlite3.connect(path)) as made:
            made.execute("CREATE TABLE items (id, name, description, price, quantity)")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        words = [str(template), str(database)] if command == "load" else [str(database)]
        done = subprocess.run(
            [sys.executable, "-I", str(program), command, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        f"{database}: database is locked: another connection, perhaps of the application, "
        "has locked it for 0.2 s\n"
    )
