"""The SQLite file: the table is made by a command, and the settings are the same in all applications."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from pytest_webbench.model.stack import Stack
from tests.apps.conftest import RunInApp

COLUMNS = {
    "id": "INTEGER",
    "name": "VARCHAR(100)",
    "description": "TEXT",
    "price": "REAL",
    "quantity": "INTEGER",
}
OPEN_CONNECTION = {
    "fastapi-sqlalchemy": "from app.database import engine; connection = engine.raw_connection()",
    "fastapi-sqlite3": "from app.database import connect; connection = connect()",
    "flask-sqlalchemy": "from app import app; from items.models import db; app.app_context().push();"
    " connection = db.engine.raw_connection()",
    "flask-sqlite3": "from app import app; from items.db import get_db; app.app_context().push();"
    " connection = get_db()",
    "django-drf": "import config.wsgi; from django.db import connection",
}
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 1,
    "busy_timeout": 5000,
    "cache_size": -2000,
    "page_size": 4096,
    "mmap_size": 0,
    "temp_store": 0,
    "wal_autocheckpoint": 1000,
    "locking_mode": "normal",
    "auto_vacuum": 0,
}
ASK = """
import json
cursor = connection.cursor()
print(json.dumps({name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in %r}))
connection.close()
"""


def test_every_connection_has_the_same_settings(stack: Stack, run_in_app: RunInApp, tmp_path: Path) -> None:
    """Those of a connection that the application opens, in its own way."""
    code = OPEN_CONNECTION[stack.name] + ASK % list(PRAGMAS)
    assert json.loads(run_in_app(["{python}", "-c", code], tmp_path)) == PRAGMAS


def test_the_table_is_made_by_a_command_that_may_run_again(
    stack: Stack, run_in_app: RunInApp, tmp_path: Path
) -> None:
    columns, row = ", ".join(COLUMNS), (41, "Lamp", "Brass, green shade.", 19.5, 7)
    for command in stack.prepare:
        run_in_app(command, tmp_path)
    with closing(sqlite3.connect(tmp_path / "items.db")) as database:
        table = database.execute("PRAGMA table_info(items)").fetchall()
        assert {name: kind.upper() for _, name, kind, *_ in table} == COLUMNS
        assert [name for _, name, _, _, _, key in table if key] == ["id"]
        assert all(not_null or key for _, _, _, not_null, _, key in table)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.execute(f"INSERT INTO items ({columns}) VALUES (?, ?, ?, ?, ?)", row)
        database.commit()
    for command in stack.prepare:
        run_in_app(command, tmp_path)
    with closing(sqlite3.connect(tmp_path / "items.db")) as database:
        assert database.execute(f"SELECT {columns} FROM items").fetchall() == [row]
