"""The five applications, launched once each, as the benchmark launches them."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from pytest_webbench.model.stack import VERSION_SETS, Stack
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.environment import default_cache, ensure_environment, fill_in
from pytest_webbench.stacks.process import ProcessLauncher, RunningProcess
from pytest_webbench.suites.items import STACKS
from pytest_webbench.suites.items.dataset import ItemsDataset

Item = dict[str, Any]
Seed = Callable[[Sequence[Item]], None]
NewClient = Callable[[], httpx.Client]
RunInApp = Callable[[Sequence[str], Path], str]


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(
            (stack, versions),
            id=stack.name if versions == "current" else f"{stack.name}-{versions}",
            marks=[] if versions == "current" else pytest.mark.slow,
        )
        for versions in VERSION_SETS
        for stack in STACKS
    ],
)
def chosen(request: pytest.FixtureRequest) -> tuple[Stack, str | None]:
    """A stack, and the Python that its versions need."""
    stack, versions = request.param
    python = VERSION_SETS[versions].python or os.environ.get("WEBBENCH_APPS_PYTHON")
    return with_versions(stack, VERSION_SETS[versions]), python


@pytest.fixture(scope="session")
def stack(chosen: tuple[Stack, str | None]) -> Stack:
    return chosen[0]


@pytest.fixture(scope="session")
def app(
    chosen: tuple[Stack, str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningProcess]:
    """The application, which all of its tests share."""
    stack, python = chosen
    logs = tmp_path_factory.mktemp("logs")
    launcher = ProcessLauncher(cache=default_cache(), logs=logs, python=python, start_timeout_s=120)
    with launcher.start(stack) as running:
        yield running


@pytest.fixture(scope="session")
def database_path(app: RunningProcess) -> Path:
    return app.data_dir / "items.db"


@pytest.fixture
def new_client(app: RunningProcess) -> NewClient:
    # Without TLS and proxies, as setting up either costs more than most tests.
    return lambda: httpx.Client(base_url=app.base_url, timeout=60, verify=False, trust_env=False)


@pytest.fixture
def client(new_client: NewClient) -> Iterator[httpx.Client]:
    with new_client() as client:
        yield client


@pytest.fixture
def seed(app: RunningProcess) -> Seed:
    """Replace what the database holds, as it is done before each round."""
    dataset = ItemsDataset()

    def restore(items: Sequence[Item]) -> None:
        dataset.prepare(app, items)
        dataset.load(app)

    return restore


@pytest.fixture
def run_in_app(chosen: tuple[Stack, str | None]) -> RunInApp:
    """Run a command in the application's folder and environment, on another database; what it prints."""
    stack, wanted = chosen
    python = str(ensure_environment(stack, default_cache(), wanted))

    def run(command: Sequence[str], folder: Path) -> str:
        fill: Mapping[str, str] = {"python": python, "data_dir": str(folder)}
        environment = {name: fill_in(value, fill) for name, value in stack.env}
        done = subprocess.run(
            [fill_in(word, fill) for word in command],
            cwd=stack.folder,
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
