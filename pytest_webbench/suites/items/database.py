"""Fills and reads the SQLite file of a stack, next to the application.

It is copied to where the stack runs and needs only Python's standard library::

    python database.py load TEMPLATE DATABASE    copy the content of TEMPLATE to DATABASE
    python database.py dump DATABASE             print the rows of its table as JSON
"""

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing

BUSY_TIMEOUT_S = 10.0
"""How long another process may lock the database."""
LOCKED = (5, 6)
"""SQLITE_BUSY and SQLITE_LOCKED."""


def load(template: str, path: str) -> None:
    """Copy every page in one transaction; open connections see the new content at once."""
    with (
        closing(sqlite3.connect(f"file:{template}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as target,
    ):
        # Before the copy: the template is in rollback-journal mode, and the mode is stored in its pages.
        target.execute("PRAGMA journal_mode=WAL")
        source.backup(target, progress=_patience())
        target.execute("PRAGMA journal_mode=WAL")
        # Every round starts with an empty log, so it does not pay for the pages of the previous one.
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _patience() -> Callable[[int, int, int], None]:
    """Return a progress callback for a backup, which would otherwise wait for a lock forever."""
    begun = time.monotonic()

    def look(status: int, *_: int) -> None:
        if status in LOCKED and time.monotonic() - begun > BUSY_TIMEOUT_S:
            raise sqlite3.OperationalError("database is locked")

    return look


def dump(path: str) -> None:
    """Print all rows, ordered by key."""
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as database:
        rows = database.execute("SELECT id, name, description, price, quantity FROM items ORDER BY id")
        json.dump(rows.fetchall(), sys.stdout)


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    try:
        if command == "load":
            load(*paths)
        else:
            dump(*paths)
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        sys.exit(
            f"{paths[-1]}: {error}: another connection, perhaps of the application, has locked it for "
            f"{BUSY_TIMEOUT_S:g} s"
        )
