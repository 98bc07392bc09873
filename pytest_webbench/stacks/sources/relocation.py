"""Paths in words (of a command, of an environment), moved from a folder to its copy."""

import re
from collections.abc import Iterable

__all__ = ["Tree", "relocated"]

_ENDS = re.compile(r"[\s:;,'\"&?#]")
"""What ends a path within a longer word, as in ``PYTHONPATH`` or the address of a database."""


class Tree:
    """The files and folders of a copy, by their paths in it."""

    def __init__(self, files: Iterable[str]) -> None:
        self._names = {""}
        for name in files:
            while name and name not in self._names:
                self._names.add(name)
                name = name.rpartition("/")[0]  # noqa: PLW2901 - up to the folder

    def __contains__(self, name: str) -> bool:
        return name.strip("/") in self._names


def relocated(word: str, top: str, copy: str, tree: Tree) -> str:
    """``word`` with each path in ``top`` that the ``tree`` of the ``copy`` has replaced by that of the copy.

    What is not in the copy (a virtual environment, a file that will be written) stays where it is.
    """
    done, rest = "", word
    while top in rest:
        before, _, after = rest.partition(top)
        end = _ENDS.search(after)
        inside = after[: end.start()] if end else after
        whole = not before or not (before[-1].isalnum() or before[-1] in "._-")
        if after in tree and after.startswith("/"):  # a path may have blanks in it
            inside = after
        if whole and (not inside or inside.startswith("/")) and inside in tree:
            done += before + copy + inside
        else:
            done += before + top + inside
        rest = after[len(inside) :]
    return done + rest
