"""The parts of the benchmark: the comparisons, their loads, and how often the verdict must be correct."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.plan import Measure

__all__ = ["COUNTED_PARTS", "PARTS", "SCENARIOS", "Part", "Setup"]

SCENARIOS = ("hello", "echo", "get_item", "list_items", "create_item", "update_item", "delete_item")
"""The order in which they become cells of the part ``aa``."""
ALL_STACKS = ("django-drf", "fastapi-sqlalchemy", "fastapi-sqlite3", "flask-sqlalchemy", "flask-sqlite3")
EIGHT_MINUTES_S = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A comparison that is repeated in ``runs`` runs, of copies of ``stacks``.

    ``growth`` is how much more the head needs for a request than its base: CPU time, or instructions where
    those are measured. ``scenarios`` is empty where ``--cells`` sets their number. The
    ``tuned`` parts use the rounds and loads of :class:`Setup`, the others the defaults of users.

    With ``asks_again``, an undecided run is repeated with the budget that it asks for; then the
    second one counts. ``half_busy``: every second run is made while other processes keep all processors busy.
    """

    name: str
    about: str
    stacks: tuple[str, ...] = ("flask-sqlite3",)
    scenarios: tuple[str, ...] = ("hello",)
    measure: Measure = Measure.TIME
    growth: float | None = None
    runs: int = 20
    budget_s: int | None = None
    tuned: bool = False
    asks_again: bool = False
    half_busy: bool = False

    @property
    def counts(self) -> bool:
        """Whether instructions are counted, and nothing is timed."""
        return self.measure is Measure.INSTRUCTIONS

    def is_busy(self, number: int) -> bool:
        """Tell whether run ``number`` is made on a busy machine."""
        return self.half_busy and number % 2 == 1


CHANGED_SCENARIO, OTHER_SCENARIO = "get_item", "hello"
"""The scenario whose handler gets a loop, and one whose handler is unchanged."""


def _looped(name: str, growth: float) -> Part:
    return Part(
        name=name,
        about=f"{growth * 100:g} % more instructions in the handler of {CHANGED_SCENARIO}",
        scenarios=(OTHER_SCENARIO, CHANGED_SCENARIO),
        measure=Measure.INSTRUCTIONS,
        growth=growth,
        half_busy=True,
    )


PARTS = {
    part.name: part
    for part in (
        Part(
            name="aa",
            about="the same code on both sides",
            stacks=("fastapi-sqlite3", "flask-sqlite3"),  # asynchronous and threaded
            scenarios=(),
            tuned=True,
        ),
        Part(name="ab10", about="10 % more CPU time for each request", growth=0.10, tuned=True),
        Part(
            name="ab5",
            about="5 % more CPU time for each request",
            growth=0.05,
            tuned=True,
            asks_again=True,
        ),
        Part(
            name="counts-aa",
            about="the same code on both sides",
            stacks=ALL_STACKS,
            scenarios=SCENARIOS,
            measure=Measure.INSTRUCTIONS,
            runs=6,
            half_busy=True,
        ),
        _looped("counts-ab2", 0.02),
        _looped("counts-ab05", 0.005),
        Part(
            name="times-aa",
            about="the same code on both sides",
            stacks=ALL_STACKS,
            scenarios=SCENARIOS,
            runs=6,
            budget_s=EIGHT_MINUTES_S,
            half_busy=True,
        ),
    )
}
COUNTED_PARTS = ("counts-aa", "counts-ab2", "counts-ab05", "times-aa")
"""The parts for counts; the last one is the first one by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The settings that all runs share; runs with different ones are not combined.

    A round of a tuned part takes at least a second, in short slices, because its two launches cost as much.
    Rounds of twice the length scattered less, but were no more informative in the same time (measured once,
    sixteen pairs). ``users`` equals the threads of the server, which keeps it busy and leaves few requests
    under way when a slice ends. The part ``aa`` has ten times as many cells, and shorter rounds.
    ``duration_s`` replaces the two durations; ``same_budget_s`` is the budget of a run of the parts without a
    change, ``None`` for that of the part, or the gate's default.
    """

    launcher: str = "process"
    seed: int
    cells: int = 10
    rounds: int = 6
    same_rounds: int = 5
    duration_s: float | None = None
    same_duration_s: float = 0.5
    same_budget_s: int | None = None
    slowed_duration_s: float = 1.2
    users: int = 4
    requests: Mapping[str, int] = field(
        default_factory=lambda: {"get_item": 200, "list_items": 30, "create_item": 100, "update_item": 100}
    )

    def scenarios_of(self, part: Part) -> tuple[str, ...]:
        """Return the scenarios that a run of ``part`` compares."""
        return part.scenarios or SCENARIOS[: self.cells // len(part.stacks)]

    def cells_of(self, part: Part) -> int:
        """Return how many cells a run of ``part`` compares."""
        return len(part.stacks) * len(self.scenarios_of(part))

    def budget_s(self, part: Part) -> int | None:
        """Return the budget of a run of ``part``, ``None`` for the gate's default."""
        if part.counts or part.growth is not None:
            return part.budget_s
        return self.same_budget_s or part.budget_s

    def arguments(self, part: Part, number: int) -> list[str]:
        """Return the arguments of run ``number`` of ``part``, except its budget."""
        return [
            f"--webbench-against={'self' if part.growth is None else 'HEAD' if part.tuned else 'HEAD~1'}",
            "--webbench-stack=gate-*",
            f"--webbench-scenario={','.join(self.scenarios_of(part))}",
            f"--webbench-launcher={self.launcher}",
            # Runs that count have the same requests every time.
            *(
                ["--webbench-measure=instructions"]
                if part.counts
                else [f"--webbench-seed={self.seed + number}"]
            ),
            *(self._tuned_arguments(part) if part.tuned else []),
        ]

    def _tuned_arguments(self, part: Part) -> list[str]:
        same = part.growth is None
        duration_s = self.duration_s or (self.same_duration_s if same else self.slowed_duration_s)
        amounts = [f"--webbench-requests={name}={count}" for name, count in self.requests.items()]
        return [
            f"--webbench-rounds={self.same_rounds if same else self.rounds}",
            f"--webbench-duration={duration_s:g}",
            f"--webbench-users={self.users}",
            *(amounts if same else []),
        ]
