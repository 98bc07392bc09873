"""What is asked: suites, their scenarios and datasets, and all that is known by name."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pytest_webbench.model.http import Exchange, JsonValue, Record, Refusal
from pytest_webbench.model.load import Amount, Arrivals
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.stack import RunningStack, Stack

__all__ = [
    "Dataset",
    "Get",
    "NoDataset",
    "Published",
    "Registry",
    "Scenario",
    "Suite",
    "Traffic",
    "Unit",
    "WarmupStep",
]

Traffic = Callable[[Sequence[Record], int | None, random.Random], Sequence[Exchange]]
"""``traffic(records, count, rng)``: the exchanges of one round, as a pure function.

``records`` are those that the database holds when the round starts, ``count`` the number of requests
of the round (``None``: it has a duration, and the exchanges are sent over and over), ``rng`` a source
of chance that is the same for every stack in that round. Fewer exchanges than ``count`` are repeated.
"""


class Unit(StrEnum):
    """The unit in which a scenario's figure is shown to people."""

    RATE = "req/s"
    """Completed requests per second; more is better."""
    TIME = "ms"
    """Mean response time in milliseconds; less is better."""
    INSTRUCTIONS = "k instructions"
    """Thousands of instructions per request; less is better. Scenarios do not ask for it, a run does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load, with the responses that are expected and what the database must hold afterwards.

    The answers and effects stand in the exchanges that ``traffic`` makes. ``repeat`` says whether an
    exchange may be sent twice in a round (a deletion may not). ``writes`` says whether the database
    changes. With a ``rate`` (requests per second, with ``arrivals``) the loop is open, and ``users`` are
    connections at most. ``typical_s`` is a guess of the seconds per completed request, used for nothing
    but the time that a run is expected to take.
    """

    name: str
    users: int
    amount: Amount
    traffic: Traffic
    title: str = ""
    unit: Unit = Unit.RATE
    suite: str = "items"
    repeat: bool = True
    writes: bool = False
    rate: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT
    typical_s: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupStep:
    """A part of the warm-up after a launch: the requests of a scenario, by other users and amount."""

    scenario: str
    users: int
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table of figures: for each scenario the value of each stack, in the scenario's unit.

    ``approximate`` names the cells (``scenario[stack]``) whose values were read off a chart. ``notes`` say
    in words what a reader must know: how it was measured, and where the publication contradicts itself.
    """

    title: str
    citation: str
    url: str = ""
    licence: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    approximate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Get = Callable[[str], JsonValue]
"""``get(path)``: what the server answers to GET ``path``, decoded from JSON."""


class Dataset(Protocol):
    """The records that each round starts from, and the way into a stack's database.

    The way in goes beside the application, never through its HTTP interface.
    """

    default_count: int

    def records(self, count: int) -> tuple[Record, ...]:
        """The first ``count`` records: the same ones always, a pure function."""
        ...

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        """Put beside a launched stack what :meth:`load` and :meth:`state` need."""
        ...

    def load(self, running: RunningStack) -> None:
        """Make the database hold exactly the prepared records, while the stack runs."""
        ...

    def state(self, running: RunningStack) -> Mapping[int, Record]:
        """What the database holds, by key."""
        ...

    def observe(self, get: Get) -> tuple[Record, ...]:
        """What a server says that it holds, for one whose database cannot be reached."""
        ...


class NoDataset:
    """The dataset of a suite that keeps nothing."""

    default_count = 0

    def records(self, count: int) -> tuple[Record, ...]:  # noqa: ARG002
        """None."""
        return ()

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        """Nothing to prepare."""

    def load(self, running: RunningStack) -> None:
        """Nothing to load."""

    def state(self, running: RunningStack) -> Mapping[int, Record]:  # noqa: ARG002
        """Nothing."""
        return {}

    def observe(self, get: Get) -> tuple[Record, ...]:  # noqa: ARG002
        """None."""
        return ()


def _nothing(records: Sequence[Record]) -> Sequence[Exchange | Refusal]:  # noqa: ARG001
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What stacks and scenarios of one kind share.

    ``contract`` is the OpenAPI document. ``examples(records)`` makes exchanges, and requests that must
    be refused, with which every stack is checked before it is timed, beside the scenarios' own; they only
    read. ``warmup`` is carried out after a launch by profiles that ask for it. ``published``
    are figures of others for the same scenarios and stacks, which a report sets beside those of a run.
    """

    name: str
    dataset: Dataset
    contract: Path | None = None
    examples: Callable[[Sequence[Record]], Sequence[Exchange | Refusal]] = _nothing
    warmup: tuple[WarmupStep, ...] = ()
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All that is known by name. ``scenarios`` are resolved for the settings of this run.

    ``selected_stacks`` and ``selected_scenarios`` are those that the options leave.
    """

    suites: Mapping[str, Suite]
    stacks: Mapping[str, Stack]
    scenarios: Mapping[str, Scenario]
    selected_stacks: tuple[str, ...]
    selected_scenarios: tuple[str, ...]

    def cells(self) -> tuple[Cell, ...]:
        """Every selected scenario on every selected stack of its suite."""
        return tuple(
            Cell(scenario=scenario, stack=stack)
            for scenario in self.selected_scenarios
            for stack in self.selected_stacks
            if self.scenarios[scenario].suite == self.stacks[stack].suite
        )

    def checks(self) -> dict[str, tuple[Scenario, ...]]:
        """The scenarios of each suite, selected or not: every stack must answer all of them."""
        return {
            suite: tuple(each for each in self.scenarios.values() if each.suite == suite)
            for suite in self.suites
        }
