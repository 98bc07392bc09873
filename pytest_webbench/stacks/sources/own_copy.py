"""Checks that a side of a comparison of commits has loaded only its own copy of a repository.

A side is started so that it loads its own copy, and then asked what it has loaded.
"""

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from pytest_webbench.model.errors import OwnCopyError
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.stack import CopiedTree, OwnCopy
from pytest_webbench.stacks.sources.import_hook import ORDERS

__all__ = ["LoadedFile", "LoadedFiles", "foreign_file", "parse_loaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A file that a process has loaded as ``module``; without symbolic links in its path."""

    module: str
    path: str


def parse_loaded(text: str) -> tuple[frozenset[int], tuple[LoadedFile, ...]]:
    """Return the processes that wrote ``text``, with their loaded files; the last line may be incomplete."""
    pids, loaded = set(), {}
    for line in text.split("\n")[:-1]:
        pid, *words = line.split("\t")
        if not pid.isdigit():
            continue
        pids.add(int(pid))
        if len(words) == 2:
            loaded[words[1]] = LoadedFile(module=words[0], path=words[1])
    return frozenset(pids), tuple(loaded.values())


def foreign_file(own: OwnCopy, loaded: Iterable[LoadedFile]) -> tuple[LoadedFile, str] | None:
    """Return the first of ``loaded`` from a repository outside this side's copy, and its tree."""
    for each in loaded:
        path = PurePath(each.path)
        if any(path.is_relative_to(tree.copy) for tree in own.trees):
            continue
        if path.is_relative_to(own.copies):
            return each, "the copy of another side"
        for tree in own.trees:
            if path.is_relative_to(tree.original) and _is_source(path.relative_to(tree.original), tree):
                return each, "the working tree"
    return None


def _is_source(inside: PurePath, tree: CopiedTree) -> bool:
    """Return whether a file is of the repository: tracked, built beside tracked files, or in a submodule.

    Folders that git ignores (a virtual environment, vendored libraries) do not count.
    """
    folder = inside.parent.as_posix()
    beside = "" if folder == "." else f"{folder}/"
    return any(name.startswith(beside) for name in tree.sources) or any(
        {each.as_posix(), f"{each.as_posix()}/"} & tree.sources for each in inside.parents
    )


HOOK = Path(__file__).with_name("import_hook.py")
PYTHON = re.compile(r"^(python|pypy)[0-9.]*[a-z]*$")
HINT = (
    "let Python find it from the stack's own folder (PYTHONPATH in its env, say; no links or absolute paths "
    "into the checkout), or launch containers, which hold that folder and the lock alone"
)


class LoadedFiles:
    """The files that the processes of one launch load of the copied repositories.

    Python runs our hook at its start, in every process that inherits the environment; see
    :mod:`pytest_webbench.stacks.sources.import_hook`.
    """

    def __init__(self, stack: str, own: OwnCopy, home: Path) -> None:
        self._stack = stack
        self._own = own
        self._folder = home / "startup"
        self._notes = self._folder / "loaded"

    def prepare(self, environment: dict[str, str]) -> None:
        """Prepare the hook's files, and have Python run it by ``environment``."""
        self._folder.mkdir()
        self._notes.touch()
        shutil.copyfile(HOOK, self._folder / "sitecustomize.py")
        orders = self._folder / "orders"
        places = [str(each) for tree in self._own.trees for each in (tree.original, tree.copy)]
        lines = [str(self._notes), str(self._own.copies), *places]
        orders.write_bytes("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
        environment[ORDERS] = str(orders)
        own = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{self._folder}{os.pathsep}{own}" if own else str(self._folder)

    def verify(self, serving: Mapping[int, tuple[int, ...]]) -> str | None:
        """Raise for loaded files outside the own copy; return what could not be determined, in words.

        ``serving`` has the processes that accept connections, each with its ancestors in the server's tree.
        Raises :class:`~pytest_webbench.model.errors.OwnCopyError`.
        """
        started, loaded = parse_loaded(self._notes.read_text(encoding="utf-8", errors="surrogateescape"))
        foreign = foreign_file(self._own, loaded)
        if foreign is not None:
            found, whose = foreign
            raise OwnCopyError(
                f"{self._stack} does not serve its own copy: it has loaded {found.module} from {whose} "
                f"({found.path})",
                hint=HINT,
            )
        silent = [pid for pid, above in serving.items() if not _is_watched(pid, above, started)]
        if not silent and (started or serving):
            return None
        pythons = [pid for pid in silent if PYTHON.match(_program(pid).name)]
        if pythons:
            raise OwnCopyError(
                f"{self._stack} does not say which files it has loaded, so that it may not be its own copy: "
                f"its Python (process {pythons[0]}) was started without the environment of its launch",
                hint="leave out -I, -E and -S, and pass PYTHONPATH on",
            )
        return Code.FILES_UNVERIFIED.reason()


def _is_watched(pid: int, above: tuple[int, ...], started: frozenset[int]) -> bool:
    """Return whether the process runs our hook: it started with it, or is a fork of one that did."""
    if pid in started:
        return True
    program = _program(pid)
    for each in above:
        if _program(each) != program:
            return False
        if each in started:
            return True
    return False


def _program(pid: int) -> Path:
    """Return the program that the process runs; an empty path if that is not visible."""
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return Path()
