"""The environment of a stack: created by uv from its hash-pinned lock, and kept.

Also the placeholders in a stack's command and environment.
"""

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import uv
from filelock import FileLock
from platformdirs import user_cache_path

from pytest_webbench.model.errors import InstallError, UsageError
from pytest_webbench.model.stack import Stack

__all__ = [
    "LIST_VERSIONS",
    "asks_for",
    "default_cache",
    "ensure_environment",
    "fill_in",
    "installed_versions",
    "parse_versions",
]

INSTALL_TIMEOUT_S = 900
LIST_VERSIONS = """
import json, platform
from importlib.metadata import distributions
found = {d.name.lower().replace("_", "-"): d.version for d in distributions()}
print(json.dumps({"python": platform.python_version(), **dict(sorted(found.items()))}))
"""


def default_cache() -> Path:
    """Return the folder in which environments are kept from run to run."""
    return user_cache_path("pytest-webbench")


def ensure_environment(stack: Stack, cache: Path, wanted: str | None = None) -> Path:
    """Return the Python interpreter of the environment of ``stack``, which is created if necessary.

    ``wanted`` is a version of Python that uv looks for (``3.11``), by default the one that runs pytest.

    An environment is named by the stack's folder and a hash of the lock and of the interpreter, so that
    an unchanged lock installs nothing and needs no network, and two commits of a stack with
    the same lock share one: then they differ in nothing but their code. An incomplete one is never used:
    a file that says "complete" is written last, under a lock that other runs wait for. Without a lock it
    is the interpreter that runs pytest. Raises :class:`~pytest_webbench.model.errors.InstallError`, and
    :class:`~pytest_webbench.model.errors.UsageError` for a cache that is not writable.
    """
    if stack.lock is None:
        return Path(sys.executable)
    lock = stack.folder / stack.lock
    try:
        content = lock.read_bytes()
    except OSError as error:
        raise InstallError(
            f"the lock of {stack.name} cannot be read: {lock} ({error.strerror})",
            hint="make it with uv pip compile --generate-hashes, or correct the stack's lock",
        ) from None
    ours = f"{sys.implementation.cache_tag} {platform.python_version()}"
    interpreter = f"{wanted or ours} {platform.platform()}"
    key = hashlib.sha256(content + interpreter.encode()).hexdigest()[:20]
    folder = cache / "environments" / f"{stack.folder.name}-{key}"
    python = folder / "bin" / "python"
    complete = folder / "webbench-complete"
    if complete.exists():
        return python
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not complete.exists():
                _install(stack, folder, lock, wanted)
                complete.touch()
    except OSError as error:
        raise UsageError(
            f"the folder of environments cannot be made or written to: {error.filename or folder} "
            f"({error.strerror or type(error).__name__})",
            hint="choose another one with --webbench-cache",
        ) from None
    return python


def _install(stack: Stack, folder: Path, lock: Path, wanted: str | None) -> None:
    """Create the environment in ``folder`` from ``lock``."""
    python = wanted or sys.executable
    _uv(stack, folder.parent, "venv", "--quiet", "--clear", "--python", python, str(folder))
    sync = (
        "pip",
        "sync",
        "--require-hashes",
        "--compile-bytecode",
        "--python",
        str(folder / "bin" / "python"),
    )
    _uv(stack, folder.parent, *sync, str(lock))


def _uv(stack: Stack, folder: Path, *arguments: str) -> None:
    """Run uv outside of any project, so that no project's settings change what is installed."""
    try:
        done = subprocess.run(
            [uv.find_uv_bin(), "--no-progress", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InstallError(
            f"the lock of {stack.name} was not installed within {INSTALL_TIMEOUT_S} s",
            hint="is the package index reachable?",
        ) from None
    if done.returncode:
        raise InstallError(
            f"the lock of {stack.name} does not install ({stack.lock}; uv ended with code {done.returncode})",
            evidence="\n".join(done.stderr.strip().splitlines()[-12:]),
            hint="lock again for this Python (uv pip compile --universal --generate-hashes), "
            "or see whether the package index is reachable",
        )


def installed_versions(python: Path) -> Mapping[str, str]:
    """Return the distributions that ``python`` finds, with their versions, and ``python`` itself."""
    command = [str(python), "-I", "-c", LIST_VERSIONS]
    return parse_versions(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


def parse_versions(output: bytes) -> Mapping[str, str]:
    """Return the output of the program :data:`LIST_VERSIONS`."""
    versions: dict[str, str] = json.loads(output)
    return versions


def asks_for(stack: Stack, name: str) -> bool:
    """Return whether the command or the environment of ``stack`` has the placeholder ``name``."""
    words = (*stack.command, *(value for _, value in stack.env))
    return any(f"{{{name}}}" in word for word in words)


def fill_in(word: str, values: Mapping[str, str]) -> str:
    """Return ``word`` with each ``{name}`` replaced by its value; other braces are left as they are."""
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word
