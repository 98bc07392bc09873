"""The command that repeats a run."""

from pathlib import Path

import pytest

from pytest_webbench.model.stack import Stack
from pytest_webbench.runs.metadata import code_lines_of, repeating_command


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--webbench",), ("pytest", "--webbench", "--webbench-seed=5")),
        (("--webbench", "--webbench-seed=5"), ("pytest", "--webbench", "--webbench-seed=5")),
        (("--webbench-seed", "5"), ("pytest", "--webbench-seed", "5")),
        (("/here/tests", "-k", "hello"), ("pytest", "tests", "-k", "hello", "--webbench-seed=5")),
    ],
)
def test_the_seed_is_added_and_paths_are_as_seen_from_here(
    words: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert repeating_command(words, seed=5, root=Path("/here")) == expected


def test_a_path_in_the_home_folder_does_not_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    command = repeating_command(["--webbench-output=/home/somebody/out"], seed=5, root=Path("/here"))
    assert command[1] == "--webbench-output=~/out"


@pytest.mark.parametrize(
    ("files", "lines"),
    [
        ({}, None),
        ({"app.txt": "x = 1"}, None),
        ({"app.py": "x = 1\n\n# nothing\n", "part/views.py": '"""Nothing."""\ny = 2\n'}, 2),
        ({"app.py": "x = 1\n", "broken.py": "def (\n"}, None),
        ({"app.py": b"# coding: latin-1\nx = '\xe9'\n"}, 1),
        ({"app.py": b"x = '\xe9'\n"}, None),
        ({"app.py": "x = 1\n", ".venv/other.py": "y = 2\n"}, 1),
        ({"app.py": "x = 1\n", "env/pyvenv.cfg": "", "env/other.py": "y = 2\n"}, 1),
        ({f"part{number}.py": "x = 1\n" for number in range(501)}, None),
    ],
)
def test_lines_of_code_are_counted_in_all_of_the_application_or_not_at_all(
    tmp_path: Path, files: dict[str, str | bytes], lines: int | None
) -> None:
    for name, content in files.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert code_lines_of(Stack(name="mine", folder=tmp_path, command=("run",))) == lines


def test_a_server_that_runs_already_has_no_lines_of_code() -> None:
    assert code_lines_of(Stack(name="mine", folder=Path(), command=())) is None
