"""The engine, its SQLite settings, and a session for each request.

`python -m app.database` creates the tables.
"""

import os
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import event
from sqlmodel import Session, SQLModel, create_engine

DATABASE_PATH = os.environ.get("DATABASE_PATH", "items.db")

# FastAPI's thread pool limits the number of connections. With a smaller limit here, a burst of requests could
# deadlock: every thread waits for a connection, and every connection for a thread to finish its request.
engine = create_engine(f"sqlite:///{DATABASE_PATH}", max_overflow=-1)


@event.listens_for(engine, "connect")
def set_sqlite_pragmas(dbapi_connection: Any, _connection_record: Any) -> None:
    # With WAL, readers and a writer do not block each other; with NORMAL, a power cut may lose the last
    # transactions but corrupts nothing; a writer waits up to 5 s for its turn.
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA busy_timeout=5000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def create_db_and_tables() -> None:
    SQLModel.metadata.create_all(engine)


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]

if __name__ == "__main__":
    from . import models  # noqa: F401 - registers the tables

    create_db_and_tables()
