"""The SQLite file: its settings, its table, a connection for each request that asks for one."""

import fcntl
import sqlite3
from pathlib import Path

from flask import Flask, current_app, g

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


def get_db() -> sqlite3.Connection:
    if "db" not in g:
        g.db = sqlite3.connect(current_app.config["DATABASE"])
        g.db.row_factory = sqlite3.Row
        g.db.executescript(PRAGMAS)
    return g.db


def close_db(_error: BaseException | None = None) -> None:
    db = g.pop("db", None)
    if db is not None:
        db.close()


def init_app(app: Flask) -> None:
    app.teardown_appcontext(close_db)
    # One worker at a time: SQLite does not queue a switch to WAL while another is made, but refuses it.
    with Path(f"{app.config['DATABASE']}.lock").open("w") as lock, app.app_context():
        fcntl.flock(lock, fcntl.LOCK_EX)
        get_db().execute(SCHEMA)
