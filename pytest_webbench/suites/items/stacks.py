"""The five stacks: FastAPI, Flask and Django, with raw SQLite or an object-relational mapper."""

from pathlib import Path

from pytest_webbench.model.stack import Stack
from pytest_webbench.suites.items.scenarios import HELLO

__all__ = ["DOCKERFILE", "STACKS"]

SQLITE_SETTINGS = {
    "database": "SQLite in a file",
    "journal_mode": "WAL",
    "synchronous": "NORMAL",
    "busy_timeout_ms": "5000",
}
"""The connection settings of every application; a test queries each of them."""


def _apps_folder() -> Path:
    """Return the applications' folder: in the package if installed, next to it in a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "framework_apps"
    return installed if installed.is_dir() else package.parent / "framework_apps"


DOCKERFILE = _apps_folder() / "Dockerfile"
"""The recipe for the containers of these stacks, and of others with a lock."""


def _stack(
    name: str, title: str, *, worker_class: str, application: str, prepare: str, packages: str
) -> Stack:
    return Stack(
        name=name,
        title=title,
        folder=_apps_folder() / name,
        command=(
            "{python}",
            "-m",
            "gunicorn",
            "--worker-class",
            worker_class,
            "--workers",
            "{workers}",
            "--threads",
            "{threads}",
            "--bind",
            "{bind}",
            application,
        ),
        prepare=(("{python}", *prepare.split()),),
        env=(("DATABASE_PATH", "{data_dir}/items.db"),),
        lock="requirements/{versions}.lock",
        ready=HELLO,
        packages=(*packages.split(), "gunicorn"),
        settings={"worker_class": worker_class, **SQLITE_SETTINGS},
    )


UVICORN = "uvicorn_worker.UvicornWorker"
CREATE_TABLES, INIT_DB, MIGRATE = "-m app.database", "-m flask init-db", "manage.py migrate"

STACKS = (
    _stack(
        "fastapi-sqlalchemy",
        "FastAPI with SQLModel",
        worker_class=UVICORN,
        application="app.main:app",
        prepare=CREATE_TABLES,
        packages="fastapi sqlmodel sqlalchemy pydantic uvicorn uvloop httptools",
    ),
    _stack(
        "fastapi-sqlite3",
        "FastAPI with sqlite3",
        worker_class=UVICORN,
        application="app.main:app",
        prepare=CREATE_TABLES,
        packages="fastapi pydantic uvicorn uvloop httptools",
    ),
    _stack(
        "flask-sqlalchemy",
        "Flask with Flask-SQLAlchemy",
        worker_class="gthread",
        application="app:app",
        prepare=INIT_DB,
        packages="flask flask-sqlalchemy sqlalchemy pydantic",
    ),
    _stack(
        "flask-sqlite3",
        "Flask with sqlite3",
        worker_class="gthread",
        application="app:app",
        prepare=INIT_DB,
        packages="flask pydantic",
    ),
    _stack(
        "django-drf",
        "Django with Django REST framework",
        worker_class="gthread",
        application="config.wsgi:application",
        prepare=MIGRATE,
        packages="django djangorestframework",
    ),
)
