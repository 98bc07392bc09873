"""Calibrates how many iterations of an empty loop make a request execute more instructions by a given growth.

The loop is counted by itself, in an interpreter without a server: so its size is chosen independently of
what the gate then measures in the whole server.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from gate_bench.parts import CHANGED_SCENARIO, PARTS, Setup
from gate_bench.repository import make_looped
from gate_bench.runs import carry_out
from pytest_webbench.analysis.instructions import parse_dump
from pytest_webbench.model.errors import WebbenchError

__all__ = ["Loop", "Loops", "calibrate_loops", "choose_turns", "count_loop"]

PART = PARTS["counts-ab2"]
CALLS = 2000
TRIED_TURNS = 300
MOST_TURNS = 1_000_000
TIMEOUT_S = 600.0
SCRIPT = """
import sys
turns = int(sys.argv[1])
def without(turns):
    pass
def within(turns):
    for _ in range(turns):
        pass
handler = within if turns else without
for _ in range(int(sys.argv[2])):
    handler(turns)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop of ``turns`` iterations and ``instructions``, to make a request grow by ``growth``."""

    growth: float
    turns: int
    instructions: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """The loops for each growth, and the instructions of a request without one, ``own``."""

    own: float
    loops: tuple[Loop, ...]

    def of(self, growth: float) -> Loop:
        """Return the loop that makes a request grow by ``growth``."""
        return next(each for each in self.loops if each.growth == growth)

    def size(self, growth: float) -> float:
        """Return the counted growth of a request by the loop for ``growth``."""
        return self.of(growth).instructions / self.own


def calibrate_loops(folder: Path, setup: Setup) -> Loops:
    """Count a request of the handler without a loop, below ``folder``, and loops without a server.

    Raises :class:`~pytest_webbench.model.errors.WebbenchError` if nothing is counted.
    """
    make_looped(folder / "repository", turns=0)
    against_self = [
        "--webbench-against=self" if each.startswith("--webbench-against=") else each
        for each in setup.arguments(PART, 0)
    ]
    run = carry_out(
        folder / "repository",
        folder / "output",
        against_self,
        part="calibration",
        number=0,
        cells=setup.cells_of(PART),
        budget_s=None,
        timeout_s=TIMEOUT_S,
    )
    own = next(
        (
            each.base
            for each in run.found
            if each.metric == "instructions" and each.cell.scenario == CHANGED_SCENARIO
        ),
        None,
    )
    if not own:
        raise WebbenchError(
            "the instructions of the servers are not counted, so that nothing can be calibrated"
        )
    growths = [part.growth for part in PARTS.values() if part.counts and part.growth is not None]
    return Loops(own=own, loops=tuple(choose_turns(own, growth, count_loop) for growth in growths))


def choose_turns(own: float, growth: float, count: Callable[[int], float]) -> Loop:
    """Find the shortest loop that adds ``growth`` to ``own`` instructions; ``count`` counts those of a loop.

    By bisection, because the cost is not linear: iterations beyond Python's cached small integers cost more.
    Raises :class:`~pytest_webbench.model.errors.WebbenchError` if longer loops do not cost more.
    """
    wanted, low, high = own * growth, 0, TRIED_TURNS
    while count(high) < wanted:
        low, high = high, 2 * high
        if high > MOST_TURNS:
            raise WebbenchError(
                "the instructions of loops are not counted, so that nothing can be calibrated"
            )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return Loop(growth=growth, turns=high, instructions=count(high))


@cache
def count_loop(turns: int) -> float:
    """Return the instructions of a loop of ``turns`` iterations, in this interpreter, with nothing else."""
    return (_count(turns) - _count(0)) / CALLS


@cache
def _count(turns: int) -> int:
    with TemporaryDirectory(prefix="webbench-gate-") as folder:
        dump = Path(folder, "callgrind")
        command = (
            "valgrind",
            "--tool=callgrind",
            f"--callgrind-out-file={dump}",
            sys.executable,
            "-S",
            "-c",
            SCRIPT,
        )
        try:
            subprocess.run(
                [*command, str(turns), str(CALLS)],
                check=True,
                capture_output=True,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                timeout=TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise WebbenchError(f"a loop cannot be counted: {error}") from None
        return parse_dump(dump.read_text(errors="replace")).instructions
