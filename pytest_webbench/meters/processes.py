"""The processes of a server."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

__all__ = ["ancestors", "process_tree"]


def process_tree(pid: int) -> dict[int, int]:
    """The process ``pid`` and all its descendants, each with its parent; empty if it has ended.

    The parent of ``pid`` itself is given as 0. Linux keeps the children of each thread, if it was built so;
    elsewhere all processes of the machine are looked through, which takes some milliseconds.
    """
    tree: dict[int, int] = {}
    found = [(pid, 0)]
    try:
        while found:
            one, parent = found.pop()
            tree[one] = parent
            found += [(child, one) for child in _children(one)]
    except (psutil.Error, OSError):
        return {}
    return tree


def ancestors(pid: int, tree: Mapping[int, int]) -> Iterator[int]:
    """The parent of the process ``pid``, its parent, and so on, as far as the ``tree`` goes."""
    while (pid := tree.get(pid, 0)) in tree:
        yield pid


def _children(pid: int) -> Iterator[int]:
    tasks = Path(f"/proc/{pid}/task")
    if not Path(tasks, str(pid), "children").exists():
        yield from (child.pid for child in psutil.Process(pid).children())
        return
    for task in tasks.iterdir():
        try:
            yield from map(int, (task / "children").read_text().split())
        except OSError:  # the thread has ended meanwhile
            continue
