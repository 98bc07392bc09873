"""A real container engine, and a stack without dependencies to run on it."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from docker.models.containers import Container

from pytest_webbench.host.leftovers import Owner
from pytest_webbench.model.errors import EngineError
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.container import ContainerLauncher, Limits
from pytest_webbench.stacks.docker.engine import Engine, connect
from pytest_webbench.stacks.docker.image import base_image_id
from pytest_webbench.stacks.docker.labels import OWNER
from pytest_webbench.suites.items.stacks import DOCKERFILE

BASE_IMAGE = "python:3.13-slim"

SERVER = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b"hello"
        if self.path == "/eat":
            self.server.eaten = bytearray(os.urandom(1024)) * (256 * 1024)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass

host, port = sys.argv[1:3]
print("the server begins", flush=True)
http.server.HTTPServer((host, int(port)), Handler).serve_forever()
"""


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine; without one the test is skipped, or fails where one is required."""
    try:
        engine = connect()
        base_image_id(engine, BASE_IMAGE)
    except EngineError as error:
        if os.environ.get("WEBBENCH_REQUIRE_ENGINE"):
            pytest.fail(f"an engine is required here: {error}", pytrace=False)
        pytest.skip(str(error.message))
    yield engine
    engine.close()


MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> MakeStack:
    """Makes a stack of one file and no dependencies.

    Another ``program`` is part of the command, so that the image is the same.
    """

    def make(
        server: str = SERVER, name: str = "tiny", lock: str = "# no dependencies\n", program: str = ""
    ) -> Stack:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "server.py").write_text(server)
        (folder / "current.lock").write_text(lock)
        return Stack(
            name=name,
            folder=folder,
            command=("{python}", *(("-c", program) if program else ("server.py",)), "{host}", "{port}"),
            lock="current.lock",
            ready=Exchange(request=Request(path="/"), answer=Answer(status=200)),
        )

    return make


MakeLauncher = Callable[..., ContainerLauncher]


@pytest.fixture
def make_launcher(engine: Engine, tmp_path: Path) -> MakeLauncher:
    """Makes a launcher on the engine."""

    def make(
        *,
        on: Engine = engine,
        dockerfile: Path = DOCKERFILE,
        limits: Limits | None = None,
        packages: Sequence[str] = (),
        base_image: str = BASE_IMAGE,
        start_timeout_s: float = 20.0,
    ) -> ContainerLauncher:
        return ContainerLauncher(
            on,
            dockerfile=dockerfile,
            base_image=base_image,
            logs=tmp_path / "logs",
            limits=limits,
            packages=packages,
            start_timeout_s=start_timeout_s,
        )

    return make


@pytest.fixture
def leftovers(engine: Engine) -> Iterator[Callable[[], set[str]]]:
    """What is on the engine now, but for images; at the end it must be what it was before."""

    def listing() -> set[str]:
        client = engine.client
        others = [each for each in client.containers.list(all=True) if _is_of_another_run(each)]
        theirs = {mount.get("Name") for each in others for mount in each.attrs["Mounts"]}
        return {
            *(f"container {each.name}" for each in client.containers.list(all=True) if each not in others),
            *(f"volume {each.name}" for each in client.volumes.list() if each.name not in theirs),
            *(f"network {each.name}" for each in client.networks.list()),
        }

    before = listing()
    yield listing
    assert listing() == before


def _is_of_another_run(container: Container) -> bool:
    """Whether somebody else's run is at work on the engine: its owner lives and is none of our processes."""
    owner = Owner.parse(container.labels.get(OWNER, ""))
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    return owner is not None and owner.lives() and owner.pid not in ours
