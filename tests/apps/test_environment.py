"""What the applications run on: the locks, the worker, and the modules that two of them have in common."""

import re
from pathlib import Path

import pytest

from pytest_webbench.model.stack import VERSION_SETS, Stack
from tests.apps.conftest import RunInApp

APPS = Path(__file__).parents[2] / "framework_apps"
FOLDERS = sorted(path.parent for path in APPS.glob("*/requirements"))
PIN = re.compile(r"(?P<name>[\w.-]+)==[\w.]+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")


@pytest.mark.parametrize("versions", VERSION_SETS)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_lock_pins_everything_and_names_no_place(folder: Path, versions: str) -> None:
    lock = (folder / "requirements" / f"{versions}.lock").read_text(encoding="utf-8")
    assert PIN.sub("", lock) == ""
    wanted = (folder / "requirements" / f"{versions}.in").read_text(encoding="utf-8").split()
    assert {name.partition("==")[0] for name in wanted} <= {pin["name"] for pin in PIN.finditer(lock)}


@pytest.mark.parametrize("versions", VERSION_SETS)
def test_locks_agree(versions: str) -> None:
    """One version of a package in all stacks, so that a difference between two of them is their own."""
    found: dict[str, set[str]] = {}
    for folder in FOLDERS:
        lock = (folder / "requirements" / f"{versions}.lock").read_text(encoding="utf-8")
        for name, pins in re.findall(r"^([\w.-]+)(==[^\s;]+)", lock, flags=re.MULTILINE):
            if name != "django":  # one for Python 3.11, one for later ones
                found.setdefault(name, set()).add(pins)
    assert {name: pins for name, pins in found.items() if len(pins) > 1} == {}


def test_uvicorn_worker_uses_uvloop_and_httptools(stack: Stack, run_in_app: RunInApp, tmp_path: Path) -> None:
    if not stack.name.startswith("fastapi"):
        pytest.skip("served by gthread")
    code = (
        "import asyncio; from uvicorn.config import Config; from uvicorn_worker import UvicornWorker\n"
        "config = Config(lambda scope: None, **UvicornWorker.CONFIG_KWARGS); config.load()\n"
        "if hasattr(config, 'get_loop_factory'):\n"
        "    loop = config.get_loop_factory().__module__\n"
        "else:  # before Uvicorn 0.36\n"
        "    config.setup_event_loop(); loop = type(asyncio.get_event_loop_policy()).__module__\n"
        "print(config.http_protocol_class.__name__, loop)"
    )
    classes = run_in_app(["{python}", "-W", "default", "-c", code], tmp_path).split()
    assert classes == ["HttpToolsProtocol", "uvloop"]


@pytest.mark.parametrize("module", ["app.py", "items/errors.py", "items/schemas.py"])
def test_flask_applications_differ_in_their_data_layer_alone(module: str) -> None:
    sqlite3, sqlalchemy = (APPS / folder / module for folder in ("flask-sqlite3", "flask-sqlalchemy"))
    assert sqlite3.read_bytes() == sqlalchemy.read_bytes()
