"""Programs of others that the tests need."""

import os
import shutil
import sys
from pathlib import Path

import pytest

__all__ = ["require", "require_program"]


def require_program(name: str, install: str) -> str:
    """The path of the program ``name``, beside this Python or in the PATH; see :func:`require`."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return require(name, shutil.which(name, path=places), install)


def require(name: str, path: str | None, install: str) -> str:
    """``path``; without one the test is skipped, or fails where WEBBENCH_REQUIRE_ENGINE is set."""
    if path is None and os.environ.get("WEBBENCH_REQUIRE_ENGINE"):
        pytest.fail(f"{name} is required here: {install}", pytrace=False)
    if path is None:
        pytest.skip(f"{name} is not installed: {install}")
    return path
