"""Stacks of the items suite without applications, and an engine without load.

An answering double is an application in memory that this process serves: the check before timing asks
it over HTTP, as it asks every stack. The load itself is worked out by the public
:class:`~pytest_webbench.load.fake.FakeEngine`; what it would have written is written.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_webbench.host.meters.fake import FakeProfiler
from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import StackError
from pytest_webbench.model.http import EffectKind, Exchange, Request
from pytest_webbench.model.load import ConnectionProbe, ErrorClass, Load, LoadResult, nothing
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.fake import FakeLauncher, FakeStack

COLUMNS = ("id", "name", "description", "price", "quantity")
Reply = tuple[int, Any]
NO_BODY = object()


# --- an application in memory -----------------------------------------------------------------------


@dataclass(kw_only=True)
class ItemsApp:
    """What a right implementation of the contract does; ``greeting`` is what /hello says."""

    greeting: str = "Hello, World!"
    headers: Callable[[], Mapping[str, str]] = dict
    items: dict[int, dict[str, Any]] = field(default_factory=dict)

    def answer(self, method: str, path: str, body: bytes) -> Reply:
        """The status and the value to send as JSON."""
        try:
            sent = json.loads(body) if body else None
        except ValueError:
            return 422, {"detail": "no JSON"}
        match method, path:
            case _, "/hello":
                return 200, {"message": self.greeting}
            case _, "/echo":
                return 200, sent
            case "GET", "/items/":
                return 200, list(self.items.values())
            case "POST", "/items/":
                return self._create(sent)
        return self._one(method, int(path.removeprefix("/items/")), sent)

    def _one(self, method: str, key: int, sent: Any) -> Reply:
        if key not in self.items:
            return 404, {"detail": "not found"}
        if method == "DELETE":
            del self.items[key]
            return 204, NO_BODY
        if method == "PUT":
            self.items[key] = {"id": key, **sent}
        return 200, self.items[key]

    def _create(self, sent: Any) -> Reply:
        if not isinstance(sent, dict) or set(sent) != set(COLUMNS[1:]):
            return 422, {"detail": "wrong fields"}
        if not isinstance(sent["price"], float) or sent["quantity"] < 0:
            return 422, {"detail": "wrong values"}
        return 201, self.insert(sent)

    def insert(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """A new item."""
        key = max(self.items, default=0) + 1
        self.items[key] = {"id": key, **columns}
        return self.items[key]

    def carry_out(self, exchange: Exchange) -> None:
        """What the request of ``exchange`` changes."""
        effect = exchange.effect
        if effect is None:
            return
        if effect.kind is EffectKind.INSERT:
            self.insert(effect.record)
        elif effect.kind is EffectKind.REMOVE:
            del self.items[effect.key or 0]
        else:
            self.items[effect.key or 0] = {"id": effect.key, **effect.record}


class AppServer(ThreadingTCPServer):
    """Serves every app under a path of its own: ``http://127.0.0.1:port/name-of-the-launch``."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.apps: dict[str, ItemsApp] = {}

    def add(self, name: str, app: ItemsApp) -> str:
        """The URL under which ``app`` now answers."""
        launch = f"{name}-{len(self.apps)}"
        self.apps[launch] = app
        return f"http://127.0.0.1:{self.server_address[1]}/{launch}"

    def app_at(self, base_url: str) -> ItemsApp:
        """The app that responds at ``base_url``."""
        return self.apps[urlsplit(base_url).path.strip("/")]


class _Handler(StreamRequestHandler):
    """As much of HTTP/1.1 as the check sends: that of the standard library takes longer than all else."""

    disable_nagle_algorithm = True
    server: AppServer

    def handle(self) -> None:
        while line := self.rfile.readline():
            method, target, _ = line.decode().split()
            length = 0
            while (header := self.rfile.readline()) not in {b"\r\n", b""}:
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            _, launch, path = target.split("/", 2)
            app = self.server.apps[launch]
            self._answer(*app.answer(method, f"/{path}", self.rfile.read(length)), app.headers())

    def _answer(self, status: int, value: Any, headers: Mapping[str, str]) -> None:
        content = b"" if value is NO_BODY else json.dumps(value).encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        if status != 204:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.wfile.write(f"{head}\r\n".encode() + content)


@contextmanager
def serve_apps() -> Iterator[AppServer]:
    """A server in a thread of this process."""
    with AppServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


# --- what the plugin sees ---------------------------------------------------------------------------


@dataclass(kw_only=True)
class AnsweringStack(FakeStack):
    """A :class:`FakeStack` whose ``app`` answers, and whose database is the app's."""

    app: ItemsApp
    answers: bool = True

    def execute(self, arguments: Sequence[str]) -> bytes:
        if arguments[1] == "dump":
            rows = [[item[name] for name in COLUMNS] for item in self.app.items.values()]
            return json.dumps(rows).encode()
        with closing(sqlite3.connect(":memory:")) as template:
            template.deserialize(self.files["template.db"])
            rows = template.execute(f"SELECT {', '.join(COLUMNS)} FROM items").fetchall()
        self.app.items = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows}
        return b""


class WritingEngine(FakeEngine):
    """A :class:`FakeEngine` that carries the writes out on the apps.

    ``failing`` maps names of stacks to the errors of their requests; ``interrupt_at`` is the number of
    the run, from 1, at which somebody presses Ctrl-C; ``lost_writes`` names stacks that answer, but
    store nothing.
    """

    def __init__(
        self,
        server: AppServer,
        *,
        failing: Mapping[str, Mapping[ErrorClass, int]] | None = None,
        lost_writes: Sequence[str] = (),
        interrupt_at: int | None = None,
        before_run: Callable[[Load, str], None] = lambda load, stack: None,
        latency_s: float | Mapping[tuple[str, str], float] | Callable[[Request, str], float] = 0.01,
        spread: float = 0.02,
    ) -> None:
        super().__init__(latency_s=latency_s, spread=spread)
        self._server = server
        self._failing = failing or {}
        self._lost_writes = lost_writes
        self._interrupt_at = interrupt_at
        self._before_run = before_run

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        stack = stack_of(base_url)
        self._before_run(load, stack)
        self.errors = dict(self._failing.get(stack, {}))
        result = super().run(load, base_url, look, before_start)
        if len(self.loads) == self._interrupt_at:
            raise KeyboardInterrupt
        lost = set(result.unconfirmed)
        app = self._server.app_at(base_url)
        for number in range(result.sent) if stack not in self._lost_writes else ():
            if number not in lost:
                app.carry_out(load.exchanges[number % len(load.exchanges)])
        return result


def stack_of(base_url: str) -> str:
    """The name of the stack that responds at ``base_url``."""
    return urlsplit(base_url).path.strip("/").rpartition("-")[0]


class Doubles:
    """A plugin that gives the doubles to a run, through the public hooks."""

    def __init__(
        self,
        server: AppServer,
        *,
        failures: Mapping[str, StackError] | None = None,
        greetings: Mapping[str, str] | None = None,
        headers: Callable[[str], Mapping[str, str]] = lambda stack: {},
        profiler: FakeProfiler | None = None,
        **engine: Any,
    ) -> None:
        self._server = server
        self._greetings = greetings or {}
        self._headers = headers
        self.launcher = FakeLauncher(failures=failures, make=self._make)
        self.engine = WritingEngine(server, **engine)
        self.profiler = profiler or FakeProfiler()

    def _make(self, stack: Stack) -> FakeStack:
        app = ItemsApp(
            greeting=self._greetings.get(stack.name, "Hello, World!"),
            headers=lambda: self._headers(stack.name),
        )
        return AnsweringStack(stack=stack, app=app, base_url=self._server.add(stack.name, app))

    @pytest.hookimpl
    def pytest_webbench_launcher(self) -> FakeLauncher:
        return self.launcher

    @pytest.hookimpl
    def pytest_webbench_profiler(self) -> FakeProfiler:
        return self.profiler

    @pytest.hookimpl
    def pytest_webbench_engine(self) -> WritingEngine:
        return self.engine
