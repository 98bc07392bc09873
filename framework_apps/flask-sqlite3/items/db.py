"""The SQLite file: its settings, its table, and a connection for each request that asks for one."""

import sqlite3

import click
from flask import Flask, current_app, g

# With WAL, readers and a writer do not block each other; with NORMAL, a power cut may lose the last
# transactions but corrupts nothing; a writer waits up to 5 s for its turn.
PRAGMAS = """
    PRAGMA busy_timeout=5000;
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=NORMAL;
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


def init_db() -> None:
    with current_app.open_resource("schema.sql", "r") as file:
        get_db().executescript(file.read())


@click.command("init-db")
def init_db_command() -> None:
    """Create the table."""
    init_db()
    click.echo("Initialized the database.")


def init_app(app: Flask) -> None:
    app.teardown_appcontext(close_db)
    app.cli.add_command(init_db_command)
