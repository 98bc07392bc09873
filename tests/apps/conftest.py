"""The five applications, each in an environment of its own, served as the benchmark serves them."""

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock
from uv import find_uv_bin

APPS = Path(__file__).parents[2] / "framework_apps"
UVICORN = ("app:app", "--worker-class", "uvicorn_worker.UvicornWorker")
GTHREAD = ("app:app", "--worker-class", "gthread")

TABLE = (
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL, description TEXT NOT NULL,"
    " price REAL NOT NULL, quantity INTEGER NOT NULL)"
)

Item = dict[str, Any]
Seed = Callable[[Sequence[Item]], None]
NewClient = Callable[[str], httpx.Client]
StartApp = Callable[[Path], AbstractContextManager[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """How one application is prepared and served."""

    name: str
    gunicorn: tuple[str, ...]
    prepare: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return APPS / self.name


STACKS = (
    Stack(name="fastapi-sqlalchemy", gunicorn=UVICORN),
    Stack(name="fastapi-sqlite3", gunicorn=UVICORN),
    Stack(name="flask-sqlalchemy", gunicorn=GTHREAD),
    Stack(name="flask-sqlite3", gunicorn=GTHREAD),
    Stack(
        name="django-drf",
        gunicorn=("config.wsgi:application", "--worker-class", "gthread"),
        prepare=("manage.py", "migrate", "--fake-initial", "--verbosity=0"),
    ),
)

SAME_FRAMEWORK = {"fastapi-sqlalchemy", "flask-sqlalchemy"}
"""Stacks whose framework another one has, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave hostile input to the slow tier where another stack tries the same framework."""
    for item in items:
        if item.get_closest_marker("hostile") and isinstance(item, pytest.Function):
            stack = item.callspec.params["stack"]
            if isinstance(stack, Stack) and stack.name in SAME_FRAMEWORK:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", params=STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    chosen = request.param
    assert isinstance(chosen, Stack)
    return chosen


@pytest.fixture(scope="session")
def app_python(stack: Stack) -> Path:
    """The interpreter of the application's environment, made from its lock and kept for the next run."""
    lock = stack.folder / "requirements" / "current.lock"
    version = os.environ.get("WEBBENCH_APPS_PYTHON", sys.executable)
    key = hashlib.sha256(version.encode() + lock.read_bytes()).hexdigest()[:16]
    environment = Path(tempfile.gettempdir()) / f"webbench-apps-{os.getuid()}" / f"{stack.name}-{key}"
    python = environment / "bin" / "python"
    complete = environment / "complete"
    environment.parent.mkdir(exist_ok=True)
    with FileLock(f"{environment}.lock"):
        if not complete.exists():
            shutil.rmtree(environment, ignore_errors=True)
            uv = find_uv_bin()
            subprocess.run([uv, "venv", "--quiet", "--python", version, environment], check=True)
            install = [uv, "pip", "install", "--quiet", "--require-hashes"]
            subprocess.run([*install, f"--python={python}", f"--requirements={lock}"], check=True)
            complete.touch()
    return python


@pytest.fixture(scope="session")
def app_environment(database_path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    bytecode = tmp_path_factory.mktemp("bytecode")
    return {**os.environ, "DATABASE_PATH": str(database_path), "PYTHONPYCACHEPREFIX": str(bytecode)}


@pytest.fixture(scope="session")
def database_path(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(stack.name) / "items.db"


@pytest.fixture(scope="session")
def app_log(database_path: Path) -> Path:
    log = database_path.with_name("server.log")
    log.touch()
    return log


@contextlib.contextmanager
def serve(stack: Stack, python: Path, environment: dict[str, str], log: Path) -> Iterator[str]:
    """Serve a stack on a port that the kernel picks, and yield its URL."""
    if stack.prepare:
        subprocess.run([python, *stack.prepare], cwd=stack.folder, env=environment, check=True)
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("ab") as output:
        port = listener.getsockname()[1]
        options = ("--workers=2", "--threads=2", "--no-control-socket", f"--bind=fd://{listener.fileno()}")
        server = subprocess.Popen(
            [str(python), "-m", "gunicorn", *stack.gunicorn, *options],
            cwd=stack.folder,
            env=environment,
            stdout=output,
            stderr=output,
            pass_fds=(listener.fileno(),),
            start_new_session=True,
        )
    # The socket listens already, and is now the server's alone: a request waits until a worker is up, and
    # fails at once if the server dies.
    try:
        url = f"http://127.0.0.1:{port}"
        httpx.get(f"{url}/hello", timeout=60, trust_env=False).raise_for_status()
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture(scope="session")
def app_url(stack: Stack, app_python: Path, app_environment: dict[str, str], app_log: Path) -> Iterator[str]:
    """The URL of a served application."""
    with serve(stack, app_python, app_environment, app_log) as url:
        yield url


@pytest.fixture
def start_app(stack: Stack, app_python: Path, app_environment: dict[str, str], app_log: Path) -> StartApp:
    """A function that serves the application once more, with another database."""

    def start(database: Path) -> AbstractContextManager[str]:
        return serve(stack, app_python, {**app_environment, "DATABASE_PATH": str(database)}, app_log)

    return start


@pytest.fixture
def new_client() -> NewClient:
    # Without TLS and proxies, as setting up either costs more than most tests.
    return lambda url: httpx.Client(base_url=url, timeout=60, verify=False, trust_env=False)


@pytest.fixture
def client(app_url: str, new_client: NewClient) -> Iterator[httpx.Client]:
    with new_client(app_url) as client:
        yield client


@pytest.fixture
def seed(app_url: str, database_path: Path) -> Seed:
    """Replace what the database holds, as the harness does between two scenarios."""

    def restore(items: Sequence[Item]) -> None:
        with contextlib.closing(sqlite3.connect(":memory:")) as source:
            source.execute(TABLE)
            source.executemany(
                "INSERT INTO items VALUES (:id, :name, :description, :price, :quantity)", items
            )
            source.commit()
            with contextlib.closing(sqlite3.connect(database_path, timeout=30)) as target:
                source.backup(target)

    return restore


@pytest.fixture(autouse=True)
def _quiet_log(app_log: Path) -> Iterator[None]:
    """Fail the test during which the server logged an exception."""
    start = app_log.stat().st_size
    yield
    logged = app_log.read_bytes()[start:].decode()
    assert "Traceback" not in logged, logged
    assert "Warning" not in logged, logged
