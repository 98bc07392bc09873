"""The parts of the benchmark: what is compared with what, by which loads, and how often that is right."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["PARTS", "SCENARIOS", "Part", "Setup"]

SCENARIOS = ("hello", "echo", "get_item", "list_items", "create_item", "update_item", "delete_item")
"""In this order they are taken for the cells of the part without a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``growth`` is by how much the head needs more CPU time for a request than its base.

    ``asks_again`` says that an undecided run is made again with the budget that it asks for; then the
    second one counts.
    """

    name: str
    about: str
    growth: float | None = None
    asks_again: bool = False


PARTS = {
    part.name: part
    for part in (
        Part(name="aa", about="the same code on both sides"),
        Part(name="ab10", about="10 % more CPU time for each request", growth=0.10),
        Part(name="ab5", about="5 % more CPU time for each request", growth=0.05, asks_again=True),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all runs have in common; runs of different ones are not put together.

    A round is a second and more, in short turns, for its two launches cost as much. Rounds of twice the
    length scattered less, but told no more in the same time (measured once, sixteen pairs). ``users`` are as
    many as the threads of the server, which keep it busy and leave few requests under way when a turn
    ends. The part without a change has ten times as many cells, and shorter rounds. ``duration_s`` replaces
    the two durations; ``same_budget_s`` is the budget of a run of the part without a change, ``None`` for the
    gate's default.
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

    def cells_of(self, part: Part) -> int:
        """How many cells a run of ``part`` compares."""
        return self.cells if part.growth is None else 1

    def arguments(self, part: Part, number: int) -> list[str]:
        """Those of run ``number`` of ``part``, but for its budget."""
        same = part.growth is None
        scenarios = SCENARIOS[: self.cells // 2] if same else ("hello",)
        duration_s = self.duration_s or (self.same_duration_s if same else self.slowed_duration_s)
        amounts = [f"--webbench-requests={name}={count}" for name, count in self.requests.items()]
        return [
            f"--webbench-against={'self' if same else 'HEAD'}",
            "--webbench-stack=gate-*",
            f"--webbench-scenario={','.join(scenarios)}",
            f"--webbench-launcher={self.launcher}",
            f"--webbench-rounds={self.same_rounds if same else self.rounds}",
            f"--webbench-duration={duration_s:g}",
            f"--webbench-seed={self.seed + number}",
            f"--webbench-users={self.users}",
            *(amounts if same else []),
        ]
