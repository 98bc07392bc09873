"""The SQLite file: the same settings in all applications, and no race when two workers start at once."""

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

import httpx
import pytest

COLUMNS = {
    "id": "INTEGER",
    "name": "VARCHAR(100)",
    "description": "TEXT",
    "price": "REAL",
    "quantity": "INTEGER",
}
TABLE = (
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT NOT NULL,"
    " price REAL NOT NULL, quantity INTEGER NOT NULL)"
)
LAMP = {"name": "Lamp", "description": "Brass, green shade.", "price": 19.5, "quantity": 7}

StartApp = Callable[[Path], AbstractContextManager[str]]


class Stack(Protocol):
    """What these tests ask of a stack."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...


def run_in_app(code: str, stack: Stack, python: Path, environment: dict[str, str]) -> str:
    """Run code with the application's interpreter, from its folder; return what it prints."""
    result = subprocess.run(
        [str(python), "-W", "error", "-c", code],
        cwd=stack.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# --- settings

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


def test_settings(
    stack: Stack, app_python: Path, app_environment: dict[str, str], app_url: str, database_path: Path
) -> None:
    """The settings of a connection that the application opens, in its own way."""
    code = OPEN_CONNECTION[stack.name] + ASK % list(PRAGMAS)
    assert json.loads(run_in_app(code, stack, app_python, app_environment)) == PRAGMAS


# --- start


def columns(database: Path) -> dict[str, str]:
    with closing(sqlite3.connect(database)) as connection:
        table = connection.execute("PRAGMA table_info(items)").fetchall()
    assert all(not_null or key for _, _, _, not_null, _, key in table)
    assert [name for _, name, _, _, _, key in table if key] == ["id"]
    return {name: kind.upper() for _, name, kind, *_ in table}


def journal_mode(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_start_without_a_file(start_app: StartApp, tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    with start_app(database) as url:
        assert httpx.post(f"{url}/items/", json=LAMP).json() == {"id": 1, **LAMP}
        assert httpx.get(f"{url}/items/").json() == [{"id": 1, **LAMP}]
    assert columns(database) == COLUMNS
    assert journal_mode(database) == "wal"


def test_start_with_a_file_that_others_made(start_app: StartApp, tmp_path: Path) -> None:
    database = tmp_path / "given.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO items VALUES (41, :name, :description, :price, :quantity)", LAMP)
        connection.commit()
    with start_app(database) as url:
        assert httpx.get(f"{url}/items/").json() == [{"id": 41, **LAMP}]
        assert httpx.post(f"{url}/items/", json=LAMP).json() == {"id": 42, **LAMP}
    assert columns(database) == COLUMNS
    assert journal_mode(database) == "wal"


START = {
    "fastapi-sqlalchemy": "from app.database import create_table as start",
    "fastapi-sqlite3": "from app.database import create_table as start",
    "flask-sqlalchemy": "from items import create_app as start",
    "flask-sqlite3": "from app import app; from items import db; start = lambda: db.init_app(app)",
}
START_AT_ONCE = """
import multiprocessing
from pathlib import Path

def run(barrier):
    barrier.wait()
    start()

context = multiprocessing.get_context("fork")
for _ in range(10):
    for file in Path({database!r}).parent.glob("*.db*"):
        file.unlink()
    barrier = context.Barrier(8)
    workers = [context.Process(target=run, args=(barrier,)) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
"""


def test_workers_that_start_at_once(
    stack: Stack, app_python: Path, app_environment: dict[str, str], tmp_path: Path
) -> None:
    """Eight workers prepare one absent file, ten times over."""
    if stack.name not in START:
        pytest.skip("prepared by a command, once")
    database = str(tmp_path / "raced.db")
    code = f"{START[stack.name]}\n{START_AT_ONCE.format(database=database)}"
    run_in_app(code, stack, app_python, {**app_environment, "DATABASE_PATH": database})
    assert columns(Path(database)) == COLUMNS
