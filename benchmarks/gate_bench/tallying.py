"""Derives from the runs of a part how often the gate was right, and whether that is enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gate_bench.calibration import Calibration
from gate_bench.compare_fail import LIMITS, Said, compare_fail
from gate_bench.parts import Part
from gate_bench.runs import Run
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Verdict

__all__ = ["Tally", "missed_goals", "tally"]

MOST_ALARMS = 0.01
"""As a fraction of the comparisons of unchanged cells."""
LEAST_FOUND = 0.9
"""As a fraction of the runs with a regression: 18 of 20."""
ALARMS = {Verdict.SLOWER, Verdict.FASTER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the runs of ``part`` ended.

    A comparison is that of a cell in a run, with all its metrics. ``wrong`` of them were false alarms, or
    missed, in ``wrong_runs`` of the runs. ``undecided`` ones have an inconclusive metric, and none that is
    slower or faster. ``seconds_per_cell``, ``rounds`` and ``cpu_ratio`` are medians. ``beside`` is the
    verdict of pytest-benchmark's limits.
    """

    part: Part
    runs: int
    failed_runs: int
    comparisons: int
    wrong: int
    wrong_runs: int
    undecided: int
    seconds_per_cell: float
    most_seconds_per_cell: float
    rounds: float
    cpu_ratio: float
    work_as_wanted: bool
    beside: dict[str, Said]

    @property
    def right(self) -> int:
        """Comparisons that were not wrong."""
        return self.comparisons - self.wrong


def tally(
    part: Part, attempts: Sequence[Sequence[Run]], *, failed_runs: int, calibration: Calibration | None
) -> Tally:
    """Count the ``attempts`` of each run, at least one, of which the last one counts."""
    runs = [each[-1] for each in attempts]
    wrong = [[cell for cell in _cells(run) if _is_wrong(part, run.verdicts(cell))] for run in runs]
    undecided = [cell for run in runs for cell in _cells(run) if _is_undecided(run.verdicts(cell))]
    seconds = [sum(run.seconds for run in each) / len(each[-1].rounds) for each in attempts]
    cpu = [each.ratio.estimate for run in runs for each in run.found if each.metric == "cpu"]
    return Tally(
        part=part,
        runs=len(runs),
        failed_runs=failed_runs,
        comparisons=sum(len(_cells(run)) for run in runs),
        wrong=sum(map(len, wrong)),
        wrong_runs=sum(map(bool, wrong)),
        undecided=len(undecided),
        seconds_per_cell=median(seconds),
        most_seconds_per_cell=max(seconds),
        rounds=median(len(each.head_s) for run in runs for each in run.rounds),
        cpu_ratio=median(each for each in cpu if each is not None),
        work_as_wanted=calibration is None or all(_as_wanted(part, run, calibration) for run in runs),
        beside={limit: compare_fail(runs, limit) for limit in LIMITS},
    )


def _cells(run: Run) -> list[Cell]:
    return [each.cell for each in run.rounds]


def _is_wrong(part: Part, verdicts: set[Verdict]) -> bool:
    return bool(verdicts & ALARMS) if part.growth is None else Verdict.SLOWER not in verdicts


def _is_undecided(verdicts: set[Verdict]) -> bool:
    return Verdict.INCONCLUSIVE in verdicts and not verdicts & ALARMS


def _as_wanted(part: Part, run: Run, calibration: Calibration) -> bool:
    """Tell whether base and head did exactly the given units for each request."""
    if part.growth is None:
        return True
    wanted = calibration.base_units, calibration.head_units(part.growth)
    return (run.work.base.units_per_request, run.work.head.units_per_request) == wanted


def missed_goals(made: Tally) -> list[str]:
    """Return the goals of the part that were not reached, as sentences."""
    part, missed = made.part, []
    if made.failed_runs:
        missed.append(f"{part.name}: {made.failed_runs} runs gave no verdicts")
    if part.growth is None:
        if made.wrong > MOST_ALARMS * made.comparisons:
            missed.append(
                f"{part.name}: at most {MOST_ALARMS * 100:g} % of the comparisons may be false alarms, and "
                f"{made.wrong} of {made.comparisons} are"
            )
        if made.wrong_runs:
            missed.append(f"{part.name}: no run may have a false alarm, and {made.wrong_runs} have")
        return missed
    found = made.runs - made.wrong_runs
    if found < LEAST_FOUND * (made.runs + made.failed_runs):
        missed.append(
            f"{part.name}: {LEAST_FOUND * 100:g} % of the runs must find the stack slower, and {found} of "
            f"{made.runs} do"
        )
    if not made.work_as_wanted:
        missed.append(f"{part.name}: base and head did not do the units of work that they were given")
    return missed
