"""What happens in a run, in the order in which it happens, and a run as it was saved."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.errors import ContractError, LoadError, StackError
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
    """What a stack needs is being made: its environment or image."""

    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStarted:
    """A block begins."""

    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStarting:
    """A stack is being launched, seeded, checked and warmed."""

    stack: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFailed:
    """A stack cannot be measured (any more)."""

    stack: str
    error: StackError


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFailed:
    """A scenario failed the check before timing, and is not measured on this stack (any more)."""

    cell: Cell
    error: ContractError


@dataclass(frozen=True, slots=True, kw_only=True)
class RateChosen:
    """The rate in requests per second at which a scenario is measured on every stack.

    ``saturation`` is what each stack served at most, ``share`` the part of the least that was chosen.
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
    """A round of a cell gave nothing, through no fault of the stack."""

    trial: Trial
    error: LoadError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFinished:
    """A block is done and its stacks are down."""

    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStarted:
    """A test, named by its node id, begins to measure a cell by itself, in so many ``rounds``.

    What an earlier attempt of it gave counts no more.
    """

    test: str
    cell: Cell
    unit: Unit
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveInvalidated:
    """What a test measured must not be relied on."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveForgotten:
    """A test that has measured is run again."""

    test: str


Event = (
    StackPreparing
    | BlockStarted
    | StackStarting
    | StackFailed
    | CheckFailed
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
    """What a report says of a stack. ``code_lines`` is ``None`` where they cannot be counted."""

    title: str = ""
    suite: str = ""
    code_lines: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioMetadata:
    """What a report says of a scenario."""

    title: str = ""
    unit: Unit = Unit.RATE
    suite: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMetadata:
    """What a run says of itself before it begins; all of it may be missing in what older versions saved.

    ``version`` is that of the package, ``command`` the words that repeat the run, ``started`` a time in
    ISO 8601 with its offset from UTC, ``published`` the figures that go with the suites measured.
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
    """``None`` where only the results of rounds were kept, as in pytest-benchmark's JSON; so is ``plan``."""
    plan: Plan | None = None
    measurements: tuple[Measurement, ...] = ()
    """Empty in that case."""
    summaries: tuple[CellSummary, ...] = ()
    live: tuple[CellSummary, ...] = ()
    """What tests measured themselves, which stays with the run that made it."""
    provenances: Mapping[Cell, Provenance] = field(default_factory=dict)
    """How the result of each cell came about."""
    stack_failures: Mapping[str, str] = field(default_factory=dict)
    """Why a stack lacks results, in words."""
    check_failures: Mapping[Cell, str] = field(default_factory=dict)
    """Why a cell does, from its check before timing."""
    trial_failures: Mapping[Cell, str] = field(default_factory=dict)
    """Why a cell does, from a failed trial."""
    rates: tuple[RateChosen, ...] = ()
    against: str = ""
    """What the base of ``comparisons`` is."""
    needed_s: float | None = None
    """The budget in seconds that would decide what is open."""
    comparisons: tuple[Comparison, ...] = ()
    explained: tuple[CodeProfile, ...] = ()
    notes: tuple[str, ...] = ()
    """What was wrong with the files."""

    def stacks(self) -> tuple[str, ...]:
        """The names of all stacks that have figures, in the order in which the run knows them."""
        found = dict.fromkeys(each.cell.stack for each in self.summaries)
        known = [name for name in self.metadata.stacks if name in found]
        return tuple(dict.fromkeys([*known, *found]))

    def scenarios(self) -> tuple[str, ...]:
        """The names of all scenarios that have figures, in the order in which the run knows them."""
        found = dict.fromkeys(each.cell.scenario for each in self.summaries)
        known = [name for name in self.metadata.scenarios if name in found]
        return tuple(dict.fromkeys([*known, *found]))

    def cells_of(self, scenario: str) -> tuple[CellSummary, ...]:
        """The figures of a scenario."""
        return tuple(each for each in self.summaries if each.cell.scenario == scenario)

    def rounds_of(self, cell: Cell) -> tuple[Measurement, ...]:
        """The rounds of a cell, in order; none where only their figures were kept."""
        found = (each for each in self.measurements if each.trial.cell == cell)
        return tuple(sorted(found, key=lambda each: each.trial.round))
