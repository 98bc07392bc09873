"""What a benchmark of the gate runs, keeps, and does to the machine meanwhile."""

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from gate_bench.keeping import Kept
from gate_bench.loops import Loop, Loops
from gate_bench.neighbours import busy_processors
from gate_bench.parts import PARTS, Setup
from gate_bench.runs import Run, Work
from gate_bench.series import Series

from pytest_webbench.model.errors import WebbenchError

SETUP = Setup(seed=1)
PART = PARTS["counts-aa"]
LOOPS = Loops(own=1e6, loops=(Loop(growth=0.02, turns=300, instructions=2e4),))


def run(number: int) -> Run:
    return Run(
        part=PART.name,
        number=number,
        budget_s=None,
        seconds=1.0,
        found=(),
        rounds=(),
        work=Work(),
        needed_s=None,
    )


def test_what_was_kept_is_there_again_and_what_was_cut_off_is_not(tmp_path: Path) -> None:
    first = Kept(tmp_path, SETUP)
    first.add(run(0))
    first.keep(LOOPS)
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"part": "counts-')
    again = Kept(tmp_path, replace(SETUP, seed=2))
    assert again.attempts(PART, 0) == [run(0)]
    assert again.attempts(PART, 1) == []
    assert again.find(Loops) == LOOPS
    assert again.setup.seed == 1
    with pytest.raises(WebbenchError, match="other options"):
        Kept(tmp_path, replace(SETUP, launcher="container"))


@pytest.mark.parametrize(("asked", "runs"), [(None, 6), (2, 2)])
def test_a_part_has_its_own_number_of_runs_unless_another_is_asked_for(
    tmp_path: Path, asked: int | None, runs: int
) -> None:
    series = Series(kept=Kept(tmp_path, SETUP), parts=[PART], runs=asked, longest_s=1, say=lambda _: None)
    assert series.runs_of(PART) == runs


def test_a_part_that_counts_is_run_by_the_defaults_of_users() -> None:
    assert SETUP.arguments(PARTS["counts-ab2"], 3) == [
        "--webbench-against=HEAD~1",
        "--webbench-stack=gate-*",
        "--webbench-scenario=hello,get_item",
        "--webbench-launcher=process",
        "--webbench-measure=instructions",
    ]
    assert SETUP.cells_of(PART) == 35
    assert [PART.is_busy(number) for number in range(4)] == [False, True, False, True]


def test_the_processors_are_kept_busy_until_the_context_is_left() -> None:
    def hogs() -> int:
        children = psutil.Process().children()
        return sum("os.getppid()" in " ".join(each.cmdline()) for each in children if each.is_running())

    with busy_processors(busy=False):
        assert hogs() == 0
    with busy_processors(busy=True):
        assert hogs() == os.cpu_count()
    assert hogs() == 0
