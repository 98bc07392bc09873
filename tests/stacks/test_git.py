"""Copies of stacks: of the right repository, whole, and without a way back to the working tree."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.sources.git import Checkout
from tests.flow.repository import commit, git


def make_stack(folder: Path, *command: str, **changes: Any) -> Stack:
    return Stack(
        **{"name": "shop", "folder": folder, "command": command or ("{python}", "server.py"), **changes}
    )


def make_repository(folder: Path) -> str:
    """A repository whose ``app/server.py`` says ``base`` in its first commit, and ``head`` now."""
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "server.py").write_text("base")
    (folder / ".gitignore").write_text("runs/\n.venv/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    made = commit(folder, "first")
    (folder / "app" / "server.py").write_text("head")
    return made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    make_repository(folder)
    return folder


def copies_of(stack: Stack, folder: Path, ref: str = "main") -> tuple[Stack, Stack]:
    """The base and the head, copied."""
    checkout = Checkout({stack.name: stack}, ref, folder)
    checkout.make()
    return checkout.bases[stack.name], checkout.heads[stack.name]


def test_a_hook_of_another_repository_leads_nobody_astray(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    make_repository(other)
    git(other, "branch", "only-here")
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_INDEX_FILE": other / ".git" / "index",
        "GIT_PREFIX": "app/",
    }.items():
        monkeypatch.setenv(name, str(value))
    base, head = copies_of(make_stack(repository / "app"), tmp_path / "copies")
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    assert (base.folder / "server.py").read_text() == "base"
    assert (head.folder / "server.py").read_text() == "head"
    assert head.own_copy is not None
    assert [tree.original for tree in head.own_copy.trees] == [repository]


def test_paths_into_the_repository_are_those_of_the_copy(repository: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(repository)
    (repository / ".venv").mkdir()
    (repository / ".venv" / "python").touch()
    stack = make_stack(
        link / "app",
        f"{repository}/.venv/python",
        f"{link}/app/server.py",
        f"--log={repository}/new.log",
        prepare=((f"{repository}/.venv/python", f"{link}/app/server.py"),),
        env=(("PYTHONPATH", f"{repository}/app:/elsewhere"),),
        lock=f"{repository}/app/server.py",
    )
    for side in copies_of(stack, tmp_path / "copies"):
        assert side.command == (
            f"{repository}/.venv/python",
            f"{side.folder}/server.py",
            f"--log={repository}/new.log",
        )
        assert side.prepare == ((f"{repository}/.venv/python", f"{side.folder}/server.py"),)
        assert side.env == (("PYTHONPATH", f"{side.folder}:/elsewhere"),)
        assert side.lock == f"{side.folder}/server.py"


def test_what_only_the_head_has_is_not_looked_for_in_the_base(repository: Path, tmp_path: Path) -> None:
    (repository / "app" / "new.py").touch()
    base, head = copies_of(make_stack(repository / "app", f"{repository}/app/new.py"), tmp_path / "copies")
    assert base.command == (f"{repository}/app/new.py",)
    assert head.command == (f"{head.folder}/new.py",)


def test_links_stay_links_and_lead_into_the_copy(repository: Path, tmp_path: Path) -> None:
    (repository / "library").mkdir()
    (repository / "library" / "code.py").write_text("code")
    (repository / "app" / "near").symlink_to("../library")
    (repository / "app" / "far").symlink_to(repository / "library")
    (repository / "app" / "out").symlink_to("/usr")
    commit(repository, "links")
    for side in copies_of(make_stack(repository / "app"), tmp_path / "copies"):
        for name in ("near", "far"):
            found = (side.folder / name / "code.py").resolve()
            assert found == (side.folder.parent / "library" / "code.py").resolve()
        assert (side.folder / "out").readlink() == Path("/usr")


def test_copies_are_not_copied_into_each_other(repository: Path) -> None:
    place = repository / "app" / "kept"  # nothing says that git shall ignore it
    base, head = copies_of(make_stack(repository / "app"), place)
    assert not (base.folder / "kept").exists()
    assert not (head.folder / "kept").exists()


@pytest.mark.parametrize("ignored", [False, True])
def test_a_stack_in_no_repository_is_compared_with_itself(tmp_path: Path, ignored: bool) -> None:
    if ignored:
        make_repository(tmp_path)
    folder = tmp_path / ".venv" / "app"
    folder.mkdir(parents=True)
    stack = make_stack(folder)
    assert copies_of(stack, tmp_path / "copies", "self") == (stack, stack)
    assert not (tmp_path / "copies").exists()
    with pytest.raises(UsageError, match=r"in no git repository|git ignores its folder"):
        Checkout({"shop": stack}, "main", tmp_path / "copies")


def test_without_git_a_stack_is_compared_with_itself(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("git") is None
    stack = make_stack(repository / "app")
    assert copies_of(stack, tmp_path / "copies", "self") == (stack, stack)
