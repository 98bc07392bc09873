"""Tiny applications, and a launcher with short patience."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks import process
from pytest_webbench.stacks.environment import installed_versions
from pytest_webbench.stacks.process import ProcessLauncher

APP = '''
"""A server on the socket that it inherits (--fd), or on a port of its own (--port)."""
import http.server, json, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        about = {
            "/": "ok",
            "/environment": dict(os.environ),
            "/arguments": sys.argv[1:],
            "/folder": os.getcwd(),
            "/pid": os.getpid(),
        }
        body = json.dumps(about[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

kind, value = sys.argv[1].split("=")
if kind == "--fd":
    listener = socket.socket(fileno=int(value))
else:
    listener = socket.create_server(("127.0.0.1", int(value)))
listener.listen()
server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket = listener
print("serving", flush=True)
server.serve_forever()
'''

MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> MakeStack:
    """A stack that serves ``program``, the tiny application by default."""

    def make(program: str = APP, *words: str, **changes: Any) -> Stack:
        folder = tmp_path / "app"
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(program)
        command = ("{python}", "app.py", *(words or ("--fd={fd}",)))
        return Stack(**{"name": "tiny", "folder": folder, "command": command, **changes})

    return make


@pytest.fixture
def launcher(tmp_path: Path) -> ProcessLauncher:
    return ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path / "logs", start_timeout_s=30)


known_versions = functools.cache(installed_versions)


@pytest.fixture(autouse=True)
def _ask_each_python_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's environment holds many distributions; to list them takes longer than a launch."""
    monkeypatch.setattr(process, "installed_versions", known_versions)


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary folders of launches are made where a test can see them."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
