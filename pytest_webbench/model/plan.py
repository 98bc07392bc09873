"""Which trials a run makes, and how many of what."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["COUNTS", "PROFILES", "Block", "Cell", "Measure", "Plan", "Profile", "Trial", "TrialOrder"]


class TrialOrder(StrEnum):
    """The order in which the trials are carried out."""

    INTERLEAVED = "interleaved"
    """A block launches every stack, visits all cells in a new random order, and stops the stacks."""
    SEQUENTIAL = "sequential"
    """Per stack, per round: one launch, and the scenarios in the order in which they are listed."""


class Measure(StrEnum):
    """What a run measures. The results of one are never ranked or compared with those of another."""

    TIME = "time"
    """How fast servers respond."""
    INSTRUCTIONS = "instructions"
    """How many instructions servers execute for a request, under Valgrind; nothing is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The numbers of a run; every stack and scenario shares them.

    A scenario keeps its own users and amount, except for what ``duration_s`` and ``request_share`` change.
    """

    name: str
    title: str
    rounds: int
    order: TrialOrder = TrialOrder.INTERLEAVED
    duration_s: float | None = None
    """Replaces the duration of each scenario that has one."""
    request_share: float = 1.0
    """Scales the number of requests of the others; never above what the scenario says."""
    min_requests: int = 1
    """Not below this."""
    settle_s: float = 0.0
    """Seconds to wait after a launch."""
    pause_s: float = 0.0
    """Seconds to wait after the seeding."""
    warm_launch: bool = False
    """Whether the suite's warm-up is made after a launch."""
    idle_s: float = 0.0
    """Seconds to wait after that."""
    warm_cell: float = 0.0
    """A cell's own warm-up, as a share of its amount."""
    gap_s: float = 0.0
    """Seconds between two trials."""
    measure: Measure = Measure.TIME
    """What a round measures."""
    requests: int | None = None
    """Replaces the amount of every scenario; at most as many as it has."""
    users: int | None = None
    """Replaces the users of every scenario."""

    @property
    def counts(self) -> bool:
        """Whether instructions are counted, and nothing is timed."""
        return self.measure is Measure.INSTRUCTIONS


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="quick",
            title="five rounds of short loads, the whole matrix in about three minutes",
            rounds=5,
            duration_s=0.4,
            request_share=0.25,
            min_requests=30,
            warm_cell=0.25,
        ),
        Profile(
            name="smoke",
            title="every cell once, to see that it is alive; no figures to rely on",
            rounds=1,
            duration_s=0.1,
            request_share=0.02,
            min_requests=10,
        ),
        Profile(
            name="paper",
            title="users, amounts, pauses, order and five launches as in Bednarz and Miłosz (2025)",
            rounds=5,
            order=TrialOrder.SEQUENTIAL,
            settle_s=20.0,
            pause_s=1.0,
            warm_launch=True,
            idle_s=5.0,
            gap_s=3.0,
        ),
    )
}


COUNTS = Profile(
    name="counts",
    title="two launches, each with 100 requests of each scenario by one user, whose instructions are counted",
    rounds=2,
    warm_cell=1.0,
    measure=Measure.INSTRUCTIONS,
    requests=100,
    users=1,
)
"""The profile of ``--webbench-measure=instructions``."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """A scenario on a stack: one item of pytest."""

    scenario: str
    stack: str

    def __str__(self) -> str:
        return f"{self.scenario}[{self.stack}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One round of a cell. ``round`` counts from 0; each round of a cell has a launch of its own.

    Those that a ``test`` (its node id) makes by itself, with the fixture ``webbench``, come from one launch.
    """

    cell: Cell
    round: int
    test: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Stacks launched afresh and together, the trials made with them, and their end.

    ``stacks`` are in the order of their launch, ``groups`` in the order of their measurement: each is a
    trial, or several that are compared and therefore made in turns, a short load of each again and again.
    """

    number: int
    stacks: tuple[str, ...]
    groups: tuple[tuple[Trial, ...], ...]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those of all groups."""
        return tuple(trial for group in self.groups for trial in group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All trials of a run, in order. ``seed`` gives the same order, and the same requests, again."""

    order: TrialOrder
    seed: int
    blocks: tuple[Block, ...]
