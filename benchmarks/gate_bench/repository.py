"""Git repositories with stacks to compare, made of the project's own applications."""

import ast
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pytest_webbench.model.errors import WebbenchError
from pytest_webbench.suites.items import STACKS

__all__ = ["BASE", "HEAD", "make_looped", "make_same", "make_slowed", "with_loop"]

STACK = "flask-sqlite3"
"""The stack that gets additional work."""
HANDLER = Path("items/views.py"), "get_item"
"""Its handler that gets a loop."""
BASE, HEAD = "base", "head"
WORK = Path(__file__).with_name("counted_work.py")
CONFTEST = '''"""The stacks of this repository, in the settings of those that they were copied from."""

from dataclasses import replace
from pathlib import Path

from pytest_webbench.suites.items import STACKS

APPS = Path(__file__).parent / "apps"


def pytest_webbench_stacks(config):
    copied = [each for each in STACKS if (APPS / each.name).is_dir()]
    return [replace(each, name=f"gate-{each.name}", folder=APPS / each.name) for each in copied]
'''
CALL_WORK = """
import counted_work

app.before_request(counted_work.work)
"""


def make_same(folder: Path, stacks: Sequence[str]) -> None:
    """Create a repository in ``folder`` anew, with copies of ``stacks``.

    Raises :class:`~pytest_webbench.model.errors.WebbenchError` if git fails.
    """
    _make(folder, stacks)
    _begin(folder)


def make_slowed(folder: Path, *, base: int, head: int) -> None:
    """Create a repository in ``folder`` anew, with a stack that does counted work.

    Each request does ``base`` units in the commit and ``head`` units in the working tree. Raises
    :class:`~pytest_webbench.model.errors.WebbenchError` if git fails.
    """
    _make(folder, (STACK,))
    application = folder / "apps" / STACK
    shutil.copy(WORK, application)
    with (application / "app.py").open("a") as file:
        file.write(CALL_WORK)
    units = application / "units.txt"
    units.write_text(f"{BASE} {base}\n")
    _begin(folder)
    units.write_text(f"{HEAD} {head}\n")


def make_looped(folder: Path, *, turns: int) -> None:
    """Create a repository in ``folder`` anew, whose last commit adds an empty loop to one handler.

    Without ``turns`` there is only the commit before it. Raises
    :class:`~pytest_webbench.model.errors.WebbenchError` if git fails.
    """
    _make(folder, (STACK,))
    _begin(folder)
    if turns:
        file, handler = folder / "apps" / STACK / HANDLER[0], HANDLER[1]
        file.write_text(with_loop(file.read_text(), handler, turns))
        _commit(folder, "head")


def with_loop(source: str, function: str, turns: int) -> str:
    """Return ``source`` with an empty loop of ``turns`` iterations at the start of ``function``."""
    (found,) = (
        each
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.FunctionDef) and each.name == function
    )
    first = found.body[0]
    lines, indent = source.splitlines(keepends=True), " " * first.col_offset
    loop = f"{indent}for _ in range({turns}):\n{indent}    pass\n"
    return "".join([*lines[: first.lineno - 1], loop, *lines[first.lineno - 1 :]])


def _make(folder: Path, names: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for stack in STACKS:
        if stack.name in names:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(stack.folder, folder / "apps" / stack.name, ignore=ignored)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")  # otherwise one further up would apply
    (folder / ".gitignore").write_text("__pycache__\n")


def _begin(folder: Path) -> None:
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _commit(folder, "base")


def _commit(folder: Path, message: str) -> None:
    who = ("-c", "user.name=gate", "-c", "user.email=gate@example.org", "-c", "commit.gpgsign=false")
    _git(folder, "add", "--all")
    _git(folder, *who, "commit", "--quiet", f"--message={message}")


def _git(folder: Path, *arguments: str) -> None:
    try:
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", b"").decode(errors="replace")
        raise WebbenchError(f"no repository can be made in {folder}: {error}", evidence=said) from None
