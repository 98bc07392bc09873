"""The command that repeats a run."""

from pathlib import Path

import pytest

from pytest_webbench.about import repeating_command


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
