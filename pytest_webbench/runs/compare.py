"""Compares base and head in one run: which stacks are compared, and how many rounds are added."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_webbench.analysis.gate import (
    GROWTH,
    PairedSamples,
    judge_family,
    pairs_missing,
    threshold_of,
)
from pytest_webbench.analysis.metrics import Metric, Rule, find_metric, judged
from pytest_webbench.analysis.same_responses import first_difference
from pytest_webbench.analysis.text import did_you_mean
from pytest_webbench.analysis.validity import INSTRUCTIONS, load_faults, server_faults
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell, Plan, Profile
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import Comparison, Threshold, Verdict
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Registry
from pytest_webbench.runs.planning import make_paired_plan, make_plan
from pytest_webbench.runs.results import Results
from pytest_webbench.stacks.sources.git import Checkout

__all__ = ["BASE_SUFFIX", "Comparing", "Sides", "choose_sides"]

BASE_SUFFIX = "@base"
"""Suffix of the name of a stack at the commit that it is compared with."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The two sides of a comparison."""

    registry: Registry
    """The registry with heads and bases."""
    bases: dict[str, str]
    """The base of each stack, except those that the commit does not have yet."""
    base: str
    """A description of the bases, for people."""
    checkout: Checkout | None = None
    """The copies to make before stacks are launched."""


def choose_sides(
    settings: Settings, registry: Registry, folder: Path, *, suites: Sequence[str]
) -> Sides | None:
    """Return what ``settings`` compare in ``suites``; ``None`` for a run without a comparison.

    Copies will be made in ``folder``. Raises :class:`~pytest_webbench.model.errors.UsageError` if the
    comparison is not possible.
    """
    if settings.against is not None:
        return _against_commit(settings.against, registry, folder, suites)
    if settings.against_stack is not None:
        return _against_stack(settings.against_stack, registry)
    return None


def _against_commit(ref: str, registry: Registry, folder: Path, suites: Sequence[str]) -> Sides:
    selected = [registry.stacks[name] for name in registry.selected_stacks]
    chosen = {each.name: each for each in selected if each.suite in suites}
    checkout = Checkout(chosen, ref, folder)
    bases = {name: name + BASE_SUFFIX for name in checkout.bases}
    stacks = dict(registry.stacks) | checkout.heads
    stacks |= {bases[name]: replace(base, name=bases[name]) for name, base in checkout.bases.items()}
    return Sides(
        registry=replace(registry, stacks=stacks), bases=bases, base=checkout.title, checkout=checkout
    )


def _against_stack(name: str, registry: Registry) -> Sides:
    if name not in registry.stacks:
        raise UsageError(
            f"--webbench-against-stack: no stack is called {name!r}{did_you_mean(name, registry.stacks)}",
            evidence=f"known: {', '.join(registry.stacks)}",
        )
    suite = registry.stacks[name].suite
    compared = [
        each for each in registry.selected_stacks if each != name and registry.stacks[each].suite == suite
    ]
    if not compared:
        raise UsageError(
            f"there is no stack to compare with {name}", hint="select others with --webbench-stack"
        )
    return Sides(
        registry=replace(registry, selected_stacks=tuple(compared)),
        bases=dict.fromkeys(compared, name),
        base=f"stack {name}",
    )


BUDGET_PER_CELL_S = 60.0


@dataclass(kw_only=True)
class Comparing:
    """Compares cells with their bases, look by look."""

    bases: Mapping[str, str]
    """The base of each stack; cells of a stack without a base are measured but not compared."""
    cells: tuple[Cell, ...]
    thresholds: tuple[Threshold, ...]
    base: str
    """A description of the bases."""
    profile: Profile
    seed: int
    budget_s: float | None = None
    """The time during which rounds are added."""
    comparisons: list[Comparison] = field(default_factory=list)
    _looks: int = 0
    _begun: float | None = None
    _rounds_planned: int = 0

    def base_of(self, cell: Cell) -> Cell | None:
        """Return the cell that ``cell`` is compared with."""
        base = self.bases.get(cell.stack)
        return None if base is None else Cell(scenario=cell.scenario, stack=base)

    def all_cells(self) -> tuple[Cell, ...]:
        """Return every cell followed by its base, without repetitions."""
        both = (each for cell in self.cells for each in (cell, self.base_of(cell)) if each)
        return tuple(dict.fromkeys(both))

    def first_plan(self) -> Plan:
        """Return the rounds before the first look."""
        self._rounds_planned = self.profile.rounds
        return self._plan(self.cells, range(self.profile.rounds))

    def judge(self, results: Results) -> list[Comparison]:
        """Look at the rounds so far; also keep the verdicts in ``comparisons``.

        A verdict of an earlier look stays, with the rounds that it was reached with: a later look allows less
        error and might take it back. Errors are counted anew at each look, over all rounds. If a side has
        failed since, only the verdict "slower" stays.
        """
        self._looks += 1
        all_samples = [samples for cell in self.cells for samples in self._all_samples(cell, results)]
        decided = {
            (each.cell, each.metric): each
            for each in self.comparisons
            if each.verdict is not Verdict.INCONCLUSIVE
            and not _is_counted(each)
            and (each.fails or not self._failed_side(each.cell, results))
        }
        looked = {(each.cell, each.metric): each for each in judge_family(all_samples, look=self._looks)}
        self.comparisons = list((looked | decided).values())
        return self.comparisons

    def next_plan(self, results: Results) -> Plan | None:
        """Return the rounds before the next look; ``None`` if all is decided or the time is up.

        A cell that got worse in one metric is decided: its test fails, regardless of its other metrics.
        """
        undecided = {
            each.cell
            for each in self.comparisons
            if self._may_be_decided(each) and not self._failed_side(each.cell, results)
        }
        cells = tuple(each for each in self.cells if each in undecided - self._failing())
        if self.profile.counts:  # all launches of a stack must do the same work, or the counts differ
            stacks = {each.stack for each in cells}
            cells = tuple(each for each in self.cells if each.stack in stacks)
        if not cells:
            return None
        wanted = math.ceil(self._rounds_planned * GROWTH) - self._rounds_planned
        rounds = min(wanted, self._rounds_left(cells, results))
        if rounds < 1:
            return None
        first = self._rounds_planned
        self._rounds_planned += rounds
        return self._plan(cells, range(first, self._rounds_planned))

    def start_clock(self) -> None:
        """Start counting the time, when the first block begins."""
        if self._begun is None:
            self._begun = time.monotonic()

    @property
    def budget(self) -> float:
        """The time for all rounds, in seconds."""
        return BUDGET_PER_CELL_S * len(self.cells) if self.budget_s is None else self.budget_s

    def budget_needed_s(self, results: Results) -> float | None:
        """Estimate the budget that would decide all cells, at the pace so far; ``None`` if unknown."""
        undecided: dict[Cell, list[Comparison]] = {}
        for each in self.comparisons:
            if each.pairs_needed is not None and each.cell not in self._failing():
                undecided.setdefault(each.cell, []).append(each)
        if not undecided:
            return None
        more = sum(map(pairs_missing, undecided.values()))
        return self._spent_s + 2 * more * self._pace_s(results)

    def _failing(self) -> set[Cell]:
        return {each.cell for each in self.comparisons if each.fails}

    @property
    def _spent_s(self) -> float:
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def _pace_s(self, results: Results) -> float:
        """Return the seconds that a round took, including its share of the launches."""
        return self._spent_s / max(1, sum(map(len, results.rounds.values())))

    def _may_be_decided(self, comparison: Comparison) -> bool:
        if self.profile.counts and comparison.metric != INSTRUCTIONS:
            return False  # system calls depend on timers and threads: not a reason to launch again
        return comparison.verdict is Verdict.INCONCLUSIVE and (
            not comparison.why
            or comparison.why_code == Code.LAUNCHES_DIFFER
            or 0 < comparison.pairs < self._rounds_planned
        )

    def _rounds_left(self, cells: Sequence[Cell], results: Results) -> int:
        """Return how many more rounds of ``cells`` and their bases the time allows, at the pace so far."""
        left_s, pace_s = self.budget - self._spent_s, self._pace_s(results)
        return int(left_s / (2 * len(cells) * pace_s)) if pace_s else 0

    def _plan(self, cells: Sequence[Cell], rounds: range) -> Plan:
        groups = [[each for each in (cell, self.base_of(cell)) if each] for cell in cells]
        if self.profile.counts:  # nothing has to be measured in slices
            ordered = [each for group in groups for each in group]
            return make_plan(ordered, profile=self.profile, seed=self.seed, rounds=rounds)
        return make_paired_plan(groups, rounds=rounds, seed=self.seed)

    def _failed_side(self, cell: Cell, results: Results) -> str:
        """Return the failure of the stack, or of the check before timing, of ``cell`` or its base, if any."""
        for each, who in self._sides(cell):
            if error := results.failure_of(each):
                return Code.SIDE_FAILED.reason(side=who, error=error.message)
        return ""

    def _sides(self, cell: Cell) -> list[tuple[Cell, str]]:
        base = self.base_of(cell)
        return [(base, "the base"), (cell, str(cell))] if base else []

    def nothing_compared(self, cell: Cell) -> str:
        """Return why no metric of ``cell`` could be compared; empty if one was, or it has no base."""
        if self.base_of(cell) is None:
            return ""
        mine = [each for each in self.comparisons if each.cell == cell]
        if any(each.why_code in (Code.RESPONSES_DIFFER, Code.LAUNCHES_DIFFER) for each in mine):
            return ""
        if any(each.pairs and not each.why for each in mine if not _is_counted(each)):
            return ""
        reasons = [each.why for each in mine if each.why]
        if not mine or reasons:
            return reasons[0] if reasons else Code.METRICS_UNKNOWN.reason()
        return ""

    def void_line(self, cell: Cell) -> str:
        """Return a line if ``cell`` and its base do different work, which is not compared; else empty."""
        voids = (each.why for each in self.comparisons if each.cell == cell and each.verdict is Verdict.VOID)
        return next((f"{cell}: {why}" for why in voids), "")

    def _void(self, cell: Cell, base: Cell, results: Results) -> str:
        """Return why the two sides do different work; checked only for counts."""
        if not self.profile.counts or results.failure_of(cell) or base.stack in results.stack_failures:
            return ""
        failed = results.check_failures.get(base)
        if failed is not None:
            difference = f"the base fails the check that {cell} passes: {failed.message}"
            return Code.RESPONSES_DIFFER.reason(difference=difference)
        same_application = base.stack == cell.stack + BASE_SUFFIX
        launches = [
            [
                [each for each in launch if each.scenario == cell.scenario]
                for launch in results.responses.get(side.stack, ())
            ]
            for side in (base, cell)
        ]
        difference = first_difference(launches[0], launches[1], headers=same_application)
        return Code.RESPONSES_DIFFER.reason(difference=difference) if difference else ""

    def _all_samples(self, cell: Cell, results: Results) -> list[PairedSamples]:
        base = self.base_of(cell)
        if base is None:
            return []
        pairs = _pairs(results.rounds.get(cell, []), results.rounds.get(base, []))
        sound = [pair for pair in pairs if all(map(_is_sound, pair))]
        failed = self._failed_side(cell, results)
        void = self._void(cell, base, results)
        why = failed or ("" if sound else self._why_no_pairs(cell, results))
        all_samples = []
        for metric in judged(self.profile.measure):
            threshold = threshold_of(self.thresholds, metric, cell)
            if threshold is None:
                continue
            counted = metric.rule is Rule.COUNT
            samples, reason = _samples(cell, base, metric, threshold, pairs if counted else sound), why
            if samples is not None and counted:
                reason = failed or self._why_not_counted(cell, results, pairs, samples)
            if samples is not None:
                all_samples.append(replace(samples, why=reason, void="" if counted else void))
        return all_samples

    def _why_no_pairs(self, cell: Cell, results: Results) -> str:
        """Return why there is no pair of rounds that are both sound."""
        for each, who in self._sides(cell):
            rounds = results.rounds.get(each, [])
            if not any(map(_is_sound, rounds)):
                error = results.trial_failures.get(each)
                said = [fault for one in rounds for fault in _faults(one)]
                why = error.message if error else said[0] if said else "it was not measured"
                return Code.SIDE_UNSOUND.reason(side=who, cause=why)
        return Code.BLOCKS_DIFFER.reason()

    def _why_not_counted(
        self,
        cell: Cell,
        results: Results,
        pairs: Sequence[tuple[Measurement, Measurement]],
        samples: PairedSamples,
    ) -> str:
        """Return why failed requests cannot be compared.

        Without a success they say nothing about a change.
        """
        heads_ok, bases_ok = (any(pair[side].load.ok for pair in pairs) for side in (0, 1))
        if pairs and bases_ok and (heads_ok or sum(samples.head) > sum(samples.base)):
            return ""
        return self._why_no_pairs(cell, results)


def _pairs(
    heads: Sequence[Measurement], bases: Sequence[Measurement]
) -> list[tuple[Measurement, Measurement]]:
    """Pair the rounds of head and base from the same block."""
    by_round = {each.trial.round: each for each in bases}
    pairs = [(each, by_round.get(each.trial.round)) for each in heads]
    return [(head, base) for head, base in pairs if base is not None]


def _is_sound(measurement: Measurement) -> bool:
    """Return whether a round can be compared.

    Failed requests do not prevent that as long as some succeeded: the metric ``errors`` counts them.
    """
    if not measurement.load.ok:
        return False
    faults = any(load_faults(measurement.load, measurement.schedule))
    return not faults and (not server_faults(measurement) or bool(measurement.load.errors))


def _faults(measurement: Measurement) -> list[str]:
    """Return the reasons why a round cannot be compared."""
    faults = list(server_faults(measurement))
    if not measurement.load.ok:
        return [*faults, "no request was completed"]
    return [*faults, *load_faults(measurement.load, measurement.schedule)]


def _is_counted(comparison: Comparison) -> bool:
    return find_metric(comparison.metric).rule is Rule.COUNT


def _samples(
    cell: Cell,
    base: Cell,
    metric: Metric,
    threshold: Threshold,
    pairs: Sequence[tuple[Measurement, Measurement]],
) -> PairedSamples | None:
    """Return samples of ``metric``.

    ``None`` if it is not known, such as the CPU time of an attached server.
    """
    values = [(metric.value([head]), metric.value([one])) for head, one in pairs]
    known = [(head, one) for head, one in values if head is not None and one is not None]
    if values and not known:
        return None
    return PairedSamples(
        cell=cell,
        base_stack=base.stack,
        threshold=threshold,
        base=tuple(one for _, one in known),
        head=tuple(head for head, _ in known),
    )
