"""The SQLite file: its settings, its table, a connection for each request."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

from fastapi import Depends

DATABASE_PATH = os.environ.get("DATABASE_PATH", "items.db")

# WAL lets readers and a writer work side by side; with it, NORMAL loses at most the last transactions in
# a power cut, and corrupts nothing; a writer waits up to 5 s for its turn.
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
    # FastAPI may open, use and close the connection in three threads of its pool, one after the other.
    connection = sqlite3.connect(DATABASE_PATH, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(PRAGMAS)
    return connection


def create_table() -> None:
    # One worker at a time: SQLite does not queue a switch to WAL while another is made, but refuses it.
    with Path(f"{DATABASE_PATH}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with closing(connect()) as connection:
            connection.execute(SCHEMA)


def get_connection() -> Iterator[sqlite3.Connection]:
    with closing(connect()) as connection:
        yield connection


Connection = Annotated[sqlite3.Connection, Depends(get_connection)]
