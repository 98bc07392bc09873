"""A second query in a loop, found by counting: real servers under Valgrind, real commits."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_webbench.runs.store import read_run
from tests.flow.repository import commit, git

CONFTEST = """
from pathlib import Path

from pytest_webbench import Answer, BodyRule, Exchange, NoDataset, Request, Scenario, Stack, Suite, Amount

LIST = Exchange(
    request=Request(path="/orders"),
    answer=Answer(rule=BodyRule.JSON, json=[{"id": key, "buyer": f"buyer {key}"} for key in range(20)]),
)


def pytest_webbench_suites():
    return [Suite(name="orders", dataset=NoDataset())]


def pytest_webbench_scenarios():
    amount = Amount(requests=20)
    return [Scenario(name="list", suite="orders", users=1, amount=amount, traffic=lambda *_: [LIST] * 200)]


def pytest_webbench_stacks():
    command = "{python} -m gunicorn --threads 2 --timeout 600 --keep-alive 600 --bind {bind} shop.web".split()
    ready = Exchange(request=Request(path="/ready"), answer=Answer())
    folder = Path(__file__).parent / "app"
    return [Stack(name="shop", suite="orders", folder=folder, command=tuple(command), ready=ready)]
"""
WEB = """
import json
import sqlite3

from shop.orders import list_orders

database = sqlite3.connect(":memory:", check_same_thread=False)
database.executescript('''
    CREATE TABLE buyers (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INTEGER);
''')
database.executemany("INSERT INTO buyers VALUES (?, ?)", [(key, f"buyer {key}") for key in range(20)])
database.executemany("INSERT INTO orders VALUES (?, ?)", [(key, key) for key in range(20)])


def application(environ, start_response):
    body = json.dumps(list_orders(database)).encode() if environ["PATH_INFO"] == "/orders" else b"ready"
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
JOIN = """
ALL = "SELECT orders.id, buyers.name FROM orders JOIN buyers ON buyers.id = buyer ORDER BY orders.id"


def list_orders(database):
    return [{"id": key, "buyer": name} for key, name in database.execute(ALL)]
"""
LOOP = """
ALL = "SELECT id, buyer FROM orders ORDER BY id"
BUYER = "SELECT name FROM buyers WHERE id = ?"


def list_orders(database):
    return [{"id": key, "buyer": name_of(database, buyer)} for key, buyer in database.execute(ALL)]


def name_of(database, buyer):
    (name,) = database.execute(BUYER, (buyer,)).fetchone()
    return name
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    app = tmp_path / "app" / "shop"
    app.mkdir(parents=True)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / ".gitignore").write_text(".webbench\n__pycache__\nresults\n")
    (app / "__init__.py").touch()
    (app / "web.py").write_text(WEB)
    (app / "orders.py").write_text(JOIN)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path, "one query")
    (app / "orders.py").write_text(LOOP)
    commit(tmp_path, "a query for each order")
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("valgrind"), reason="needs Valgrind")
def test_a_query_in_a_loop_is_named_with_its_calls_and_its_line(repository: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--webbench",
        "--webbench-stack=shop",
    ]
    command += ["--webbench-measure=instructions", "--webbench-launcher=process", "--webbench-against=HEAD~1"]
    command += ["--webbench-markdown=results/counts.md", "-x"]
    locks = tmp_path / "locks"
    done = subprocess.run(
        command,
        cwd=repository,
        env={**os.environ, "WEBBENCH_LOCK_DIR": str(locks)},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    line = 1 + LOOP.splitlines().index("    (name,) = database.execute(BUYER, (buyer,)).fetchone()")
    call = f"+20 calls of Connection.execute from shop/orders.py:{line}"
    (folder,) = (repository / ".webbench").glob("2*")
    page, markdown = (folder / "report.html").read_text(), (repository / "results/counts.md").read_text()
    for text in (done.stdout, markdown, page):
        assert "What grew in list[shop]" in text.replace("\\", "")
        assert call in text.replace("\\", "")
        assert "sqlite3VdbeExec" in text or "SQLite (" in text
    (grown,) = read_run(folder).grown
    assert grown.note == ""
    assert [(each.place.file, each.change) for each in grown.calls if "execute" in each.place.called] == [
        ("shop/orders.py", 20.0)
    ]
    assert json.loads((folder / "comparisons.json").read_text())["grown"]
