"""Derives the decisions, and the time they took, from the runs of the parts that count."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gate_bench.parts import CHANGED_SCENARIO, Part
from gate_bench.runs import Found, Run
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Verdict
from pytest_webbench.report.content.text import duration

__all__ = ["Decided", "Goal", "decide", "goals"]

ALARMS = {Verdict.SLOWER, Verdict.FASTER}
LEAST_DECIDED = 0.975
"""As a fraction of the comparisons of unchanged cells: 195 of 200."""
LIMIT = 0.01
"""The default limit of instructions."""
SIZE_TOLERANCE = 0.001
"""How far the growth found may differ from that of the loop, as a share of a request."""
LONGEST_PAIR_S = 30.0
LONGEST_SUITE_S = 480.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a cell ended in a run; ``open`` describes it if it was not decided.

    ``main`` is the verdict on instructions, or on time if that was measured.
    """

    run: Run
    cell: Cell
    verdicts: frozenset[Verdict]
    main: Verdict | None
    open: str

    @property
    def is_alarm(self) -> bool:
        """Whether a metric is called slower or faster."""
        return bool(self.verdicts & ALARMS)

    @property
    def is_decided(self) -> bool:
        """Whether every metric is called unchanged."""
        return self.verdicts == {Verdict.NO_CHANGE}

    def named(self) -> str:
        """Return the cell in its run, and the metrics not called unchanged."""
        busy = ", busy" if self.run.busy else ""
        return f"{self.cell} in run {self.run.number + 1}{busy}: {self.open}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """How the runs of ``part`` ended: the unchanged cells, and those that were ``changed``.

    ``ratios`` are those of the changed cells, head over base. ``quiet_s`` and ``busy_s`` are how long each
    run took from the start of pytest to its verdicts.
    """

    part: Part
    runs: int
    failed_runs: int
    same: tuple[Ended, ...]
    changed: tuple[Ended, ...]
    ratios: tuple[float, ...]
    quiet_s: tuple[float, ...]
    busy_s: tuple[float, ...]

    @property
    def no_change(self) -> int:
        """How many of the unchanged cells have every metric called unchanged."""
        return sum(each.is_decided for each in self.same)

    @property
    def main_no_change(self) -> int:
        """How many of the unchanged cells have the main metric called unchanged."""
        return sum(each.main is Verdict.NO_CHANGE for each in self.same)

    @property
    def alarms(self) -> tuple[Ended, ...]:
        """The unchanged cells with a metric called slower or faster."""
        return tuple(each for each in self.same if each.is_alarm)

    @property
    def left_open(self) -> tuple[Ended, ...]:
        """The cells with an undecided metric, and none slower or faster."""
        return tuple(each for each in self.same + self.changed if not each.is_alarm and not each.is_decided)

    @property
    def slower(self) -> int:
        """How many of the changed cells have a metric called slower."""
        return sum(Verdict.SLOWER in each.verdicts for each in self.changed)


def decide(part: Part, runs: Sequence[Run], *, failed_runs: int) -> Decided:
    """Summarise the ``runs`` of ``part``."""
    ended = [_end(part, run, each.cell) for run in runs for each in run.rounds]
    changed = [each for each in ended if _is_changed(part, each.cell)]
    return Decided(
        part=part,
        runs=len(runs),
        failed_runs=failed_runs,
        same=tuple(each for each in ended if not _is_changed(part, each.cell)),
        changed=tuple(changed),
        ratios=tuple(
            found.ratio.estimate
            for each in changed
            for found in _of(each.run, each.cell)
            if found.metric == "instructions" and found.ratio.estimate is not None
        ),
        quiet_s=tuple(run.whole_s for run in runs if not run.busy),
        busy_s=tuple(run.whole_s for run in runs if run.busy),
    )


def _is_changed(part: Part, cell: Cell) -> bool:
    return part.growth is not None and cell.scenario == CHANGED_SCENARIO


def _of(run: Run, cell: Cell) -> list[Found]:
    return [each for each in run.found if each.cell == cell]


def _end(part: Part, run: Run, cell: Cell) -> Ended:
    found = _of(run, cell)
    main = "instructions" if part.counts else "time"
    told = [_tell(each) for each in found if each.verdict is not Verdict.NO_CHANGE]
    return Ended(
        run=run,
        cell=cell,
        verdicts=frozenset(each.verdict for each in found),
        main=next((each.verdict for each in found if each.metric == main), None),
        open="; ".join(told),
    )


def _tell(found: Found) -> str:
    ratio = "" if found.ratio.estimate is None else f" ({found.ratio.estimate:.4f})"
    return f"{found.metric} {found.verdict}{ratio}{': ' if found.why else ''}{found.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal, what was ``found``, and whether that is enough."""

    text: str
    found: str
    met: bool


def goals(decided: Decided, *, size: float | None) -> list[Goal]:
    """Return the goals of a part that counts; ``size`` is the counted share of its loop in a request."""
    part, made = decided.part, decided.runs + decided.failed_runs
    if not part.counts:
        return []
    wanted = [
        Goal(
            text=f"{part.name}: no cell that is the same is called slower or faster",
            found=f"{len(decided.alarms)} of {len(decided.same)}",
            met=not decided.alarms,
        )
    ]
    if decided.failed_runs:
        wanted.append(
            Goal(text=f"{part.name}: every run has verdicts", found=_of_runs(decided.runs, made), met=False)
        )
    if part.growth is None:
        least = LEAST_DECIDED * len(decided.same)
        return [
            *wanted,
            Goal(
                text=f"{part.name}: at least {LEAST_DECIDED * 100:g} % are decided: no change",
                found=f"{decided.no_change} of {len(decided.same)}",
                met=decided.no_change >= least,
            ),
            *_in_time(decided, "35 cells, base and head", LONGEST_SUITE_S),
        ]
    is_found = part.growth > LIMIT
    which = "every" if is_found else "no"
    wanted.append(
        Goal(
            text=f"{part.name}: {part.growth * 100:g} % more is called slower in {which} run",
            found=_of_runs(decided.slower, made),
            met=decided.slower == (made if is_found else 0),
        )
    )
    if size is not None and decided.ratios:
        grown = median(decided.ratios) - 1
        wanted.append(
            Goal(
                text=f"{part.name}: the loop, counted by itself, is {size * 100:.2f} % of a request; found",
                found=f"{grown * 100:+.2f} %",
                met=abs(grown - size) <= SIZE_TOLERANCE and abs(size - part.growth) <= SIZE_TOLERANCE,
            )
        )
    return [*wanted, *_in_time(decided, "two cells of one stack, base and head", LONGEST_PAIR_S)]


def _of_runs(count: int, runs: int) -> str:
    return f"{count} of {runs} runs"


def _in_time(decided: Decided, what: str, longest_s: float) -> list[Goal]:
    """Return the goal for the longest run on an otherwise idle machine."""
    if not decided.quiet_s:
        return []
    return [
        Goal(
            text=f"{decided.part.name}: {what}, are decided in at most {duration(longest_s)}",
            found=duration(max(decided.quiet_s)),
            met=max(decided.quiet_s) <= longest_s,
        )
    ]
