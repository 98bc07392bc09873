"""The 1,500 records, and how they get into a stack's SQLite file."""

import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_webbench.analysis.database_state import records_by_key
from pytest_webbench.model.errors import SeedError
from pytest_webbench.model.http import Record
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Get

__all__ = ["ItemsDataset", "make_item"]

PROGRAM = Path(__file__).with_name("database.py")
DATABASE = "{data_dir}/items.db"
COLUMNS = ("id", "name", "description", "price", "quantity")
SCHEMA = """
CREATE TABLE items (
    id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(100) NOT NULL,
    description TEXT NOT NULL,
    price REAL NOT NULL,
    quantity INTEGER NOT NULL
)
"""
MATERIALS = "amber brass cedar copper cotton ebony felt glass granite ivory jade linen oak silk".split()  # noqa: SIM905
THINGS = "basket bench bottle bowl box chair clock cup desk frame jar kettle lamp mirror plate".split()  # noqa: SIM905


def make_item(rng: random.Random) -> dict[str, Any]:
    """Return a random item without its id."""
    name = f"{rng.choice(MATERIALS)} {rng.choice(THINGS)} {rng.randrange(10_000):04}"
    return {
        "name": name,
        "description": f"A {name}, made of {rng.choice(MATERIALS)} and {rng.choice(MATERIALS)}.",
        "price": rng.randrange(100, 100_000) / 100,
        "quantity": rng.randrange(1000),
    }


class ItemsDataset:
    """1,500 items, the same bytes for every stack.

    They are written once to a SQLite file, which is copied page by page into the stack's own file
    through SQLite's backup interface, while the application runs and holds connections: no application
    code is involved. The program that copies runs under the stack's Python, wherever that is.
    """

    default_count = 1500

    def records(self, count: int) -> tuple[Record, ...]:
        """Return the first ``count`` items, with ids from 1."""
        rng = random.Random("webbench items")
        return tuple({"id": key, **make_item(rng)} for key in range(1, count + 1))

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        """Put the program and the filled database next to the stack."""
        running.put_file("database.py", PROGRAM.read_bytes())
        running.put_file("template.db", _database(records))

    def load(self, running: RunningStack) -> None:
        """Copy the filled database over the stack's own."""
        running.execute(["{data_dir}/database.py", "load", "{data_dir}/template.db", DATABASE])

    def state(self, running: RunningStack) -> Mapping[int, Record]:
        """Return every row of the table."""
        output = running.execute(["{data_dir}/database.py", "dump", DATABASE])
        try:
            rows = json.loads(output)
        except ValueError:
            raise SeedError(
                f"the database of {running.stack.name} cannot be read: the output is not JSON"
            ) from None
        return records_by_key(dict(zip(COLUMNS, row, strict=True)) for row in rows)

    def observe(self, get: Get) -> tuple[Record, ...]:
        """Return the records that GET /items/ lists."""
        listed = get("/items/")
        if not isinstance(listed, list):
            return ()
        return tuple(record for record in listed if isinstance(record, dict) and record.keys() >= {"id"})


def _database(records: Sequence[Record]) -> bytes:
    """Return the bytes of a SQLite file that holds ``records``."""
    database = sqlite3.connect(":memory:")
    try:
        with database:
            database.execute(SCHEMA)
            database.executemany(
                "INSERT INTO items VALUES (:id, :name, :description, :price, :quantity)", records
            )
        return database.serialize()
    finally:
        database.close()
