"""The table, the SQLite settings of the engine below it, and the command that creates it."""

from typing import Any

import click
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import REAL, String, Text, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Item(db.Model):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    price: Mapped[float] = mapped_column(REAL)
    quantity: Mapped[int]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "price": self.price,
            "quantity": self.quantity,
        }


def set_sqlite_pragmas(dbapi_connection: Any, _connection_record: Any) -> None:
    # With WAL, readers and a writer do not block each other; with NORMAL, a power cut may lose the last
    # transactions but corrupts nothing; a writer waits up to 5 s for its turn.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


@click.command("init-db")
def init_db_command() -> None:
    """Create the table."""
    db.create_all()
    click.echo("Initialized the database.")


def init_app(app: Flask) -> None:
    db.init_app(app)
    with app.app_context():
        event.listen(db.engine, "connect", set_sqlite_pragmas)
    app.cli.add_command(init_db_command)
