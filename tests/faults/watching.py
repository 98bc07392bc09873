"""A run that is watched from outside: how long it took, and what it has left."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import Face, Faced
from tests.processes import soon

__all__ = ["Watched", "watch"]

_GONE_WITHIN_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A run, the seconds that it took, and the processes and temporary folders that it has left."""

    faced: Faced
    took_s: float
    left: tuple[str, ...]

    def sound(self) -> set[str]:
        """The names of the stacks that would be baselines."""
        rows = self.faced.rows().items()
        return {name.partition("[")[2][:-1] for name, row in rows if ": invalid" not in row["group"]}


def watch(
    face: Face,
    temporary: Path,
    moods: Mapping[str, str],
    *words: str,
    amount: Mapping[str, float] = {"requests": 10},
    users: int = 2,
    timeout_s: float,
    boxed: bool = False,
) -> Watched:
    """Run ``face``; all that it starts has the folder ``temporary`` in its environment."""
    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        faced = face(moods, *words, amount=amount, users=users, timeout_s=timeout_s, boxed=boxed)
    took_s = time.monotonic() - began
    soon(lambda: not _processes(temporary), _GONE_WITHIN_S)
    folders = (each.name for each in temporary.glob("webbench-*"))
    return Watched(faced=faced, took_s=took_s, left=(*_processes(temporary), *folders))


def _processes(temporary: Path) -> list[str]:
    """Those that live and were started by the run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            places = (environment.get("TMPDIR", ""), environment.get("HOME", ""))  # k6 has the latter alone
            if any(Path(place).is_relative_to(temporary) for place in places if place):
                found.append(" ".join(process.cmdline()))
    return found
