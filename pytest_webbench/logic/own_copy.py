"""Whether a side of a comparison has loaded its own copy of a repository, and nothing else of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from pytest_webbench.values.stack import CopiedTree, OwnCopy

__all__ = ["LoadedFile", "foreign_file", "parse_loaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFile:
    """A file that a process has loaded as ``module``; without links in its path."""

    module: str
    path: str


def parse_loaded(text: str) -> tuple[frozenset[int], tuple[LoadedFile, ...]]:
    """The processes that wrote ``text``, and what they have loaded; the last line may be half written."""
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
    """The first of ``loaded`` that is of a repository but not of this side's copy of it, and whose it is."""
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
    """Whether a file is of the repository: tracked, built beside what is tracked, or in a submodule.

    What git ignores with its whole folder (a virtual environment, libraries that were put somewhere) is not.
    """
    folder = inside.parent.as_posix()
    beside = "" if folder == "." else f"{folder}/"
    return any(name.startswith(beside) for name in tree.sources) or any(
        {each.as_posix(), f"{each.as_posix()}/"} & tree.sources for each in inside.parents
    )
