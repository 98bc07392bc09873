"""The SQLite file: its settings, its table, and a connection for each request.

`python -m app.database` creates the table.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

from fastapi import Depends

DATABASE_PATH = os.environ.get("DATABASE_PATH", "items.db")

# With WAL, readers and a writer do not block each other; with NORMAL, a power cut may lose the last
# transactions but corrupts nothing; a writer waits up to 5 s for its turn.
PRAGMAS = """
    PRAGMA busy_timeout=5000;
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=NORMAL;
"""

SCHEMA = """
    CREATE TABLE IF NOT EXISTS items (
        id INTEGER PRIMARY KEY,
        name VARCHAR(100) NOT NULL,
        description TEXT NOT NULL,
        price REAL NOT NULL,
        quantity INTEGER NOT NULL
    )
"""


def connect() -> sqlite3.Connection:
    # FastAPI may open, use and close the connection in three different threads of its pool.
    connection = sqlite3.connect(DATABASE_PATH, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(PRAGMAS)
    return connection


def create_table() -> None:
    with closing(connect()) as connection:
        connection.execute(SCHEMA)


def get_connection() -> Iterator[sqlite3.Connection]:
    with closing(connect()) as connection:
        yield connection


ConnectionDep = Annotated[sqlite3.Connection, Depends(get_connection)]

if __name__ == "__main__":
    create_table()
