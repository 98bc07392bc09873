"""The table, and the SQLite settings of the engine below it."""

import fcntl
from pathlib import Path
from typing import Any, ClassVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import REAL, String, Text, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


# An answer says what this request wrote, so nothing needs to be read again after the commit.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class Item(db.Model):
    __tablename__ = "items"
    # Of two clients that delete an item at the same time, the second finds it gone, which is what it wanted.
    __mapper_args__: ClassVar[dict[str, Any]] = {"confirm_deleted_rows": False}

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
    # WAL lets readers and a writer work side by side; with it, NORMAL loses at most the last transactions in
    # a power cut, and corrupts nothing; a writer waits up to 5 s for its turn.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def init_app(app: Flask) -> None:
    db.init_app(app)
    with app.app_context():
        event.listen(db.engine, "connect", set_sqlite_pragmas)
        # One worker at a time: SQLite does not queue a switch to WAL while another is made, but refuses it.
        with Path(f"{db.engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            db.create_all()
