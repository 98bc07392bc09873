"""The plan of a run: which trial, in which order."""

from dataclasses import dataclass

from pytest_webbench.values.profile import Order

__all__ = ["Block", "Cell", "Plan", "Trial"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """A scenario on a stack: one item of pytest."""

    scenario: str
    stack: str

    def __str__(self) -> str:
        return f"{self.scenario}[{self.stack}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One round of a cell. ``round`` counts from 0; each round of a cell has a launch of its own."""

    cell: Cell
    round: int


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

    order: Order
    seed: int
    blocks: tuple[Block, ...]
