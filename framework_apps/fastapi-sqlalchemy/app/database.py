"""The engine, its SQLite settings, the table, a session for each request."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import event
from sqlmodel import Session, SQLModel, create_engine

DATABASE_PATH = os.environ.get("DATABASE_PATH", "items.db")

# Without a bound on the pool: FastAPI's threads are the bound. With two, a burst of requests can come to a
# standstill, all threads waiting for a connection, and all connections held until a thread checks the answer.
engine = create_engine(f"sqlite:///{DATABASE_PATH}", max_overflow=-1)


@event.listens_for(engine, "connect")
def set_sqlite_pragmas(dbapi_connection: Any, _connection_record: Any) -> None:
    # WAL lets readers and a writer work side by side; with it, NORMAL loses at most the last transactions in
    # a power cut, and corrupts nothing; a writer waits up to 5 s for its turn.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def create_table() -> None:
    # One worker at a time: SQLite does not queue a switch to WAL while another is made, but refuses it.
    with Path(f"{DATABASE_PATH}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        SQLModel.metadata.create_all(engine)


def get_session() -> Iterator[Session]:
    # An answer says what this request wrote, so nothing needs to be read again after the commit.
    with Session(engine, expire_on_commit=False) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
