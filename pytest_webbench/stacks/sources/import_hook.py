"""Records which files of compared repositories a Python process loads, and makes it load its own copy.

A launch puts this file as ``sitecustomize.py`` into a folder of ``PYTHONPATH``, so that Python runs it before
any code of the application. It needs only the standard library, and does not slow requests: a file is
recorded while it is loaded, once in each process that loads it.

``PYTEST_WEBBENCH_COPIES`` names a file of lines: first the file to write to, then the folder of all copies,
then pairs of a repository and this side's copy of it. The output are lines of a process id, a module
and its file, and for each interpreter that starts a line with only its process id.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # not the module typing, which a server may never load
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["ORDERS"]

ORDERS = "PYTEST_WEBBENCH_COPIES"
LIBRARIES = ("/site-packages/", "/dist-packages/")
DEPTH = 3
"""How many levels of a finder's tables are searched."""


class Notes:
    """Records the loaded files of a repository or a copy."""

    def __init__(self, file: str, roots: list[str]) -> None:
        self._file = file
        self._roots = tuple(each + os.sep for each in roots)
        self._folders: dict[str, str] = {}
        self._knows_program = False

    def write(self, *words: str) -> None:
        """Write a line about this process."""
        line = "\t".join((str(os.getpid()), *words)) + "\n"
        try:  # opened each time: a daemon closes its inherited files
            file = os.open(self._file, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:  # the launch is over
            return
        try:
            os.write(file, line.encode("utf-8", "surrogateescape"))
        finally:
            os.close(file)

    def note(self, module: str, path: str) -> None:
        """Record that ``module`` is loaded from ``path``, unless it belongs to a library."""
        real = self._real(path)
        if real.startswith(self._roots) and not is_library(real):
            self.write(module, real)

    def note_program(self) -> None:
        """Note the file of the program, which Python reads without a loader, once it is known."""
        path = getattr(sys.modules.get("__main__"), "__file__", None)
        if path and not self._knows_program:
            self._knows_program = True
            self.note("__main__", path)

    def _real(self, path: str) -> str:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.realpath(path) if os.path.islink(path) else os.path.join(self._folders[folder], name)


def is_library(path: str) -> bool:
    """Return whether ``path`` is in the standard library or where libraries are installed."""
    standard = os.path.dirname(os.__file__)
    return path.startswith(standard + os.sep) or any(each in path + os.sep for each in LIBRARIES)


def watch(notes: Notes) -> None:
    """Have the loaders of files record what they load."""
    from importlib import machinery

    for loader, method in (
        (machinery.SourceFileLoader, "get_code"),
        (machinery.SourcelessFileLoader, "get_code"),
        (machinery.ExtensionFileLoader, "create_module"),
    ):
        setattr(loader, method, _noting(getattr(loader, method), notes))


def _noting(load: Callable[[Any, Any], Any], notes: Notes) -> Callable[[Any, Any], Any]:
    def load_and_note(self: Any, what: Any) -> Any:
        loaded = load(self, what)
        notes.note_program()
        notes.note(what if isinstance(what, str) else getattr(what, "name", "?"), self.path)
        return loaded

    return load_and_note


def serve_own_copy(move: Callable[[Any], Any]) -> None:
    """Redirect the paths of editable installs, on Python's path and in the tables of their finders."""
    _move_all(sys.path, move)
    for finder in sys.meta_path:
        kind = finder if isinstance(finder, type) else type(finder)
        if kind.__module__.startswith(("importlib", "_frozen_importlib", "_distutils_hack", "six")):
            continue
        for holder in (finder, kind, sys.modules.get(kind.__module__)):
            for name, table in list(getattr(holder, "__dict__", {}).items()):
                if not name.startswith("__"):
                    _move_all(table, move)


def _move_all(table: Any, move: Callable[[Any], Any], depth: int = DEPTH) -> None:
    """Redirect the paths in a dictionary or list, in place."""
    if not isinstance(table, (dict, list)) or not depth:
        return
    for key, path in list(table.items() if isinstance(table, dict) else enumerate(table)):
        if isinstance(path, str):
            moved = move(path)
            if moved != path:
                table[key] = moved
        else:
            _move_all(path, move, depth - 1)


def mover(copies: str, places: list[tuple[str, str]]) -> Callable[[str], str]:
    """Return a function from a path in a repository to the path in this side's copy, if the copy has it."""

    def move(path: str) -> str:
        real = os.path.realpath(path) if os.path.isabs(path) else ""
        if not real or (real + os.sep).startswith(copies + os.sep) or is_library(real):
            return path
        for original, copy in places:
            if (real + os.sep).startswith(original + os.sep):
                moved = copy + real[len(original) :]
                return moved if os.path.exists(moved) else path
        return path

    return move


def begin() -> None:
    """Read the orders, and apply them to this process from now on."""
    with open(os.environ[ORDERS], encoding="utf-8", errors="surrogateescape") as orders:
        file, copies, *rest = orders.read().split("\n")[:-1]
    places = [(rest[each], rest[each + 1]) for each in range(0, len(rest), 2)]
    notes = Notes(file, [copies, *(original for original, _ in places)])
    serve_own_copy(mover(copies, places))
    watch(notes)
    notes.write()


def _give_way() -> None:
    """Run the user's own sitecustomize, which this one hides."""
    me = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        sys.modules["sitecustomize"] = me  # Python takes it from there
        if error.name != "sitecustomize":
            raise


if __name__ == "sitecustomize":
    here = os.path.realpath(os.path.dirname(__file__))
    sys.path[:] = [each for each in sys.path if os.path.realpath(each) != here]
    begin()
    _give_way()
