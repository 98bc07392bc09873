"""A git repository with stacks of its own, for runs that compare commits."""

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["commit", "git", "make_repository"]

CONFTEST = """
from pathlib import Path
from pytest_webbench import Answer, Exchange, Request, Stack

def pytest_webbench_stacks(config):
    folder = Path(__file__).parent / "apps"
    ready = Exchange(request=Request(path="/hello"), answer=Answer(status=200))
    return [
        Stack(name=each.name, folder=each, command=("{python}", "server.py"), ready=ready)
        for each in sorted(folder.iterdir())
    ]
"""


def git(folder: Path, *arguments: str) -> str:
    """What git says in ``folder``."""
    who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commit all there is; the commit."""
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path, *stacks: str) -> str:
    """A repository in ``folder`` with ``stacks`` below ``apps``; its first commit."""
    made, first = _made(stacks)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    return first


@functools.cache
def _made(stacks: tuple[str, ...]) -> tuple[Path, str]:
    """The same for all tests: git would be started four times for each."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / ".gitignore").write_text(".webbench\n__pycache__\n")
    for name in stacks:
        (folder / "apps" / name).mkdir(parents=True)
        (folder / "apps" / name / "server.py").write_text("VERSION = 1\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder, commit(folder, "first")
