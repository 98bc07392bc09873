"""The engine, its SQLite settings, the table, a session for each request."""

import os
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends
from models import Item
from sqlalchemy import event
from sqlalchemy.schema import CreateTable
from sqlmodel import Session, create_engine

DATABASE_PATH = os.environ.get("DATABASE_PATH", "items.db")

engine = create_engine(f"sqlite:///{DATABASE_PATH}")


@event.listens_for(engine, "connect")
def set_sqlite_pragmas(dbapi_connection: Any, _connection_record: Any) -> None:
    # WAL lets readers and a writer work side by side; with it, NORMAL loses at most the last transactions in a
    # power cut, and corrupts nothing; a writer waits up to 5 s for its turn.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def create_table() -> None:
    # Not metadata.create_all(): it looks and then creates, and another worker may create in between.
    with engine.begin() as connection:
        connection.execute(CreateTable(Item.__table__, if_not_exists=True))


def get_session() -> Iterator[Session]:
    # An answer says what this request wrote, so nothing needs to be read again after the commit.
    with Session(engine, expire_on_commit=False) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
