"""The runs of a part, one after the other, and the time left."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from gate_bench.calibration import Calibration, calibrate
from gate_bench.keeping import Kept
from gate_bench.loops import Loops, calibrate_loops
from gate_bench.parts import Part
from gate_bench.repository import make_looped, make_same, make_slowed
from gate_bench.runs import Run, carry_out
from pytest_webbench.model.errors import WebbenchError
from pytest_webbench.model.results import Verdict
from pytest_webbench.report.content.text import duration

__all__ = ["Series"]

DEFAULT_BUDGET_S = 60
"""The gate's default budget, per cell."""
MARGIN_S = 300
"""How much longer than its budget a run may take: creating environments, the launches of a round."""
GUESS_S = {"ab10": 60.0, "ab5": 90.0}
"""A rough time per cell before the first run of a part; other parts take :data:`USUAL_S`."""
USUAL_S = 12.0


@dataclass(kw_only=True)
class Series:
    """Carries out ``runs`` runs of each of ``parts``, or their own number, except those that ``kept`` has.

    A run whose budget would be longer than ``longest_s`` is not repeated. ``failed_runs`` counts the runs
    of a part without verdicts, which are not kept.
    """

    kept: Kept
    parts: Sequence[Part]
    runs: int | None
    longest_s: int
    say: Callable[[str], None]
    failed_runs: dict[str, int] = field(default_factory=dict)
    _took_s: dict[str, list[float]] = field(default_factory=dict)

    def calibrated(self) -> Calibration:
        """Return the units of work for CPU time, calibrated once for all runs of a folder."""
        made = self.kept.find(Calibration)
        if made is None:
            self.say("calibrating the units of work")
            made = calibrate(self.kept.folder / "calibration", self.kept.setup)
            self.kept.keep(made)
        return made

    def loops(self) -> Loops:
        """Return the loops for instructions, counted once for all runs of a folder."""
        made = self.kept.find(Loops)
        if made is None:
            self.say("counting the turns of loops")
            made = calibrate_loops(self.kept.folder / "loops", self.kept.setup)
            self.kept.keep(made)
        return made

    def runs_of(self, part: Part) -> int:
        """Return how many runs ``part`` has."""
        return self.runs or part.runs

    def carry_out(self) -> None:
        """Make all missing runs; raises an error if two in a row, or the first one, fail."""
        for part in self.parts:
            missing = [number for number in range(self.runs_of(part)) if not self._is_over(part, number)]
            if missing:
                self._make_repository(part)
            failed_before = True
            for number in missing:
                begun = time.monotonic()
                try:
                    said = self._carry_out(part, number)
                except WebbenchError as error:
                    if failed_before:
                        raise
                    self.failed_runs[part.name] = self.failed_runs.get(part.name, 0) + 1
                    failed_before, said = True, f"failed: {error}"
                else:
                    failed_before = False
                self._took_s.setdefault(part.name, []).append(time.monotonic() - begun)
                self.say(f"{part.name}: run {number + 1} of {self.runs_of(part)}: {said}; {self._left()}")

    def attempts(self, part: Part) -> list[list[Run]]:
        """Return the attempts of each run of ``part`` that gave verdicts."""
        made = [self.kept.attempts(part, number) for number in range(self.runs_of(part))]
        return [each for each in made if each]

    def _make_repository(self, part: Part) -> None:
        folder = self.kept.folder / part.name
        if part.growth is None:
            make_same(folder, part.stacks)
            return
        if part.counts:
            make_looped(folder, turns=self.loops().of(part.growth).turns)
            return
        calibration = self.calibrated()
        make_slowed(folder, base=calibration.base_units, head=calibration.head_units(part.growth))

    def _is_over(self, part: Part, number: int) -> bool:
        made = self.kept.attempts(part, number)
        return bool(made) and (len(made) > 1 or self._asked_budget_s(part, made[0]) is None)

    def _asked_budget_s(self, part: Part, first: Run) -> int | None:
        """Return the budget that ``first`` asked for, with which it must be repeated."""
        if not part.asks_again or first.needed_s is None:
            return None
        return None if _is_slower(first) or first.needed_s > self.longest_s else math.ceil(first.needed_s)

    def _carry_out(self, part: Part, number: int) -> str:
        """Make the missing attempts; return the result of the last one."""
        made = self.kept.attempts(part, number)
        if not made:
            first_s = self.kept.setup.budget_s(part)
            made.append(self._attempt(part, number, attempt=1, budget_s=first_s))
        budget_s = self._asked_budget_s(part, made[0])
        if budget_s is not None:
            self.say(f"{part.name}: run {number + 1} is undecided and asks for {duration(budget_s)}")
            made.append(self._attempt(part, number, attempt=2, budget_s=budget_s))
        return _describe(made[-1]) + self._refused(part, made)

    def _refused(self, part: Part, made: Sequence[Run]) -> str:
        """Return why an undecided run is not repeated."""
        if not part.asks_again or len(made) > 1 or _is_slower(made[0]):
            return ""
        if made[0].needed_s is None:
            return ", asks for no budget"
        return f", asks for {duration(made[0].needed_s)}, which --longest does not allow"

    def _attempt(self, part: Part, number: int, *, attempt: int, budget_s: int | None) -> Run:
        setup = self.kept.setup
        cells = setup.cells_of(part)
        run = carry_out(
            self.kept.folder / part.name,
            self.kept.folder / "runs" / f"{part.name}-{number + 1:02}-{attempt}",
            setup.arguments(part, number * 2 + attempt),
            part=part.name,
            number=number,
            cells=cells,
            budget_s=budget_s,
            timeout_s=(budget_s or DEFAULT_BUDGET_S * cells) + MARGIN_S,
            busy=part.is_busy(number),
        )
        self.kept.add(run)
        return run

    def _left(self) -> str:
        """Return the time left, from the runs of each part so far, or a guess."""
        left_s = 0.0
        for part in self.parts:
            missing = sum(not self._is_over(part, number) for number in range(self.runs_of(part)))
            took_s = self._took_s.get(part.name)
            guess_s = GUESS_S.get(part.name, USUAL_S) * self.kept.setup.cells_of(part)
            left_s += missing * (median(took_s) if took_s else guess_s)
        return f"about {duration(left_s)} left" if left_s else "done"


def _is_slower(run: Run) -> bool:
    return any(each.verdict is Verdict.SLOWER for each in run.found)


def _describe(run: Run) -> str:
    """Return the verdicts of ``run`` with the time taken, and the ratios of slower or faster cells."""
    alarms = [
        f"{each.metric} of {each.cell} {each.verdict} ({each.ratio.estimate or math.nan:.3f})"
        for each in run.found
        if each.verdict in {Verdict.SLOWER, Verdict.FASTER}
    ]
    tested = [each for each in run.found if each.metric != "errors"]
    undecided = sum(each.verdict is Verdict.INCONCLUSIVE for each in tested)
    same = sum(each.verdict is Verdict.NO_CHANGE for each in tested)
    return f"{', '.join([*alarms, f'{same} no change, {undecided} inconclusive'])} in {duration(run.seconds)}"
