"""What happens while a plan is carried out, in the order in which it happens."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_webbench.model.errors import ContractError, LoadError, StackError
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Block, Cell, Trial
from pytest_webbench.model.suite import Unit

__all__ = [
    "BlockFinished",
    "BlockStarted",
    "CheckFailed",
    "Event",
    "LiveForgotten",
    "LiveInvalidated",
    "LiveStarted",
    "RateChosen",
    "StackFailed",
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
