"""Tables in terminals that are not of Unicode."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LINE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 3
PRINT = """
import sys
from pytest_webbench.host.plain_output import plain_output
with plain_output():
    print(sys.argv[1])
print(sys.stdout.errors)
"""


def run(encoding: str, *words: str, cwd: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-X", "utf8", *words]
    done = subprocess.run(
        command,
        env=environment,
        cwd=cwd,
        capture_output=True,
        timeout=120,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.decode(encoding.partition(":")[0])


@pytest.mark.parametrize(
    ("encoding", "text", "shown"),
    [
        ("ascii", f"{LINE} 5 \N{PLUS-MINUS SIGN} 1\N{HORIZONTAL ELLIPSIS}", "--- 5 +- 1..."),
        ("latin-1", f"{LINE} 5 \N{PLUS-MINUS SIGN} 1 \N{LATIN SMALL LETTER E WITH ACUTE}", "--- 5 ± 1 é"),
        ("cp1252", f"{LINE} \N{HORIZONTAL ELLIPSIS} \N{LATIN SMALL LETTER S WITH ACUTE}", "--- … s"),
        ("ascii", "\N{TURTLE}", "\\U0001f422"),
        ("utf-8", LINE, LINE),
    ],
)
def test_what_an_encoding_lacks_is_shown_by_the_nearest_thing(encoding: str, text: str, shown: str) -> None:
    assert run(encoding, "-c", PRINT, text).splitlines() == [shown, "strict"]


def test_what_the_user_chose_stands() -> None:
    assert run("ascii:replace", "-c", PRINT, LINE).splitlines() == ["???", "replace"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_the_list_can_be_read(encoding: str, tmp_path: Path) -> None:
    shown = run(encoding, "-m", "pytest", "--webbench-list", cwd=tmp_path)
    assert any(line.startswith("-----") for line in shown.splitlines())
    assert "u2500" not in shown


CONFTEST = """
from pytest_webbench.stacks.fake import FakeLauncher
from pytest_webbench.load.fake import FakeEngine

def pytest_webbench_launcher():
    return FakeLauncher()

def pytest_webbench_engine():
    return FakeEngine()
"""


def test_the_tables_of_a_run_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    words = ("--webbench", "--webbench-profile=smoke", "webbench/items::hello[django-drf]")
    lines = run("latin-1", "-m", "pytest", *words, cwd=tmp_path).splitlines()
    table = lines[next(number for number, line in enumerate(lines) if "= webbench =" in line) :]
    head = next(number for number, line in enumerate(table) if line.split()[:1] == ["stack"])
    assert "req/s" in table[head]
    assert set(table[head + 1]) == {"-"}
    assert not any("u2500" in line for line in lines)
