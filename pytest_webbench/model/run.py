"""The events of a run, and a saved run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.errors import ContractError, LoadError, StackError
from pytest_webbench.model.growth import WhatGrew
from pytest_webbench.model.http import SeenResponse
from pytest_webbench.model.measurement import Machine, Measurement, Provenance
from pytest_webbench.model.plan import Block, Cell, Plan, Trial
from pytest_webbench.model.results import CellSummary, CodeProfile, Comparison
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Published, Unit

__all__ = [
    "BlockFinished",
    "BlockStarted",
    "CheckFailed",
    "Event",
    "LiveForgotten",
    "LiveInvalidated",
    "LiveStarted",
    "RateChosen",
    "ResponsesSeen",
    "RunMetadata",
    "SavedRun",
    "ScenarioMetadata",
    "StackFailed",
    "StackMetadata",
    "StackPreparing",
    "StackStarting",
    "TrialFailed",
    "TrialFinished",
    "TrialStarted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPreparing:
    """The environment or image of a stack is being made."""

    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStarted:
    """A block begins."""

    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStarting:
    """A stack is being launched, seeded, checked and warmed up."""

    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFailed:
    """A stack failed and is left out for the rest of the run."""

    stack: str
    error: StackError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed:
    """A scenario failed the check before timing, and is left out on this stack for the rest of the run."""

    cell: Cell
    error: ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesSeen:
    """A launch of a stack that is compared has responded to the requests of the check."""

    stack: str
    responses: tuple[SeenResponse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChosen:
    """The rate in requests per second at which a scenario is measured on every stack.

    ``saturation`` is the maximum rate of each stack, ``share`` the chosen fraction of the lowest.
    """

    scenario: str
    rate: float
    saturation: Mapping[str, float]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialStarted:
    """A round of a cell begins."""

    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished:
    """A round of a cell has been measured."""

    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFailed:
    """A round of a cell has no result, through no fault of the stack."""

    trial: Trial
    error: LoadError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFinished:
    """A block is done and its stacks are stopped."""

    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStarted:
    """A test, named by its node id, begins to measure a cell itself, in ``rounds`` rounds.

    The results of an earlier attempt of the test are dropped.
    """

    test: str
    cell: Cell
    unit: Unit
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInvalidated:
    """The results of a test are invalid."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveForgotten:
    """A test that has measured is run again; its results are dropped."""

    test: str


Event = (
    StackPreparing
    | BlockStarted
    | StackStarting
    | StackFailed
    | CheckFailed
    | ResponsesSeen
    | RateChosen
    | TrialStarted
    | TrialFinished
    | TrialFailed
    | BlockFinished
    | LiveStarted
    | LiveInvalidated
    | LiveForgotten
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackMetadata:
    """The metadata of a stack. ``code_lines`` is ``None`` if they cannot be counted."""

    title: str = ""
    suite: str = ""
    code_lines: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioMetadata:
    """The metadata of a scenario."""

    title: str = ""
    unit: Unit = Unit.RATE
    suite: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetadata:
    """Run metadata, recorded before the run begins; older versions may not have saved it.

    ``version`` is that of the package, ``command`` the command line that repeats the run, ``started`` a time
    in ISO 8601 with its offset from UTC, ``published`` the published results for the measured suites.
    """

    version: str = ""
    command: tuple[str, ...] = ()
    started: str = ""
    machine: Machine | None = None
    stacks: Mapping[str, StackMetadata] = field(default_factory=dict)
    scenarios: Mapping[str, ScenarioMetadata] = field(default_factory=dict)
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedRun:
    """One saved run."""

    source: str
    """The name of the folder or file that it was read from, without its path."""
    metadata: RunMetadata = field(default_factory=RunMetadata)
    settings: Settings | None = None
    """``None`` if only the results of rounds were saved, as in pytest-benchmark's JSON; so is ``plan``."""
    plan: Plan | None = None
    measurements: tuple[Measurement, ...] = ()
    """Empty in that case."""
    summaries: tuple[CellSummary, ...] = ()
    live: tuple[CellSummary, ...] = ()
    """Results of tests that measure themselves; they are not compared across runs."""
    provenances: Mapping[Cell, Provenance] = field(default_factory=dict)
    """How the result of each cell was produced."""
    stack_failures: Mapping[str, str] = field(default_factory=dict)
    """Why a stack lacks results."""
    check_failures: Mapping[Cell, str] = field(default_factory=dict)
    """Why a cell lacks results: a failed check before timing."""
    trial_failures: Mapping[Cell, str] = field(default_factory=dict)
    """Why a cell lacks results: a failed trial."""
    rates: tuple[RateChosen, ...] = ()
    against: str = ""
    """A description of the base of ``comparisons``."""
    needed_s: float | None = None
    """The budget in seconds that would decide the undecided comparisons."""
    comparisons: tuple[Comparison, ...] = ()
    grown: tuple[WhatGrew, ...] = ()
    """Why some of them failed by their counts."""
    explained: tuple[CodeProfile, ...] = ()
    notes: tuple[str, ...] = ()
    """What was wrong with the files."""

    @property
    def counts(self) -> bool:
        """Whether instructions were counted, and nothing was timed."""
        if self.settings is not None:
            return self.settings.profile.counts
        return any(each.counts for each in (*self.summaries, *self.live))

    def stacks(self) -> tuple[str, ...]:
        """Return the names of all stacks that have results, in the run's order."""
        found = dict.fromkeys(each.cell.stack for each in self.summaries)
        known = [name for name in self.metadata.stacks if name in found]
        return tuple(dict.fromkeys([*known, *found]))

    def scenarios(self) -> tuple[str, ...]:
        """Return the names of all scenarios that have results, in the run's order."""
        found = dict.fromkeys(each.cell.scenario for each in self.summaries)
        known = [name for name in self.metadata.scenarios if name in found]
        return tuple(dict.fromkeys([*known, *found]))

    def cells_of(self, scenario: str) -> tuple[CellSummary, ...]:
        """Return the results of a scenario."""
        return tuple(each for each in self.summaries if each.cell.scenario == scenario)

    def rounds_of(self, cell: Cell) -> tuple[Measurement, ...]:
        """Return the rounds of a cell, in order; none if only their results were saved."""
        found = (each for each in self.measurements if each.trial.cell == cell)
        return tuple(sorted(found, key=lambda each: each.trial.round))
