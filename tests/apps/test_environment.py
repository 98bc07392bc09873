"""What the applications run on: the locks, the worker, and the modules that two of them have in common."""

import re
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

APPS = Path(__file__).parents[2] / "framework_apps"
FOLDERS = sorted(path.parent for path in APPS.glob("*/requirements"))
PIN = re.compile(r"(?P<name>[\w.-]+)==[\w.]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")


class Named(Protocol):
    """What these tests ask of a stack."""

    @property
    def name(self) -> str: ...


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_lock_pins_everything_and_names_no_place(folder: Path) -> None:
    lock = (folder / "requirements" / "current.lock").read_text(encoding="utf-8")
    assert PIN.sub("", lock) == ""
    wanted = (folder / "requirements" / "current.in").read_text(encoding="utf-8").split()
    assert set(wanted) <= {pin["name"] for pin in PIN.finditer(lock)}


def test_locks_agree() -> None:
    """One version of a package in all stacks, so that a difference between two of them is their own."""
    versions: dict[str, set[str]] = {}
    for folder in FOLDERS:
        lock = (folder / "requirements" / "current.lock").read_text(encoding="utf-8")
        for name, pins in re.findall(r"^([\w.-]+)(==\S+)", lock, flags=re.MULTILINE):
            if name != "django":  # one for Python 3.11, one for later ones
                versions.setdefault(name, set()).add(pins)
    assert {name: pins for name, pins in versions.items() if len(pins) > 1} == {}


def test_uvicorn_worker_uses_uvloop_and_httptools(stack: Named, app_python: Path) -> None:
    if not stack.name.startswith("fastapi"):
        pytest.skip("served by gthread")
    code = (
        "from uvicorn.config import Config; from uvicorn_worker import UvicornWorker\n"
        "config = Config(lambda scope: None, **UvicornWorker.CONFIG_KWARGS); config.load()\n"
        "print(config.http_protocol_class.__name__, config.get_loop_factory().__module__)"
    )
    answer = subprocess.run([app_python, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["HttpToolsProtocol", "uvloop"]


@pytest.mark.parametrize("module", ["app.py", "items/json.py", "items/validation.py"])
def test_flask_applications_differ_in_their_data_layer_alone(module: str) -> None:
    sqlite3, sqlalchemy = (APPS / folder / module for folder in ("flask-sqlite3", "flask-sqlalchemy"))
    assert sqlite3.read_bytes() == sqlalchemy.read_bytes()
