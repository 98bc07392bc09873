"""The examples of the documentation, run as a reader would run them: real servers, real loads."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"

pytestmark = pytest.mark.xdist_group("examples")


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--webbench"]
    return subprocess.run(
        [*command, "--webbench-profile=smoke", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def passed(result: subprocess.CompletedProcess[str]) -> set[str]:
    """The tests that passed; all that ran must have."""
    assert result.returncode == pytest.ExitCode.OK, result.stdout + result.stderr
    return {line.split("::")[-1] for line in result.stdout.splitlines() if line.startswith("PASSED ")}


@pytest.fixture
def example(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return Path(shutil.copytree(EXAMPLES / request.param, tmp_path / "example"))


@pytest.mark.parametrize(
    ("example", "words", "names"),
    [
        ("shop", ["--webbench-stack=shop*"], {"price[shop-starlette]"}),
        ("notes", ["--webbench-stack=notes*"], {"read_note[notes-flask]", "add_note[notes-flask]"}),
        (
            "variant",
            ["--webbench-stack=flask-sqlite3-1-thread", "--webbench-scenario=get_missing"],
            {"get_missing[flask-sqlite3-1-thread]"},
        ),
        (
            "variant",
            ["--webbench-stack=flask-sqlite3-1-thread", "test_speed.py"],
            {
                f"{name}[flask-sqlite3-1-thread]"
                for name in ("test_greeting_is_quick", "test_list_is_quick", "test_echo", "test_first_item")
            },
        ),
    ],
    indirect=["example"],
)
def test_a_stack_of_an_example_is_measured(example: Path, words: list[str], names: set[str]) -> None:
    assert passed(run(example, "--webbench-launcher=process", *words)) == names


@pytest.fixture
def shop() -> Iterator[int]:
    """What the example of a running server takes for granted, on a port of its own."""

    class Shop(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            number = int(self.path.rpartition("/")[2])
            body = json.dumps({"article": number, "price": number / 4}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("example", ["running"], indirect=True)
def test_a_server_that_runs_already_is_measured(example: Path, shop: int) -> None:
    conftest = example / "conftest.py"
    conftest.write_text(conftest.read_text().replace("127.0.0.1:8000", f"127.0.0.1:{shop}"))
    assert passed(run(example, "--webbench-stack=shop")) == {"price[shop]"}


def test_every_example_is_run_here() -> None:
    run_here = {"shop", "notes", "variant", "running"}
    assert {path.parent.name for path in EXAMPLES.glob("*/conftest.py")} == run_here
