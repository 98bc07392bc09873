"""What counts as a call, and under which name: the same in every Python."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pytest_webbench.analysis.calls import plain_name
from pytest_webbench.host.meters.calls import COUNTER

APP = """
import asyncio, dataclasses, functools, sqlite3, threading, time


class Base:
    def __init__(self):
        self.one = 1


class Thing(Base):
    def __init__(self):
        super().__init__()

    @property
    def helped(self):
        return self.help()

    def help(self):
        return 1


@dataclasses.dataclass
class Point:
    x: int


def two():
    yield 1
    yield 2


def walk(depth):
    if depth:
        walk(depth - 1)


async def outer():
    return await inner()


async def inner():
    await asyncio.sleep(0)


def work(database):
    Thing().helped
    Point(1)
    list(two())
    [len(str(each)) for each in range(3)]
    sum(abs(each) for each in (1, 2))
    walk(2)
    for _ in range(20):
        database.execute("select 1").fetchone()
    time.time()
    sorted([1, 2], key=lambda each: each)
    functools.partial(walk, 0)()
    asyncio.run(outer())


def in_a_thread():
    thread = threading.Thread(target=walk, args=(0,))
    thread.start()
    thread.join()
"""
RUN = """
import importlib.util, pathlib, sqlite3, sys
spec = importlib.util.spec_from_file_location("call_counter", sys.argv[1])
counting = importlib.util.module_from_spec(spec)
spec.loader.exec_module(counting)
folder = pathlib.Path(sys.argv[2])
state = folder / "state"
state.write_bytes(bytes(1))
import app
database = sqlite3.connect(":memory:")
getattr(counting, "by_monitoring" if hasattr(sys, "monitoring") else "by_profile")(
    counting.Counter(str(folder))
)


def tell(number):
    with state.open("r+b") as file:
        file.write(bytes([number]))


app.work(database)
tell(1)
app.work(database)
app.in_a_thread()
tell(2)
app.work(database)
"""


@pytest.mark.parametrize("python", [sys.executable, "python3.11", "python3.12"])
def test_calls_have_the_same_names_and_numbers_in_every_python(python: str, tmp_path: Path) -> None:
    there = shutil.which(python)
    if not there or subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip(f"{python} is not installed")
    (tmp_path / "app.py").write_text(APP)
    subprocess.run([python, "-c", RUN, COUNTER, tmp_path], cwd=tmp_path, check=True, timeout=60)
    (written,) = tmp_path.glob("calls.*")
    (folder,), *rows = map(json.loads, written.read_text().splitlines())
    assert folder == str(tmp_path)
    found: Counter[tuple[str, str]] = Counter()
    for file, function, _, called, count in rows:
        if file == str(tmp_path / "app.py"):
            found[plain_name(function), plain_name(called)] += count
    unseen_by_profiles = {"str", "range", "list", "super", "partial", "enumerate"}
    assert {key: count for key, count in found.items() if key[1] not in unseen_by_profiles} == {
        ("work", "Thing"): 1,
        ("Thing.__init__", "Base.__init__"): 1,
        ("work", "Thing.helped"): 1,
        ("Thing.helped", "Thing.help"): 1,
        ("work", "Point"): 1,
        ("work", "two"): 1,
        ("work", "len"): 3,
        ("work", "sum"): 1,
        ("work", "abs"): 2,
        ("work", "walk"): 2,
        ("walk", "walk"): 2,
        ("work", "Connection.execute"): 20,
        ("work", "Cursor.fetchone"): 20,
        ("work", "time.time"): 1,
        ("work", "sorted"): 1,
        ("work", "work.<lambda>"): 2,
        ("work", "run"): 1,
        ("outer", "inner"): 1,
        ("inner", "sleep"): 1,
        ("in_a_thread", "Thread"): 1,
        ("in_a_thread", "Thread.start"): 1,
        ("in_a_thread", "Thread.join"): 1,
    }
    (execute,) = (row for row in rows if row[3] == "Connection.execute")
    assert APP.splitlines()[execute[2] - 1].strip().startswith("database.execute")
