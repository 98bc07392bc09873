"""One run of the gate: started as a user would start it, read from the files that it leaves."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gate_bench.neighbours import busy_processors
from gate_bench.repository import BASE, HEAD
from pytest_webbench.analysis.metrics import time_per_request_s
from pytest_webbench.model.codec import from_json
from pytest_webbench.model.errors import WebbenchError
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Verdict
from pytest_webbench.runs.compare import BASE_SUFFIX
from pytest_webbench.runs.store import read_run

__all__ = ["Counted", "Found", "Rounds", "Run", "Work", "carry_out"]

END_TIMEOUT_S = 30.0
"""How long a run may take to stop its servers."""
NOT_OURS = ("GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")
"""Environment variables that would write elsewhere, or change what is run."""
COUNTED = re.compile(r"^counted tree=(\w+) pid=(\d+) requests=(\d+) units=(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A ratio with its interval; ``None`` where there is none, such as for errors."""

    estimate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A verdict; ``base`` and ``head`` are means in the metric's unit, for errors sums."""

    cell: Cell
    metric: str
    verdict: Verdict
    pairs: int
    ratio: Ratio
    base: float | None
    head: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Seconds per request in each round of a cell, as pytest-benchmark gets them."""

    cell: Cell
    base_s: tuple[float, ...]
    head_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The requests that an application counted, and the units of work that it did for them."""

    requests: int = 0
    units: int = 0

    @property
    def units_per_request(self) -> float:
        """NaN if nothing was counted."""
        return self.units / self.requests if self.requests else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The counts of the applications of base and head."""

    base: Counted = field(default_factory=Counted)
    head: Counted = field(default_factory=Counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The results of a run.

    ``seconds`` is the time from the creation of its folder to its verdicts, ``whole_s`` from the start of
    pytest to its verdicts. ``needed_s`` is the budget that it asks for, if it is undecided and knows.
    ``busy``: other processes kept all processors busy.
    """

    part: str
    number: int
    budget_s: int | None
    seconds: float
    found: tuple[Found, ...]
    rounds: tuple[Rounds, ...]
    work: Work
    needed_s: float | None
    whole_s: float = 0.0
    busy: bool = False

    def told(self) -> str:
        """Return the remarks on metrics that could not be judged, each once."""
        return "\n".join(dict.fromkeys(each.why for each in self.found if each.why))

    def verdicts(self, cell: Cell) -> set[Verdict]:
        """Return the verdicts on ``cell``, of all metrics."""
        return {each.verdict for each in self.found if each.cell == cell}


def carry_out(
    repository: Path,
    output: Path,
    arguments: Sequence[str],
    *,
    part: str,
    number: int,
    cells: int,
    budget_s: int | None,
    timeout_s: float,
    busy: bool = False,
) -> Run:
    """Run ``pytest --webbench`` with ``arguments`` in ``repository``; ``output`` is created anew.

    If ``busy``, other processes keep all processors busy meanwhile.

    Raises :class:`~pytest_webbench.model.errors.WebbenchError` if it does not give verdicts on ``cells``
    cells, or takes longer than ``timeout_s``.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    budget = () if budget_s is None else (f"--webbench-budget={budget_s}s",)
    command = [sys.executable, "-m", "pytest", "--webbench", "-p", "no:cacheprovider", *arguments, *budget]
    command.append(f"--webbench-output={output}")
    log = output / "terminal.txt"
    begun = time.time()  # timestamps of files use this clock
    with busy_processors(busy=busy):
        _execute(command, repository, log, timeout_s=timeout_s)
    verdicts = next(output.glob("*/comparisons.json"), None)
    kept = {"comparisons": []} if verdicts is None else json.loads(verdicts.read_text())
    found = from_json(tuple[Found, ...], kept["comparisons"])
    judged = sorted({each.cell for each in found})
    if verdicts is None or len(judged) != cells:
        raise WebbenchError(
            f"run {number} of {part} gave verdicts on {len(judged)} of {cells} cells",
            evidence="\n".join(log.read_text(errors="replace").splitlines()[-25:]),
        )
    folder = verdicts.parent
    return Run(
        part=part,
        number=number,
        budget_s=budget_s,
        seconds=verdicts.stat().st_mtime - (folder / "run.json").stat().st_mtime,
        found=found,
        rounds=_read_rounds(folder, judged),
        work=_read_work(folder / "logs"),
        needed_s=kept["budget_needed_s"],
        whole_s=verdicts.stat().st_mtime - begun,
        busy=busy,
    )


def _execute(command: Sequence[str], folder: Path, log: Path, *, timeout_s: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to this process, which ends the run
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise WebbenchError(f"a run took longer than {timeout_s:.0f} s", evidence=str(log)) from None
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a run that still goes on to end, with its servers; one that does not is killed."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read_rounds(run: Path, cells: Sequence[Cell]) -> tuple[Rounds, ...]:
    times_s: dict[Cell, list[float]] = {}
    for measurement in read_run(run).measurements:
        times_s.setdefault(measurement.trial.cell, []).append(time_per_request_s(measurement))
    return tuple(
        Rounds(
            cell=cell,
            base_s=tuple(times_s.get(Cell(scenario=cell.scenario, stack=cell.stack + BASE_SUFFIX), ())),
            head_s=tuple(times_s.get(cell, ())),
        )
        for cell in cells
    )


def _read_work(logs: Path) -> Work:
    """Return the last counts of each process in the servers' logs."""
    last = {
        (log, pid): (tree, Counted(requests=int(requests), units=int(units)))
        for log in logs.glob("*.log")
        for tree, pid, requests, units in COUNTED.findall(log.read_text(errors="replace"))
    }
    return Work(
        base=_sum(counted for tree, counted in last.values() if tree == BASE),
        head=_sum(counted for tree, counted in last.values() if tree == HEAD),
    )


def _sum(counts: Iterable[Counted]) -> Counted:
    total = Counted()
    for each in counts:
        total = Counted(requests=total.requests + each.requests, units=total.units + each.units)
    return total
