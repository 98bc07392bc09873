"""The trials of a run, and the profiles that set their numbers."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["COUNTS", "PROFILES", "Block", "Cell", "Measure", "Plan", "Profile", "Trial", "TrialOrder"]


class TrialOrder(StrEnum):
    """The order in which the trials are carried out."""

    INTERLEAVED = "interleaved"
    """Each block launches every stack, measures all cells in a new random order, and stops the stacks."""
    SEQUENTIAL = "sequential"
    """One launch per stack and round; the scenarios run in the order in which they are listed."""


class Measure(StrEnum):
    """What a run measures. The results of one are never ranked or compared with those of another."""

    TIME = "time"
    """How fast servers respond."""
    INSTRUCTIONS = "instructions"
    """How many instructions servers execute for a request, under Valgrind; nothing is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The numbers of a run; every stack and scenario shares them.

    A scenario keeps its own users and amount, except where ``duration_s`` or ``request_share`` changes them.
    """

    name: str
    title: str
    rounds: int
    order: TrialOrder = TrialOrder.INTERLEAVED
    duration_s: float | None = None
    """Replaces the duration of each scenario that has one."""
    request_share: float = 1.0
    """Scales the number of requests of the others; never above the scenario's own number."""
    min_requests: int = 1
    """The scaled number is at least this."""
    settle_s: float = 0.0
    """Seconds to wait after a launch."""
    pause_s: float = 0.0
    """Seconds to wait after seeding."""
    warm_launch: bool = False
    """Whether to run the suite's warm-up after a launch."""
    idle_s: float = 0.0
    """Seconds to wait after that warm-up."""
    warm_cell: float = 0.0
    """A cell's own warm-up, as a fraction of its amount."""
    gap_s: float = 0.0
    """Seconds between two trials."""
    measure: Measure = Measure.TIME
    """What a round measures."""
    requests: int | None = None
    """Replaces the amount of every scenario; fewer where it has fewer, or its requests are slow."""
    users: int | None = None
    """Replaces the users of every scenario."""

    packages: tuple[str, ...] = ()
    """Debian packages that the image of a stack must have for this."""
    patience: float = 1.0
    """By what factor a server may take longer to start and to respond, if no limit is given."""
    grace_s: float = 2.0
    """Seconds that a server may take to end after it is asked to."""

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
            title="every benchmark once, to see that it works; do not rely on its results",
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
    title="two launches, instructions of up to 30 requests of each scenario by one user",
    rounds=2,
    order=TrialOrder.SEQUENTIAL,
    warm_cell=1.0,
    measure=Measure.INSTRUCTIONS,
    requests=30,
    users=1,
    packages=("valgrind", "libc6-dbg"),
    patience=10.0,
    grace_s=0.0,  # it would only end slowly, without further output
)
"""The profile of ``--webbench-measure=instructions``."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """A scenario on a stack: one test. Users know it as a benchmark."""

    scenario: str
    stack: str

    def __str__(self) -> str:
        return f"{self.scenario}[{self.stack}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One round of a cell. ``round`` counts from 0; each round of a cell has its own launch.

    The rounds that a ``test`` (its node id) measures itself, with the fixture ``webbench``, share one launch.
    """

    cell: Cell
    round: int
    test: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Stacks launched together, and the trials made with them before they are stopped.

    ``stacks`` are in the order of their launch, ``groups`` in the order of their measurement. A group is one
    trial, or several trials that are compared and therefore measured in short alternating slices.
    """

    number: int
    stacks: tuple[str, ...]
    groups: tuple[tuple[Trial, ...], ...]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials of all groups."""
        return tuple(trial for group in self.groups for trial in group)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All trials of a run, in order. The same ``seed`` gives the same order and the same requests."""

    order: TrialOrder
    seed: int
    blocks: tuple[Block, ...]
