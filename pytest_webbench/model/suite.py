"""Suites, their scenarios and datasets, and the registry of everything that is known by name."""

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
"""``traffic(records, count, rng)``: a pure function that returns the exchanges of one round.

``records`` are in the database when the round starts. ``count`` is the number of requests of the round, or
``None`` for a round with a duration, whose exchanges are sent over and over. ``rng`` is a random generator
with the same state for every stack in that round. Fewer exchanges than ``count`` are repeated.
"""


class Unit(StrEnum):
    """The unit in which a scenario's result is shown to people."""

    RATE = "req/s"
    """Completed requests per second; more is better."""
    TIME = "ms"
    """Mean response time in milliseconds; less is better."""
    INSTRUCTIONS = "k instructions"
    """Thousands of instructions per request; less is better. Set by a run, not by scenarios."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One kind of load, with the expected responses and the expected state of the database afterwards.

    The exchanges made by ``traffic`` contain the expected responses and effects. ``repeat`` says whether an
    exchange may be sent twice in a round (a deletion may not). ``writes`` says whether the database
    changes. With a ``rate`` (requests per second, with ``arrivals``) the loop is open, and ``users`` is the
    maximum number of connections. ``typical_s`` is a guess at the seconds per completed request, used
    to estimate how long a run takes, and how many requests are counted.
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
    """A step of the warm-up after a launch: the requests of a scenario, with its own users and amount."""

    scenario: str
    users: int
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table of published results: for each scenario the value of each stack, in the scenario's unit.

    ``approximate`` names the cells (``scenario[stack]``) with values that were read off a chart. ``notes``
    tell readers how the results were measured, and where the publication contradicts itself.
    """

    title: str
    citation: str
    url: str = ""
    licence: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    approximate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Get = Callable[[str], JsonValue]
"""``get(path)``: the server's response to GET ``path``, decoded from JSON."""


class Dataset(Protocol):
    """The records that each round starts from, and access to a stack's database.

    The database is accessed directly, never through the application's HTTP interface.
    """

    default_count: int

    def records(self, count: int) -> tuple[Record, ...]:
        """Return the first ``count`` records; a pure function, so always the same ones."""
        ...

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        """Give a launched stack the files that :meth:`load` and :meth:`state` need."""
        ...

    def load(self, running: RunningStack) -> None:
        """Make the database hold exactly the prepared records while the stack runs."""
        ...

    def state(self, running: RunningStack) -> Mapping[int, Record]:
        """Return the records in the database, by key."""
        ...

    def observe(self, get: Get) -> tuple[Record, ...]:
        """Return the records that a server reports; used if its database cannot be accessed."""
        ...


class NoDataset:
    """The dataset of a suite that stores nothing."""

    default_count = 0

    def records(self, count: int) -> tuple[Record, ...]:  # noqa: ARG002
        """Return no records."""
        return ()

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        """Do nothing."""

    def load(self, running: RunningStack) -> None:
        """Do nothing."""

    def state(self, running: RunningStack) -> Mapping[int, Record]:  # noqa: ARG002
        """Return no records."""
        return {}

    def observe(self, get: Get) -> tuple[Record, ...]:  # noqa: ARG002
        """Return no records."""
        return ()


def _nothing(records: Sequence[Record]) -> Sequence[Exchange | Refusal]:  # noqa: ARG001
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The contract, dataset and warm-up shared by the stacks and scenarios of one kind.

    ``contract`` is the OpenAPI document. ``examples(records)`` makes exchanges, and requests that must be
    refused; every stack is checked with them, and with those of the scenarios, before it is timed. They only
    read. Profiles with ``warm_launch`` run the ``warmup`` after a launch. ``published`` are results of
    others for the same scenarios and stacks; reports show them next to those of the run.
    """

    name: str
    dataset: Dataset
    contract: Path | None = None
    examples: Callable[[Sequence[Record]], Sequence[Exchange | Refusal]] = _nothing
    warmup: tuple[WarmupStep, ...] = ()
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Everything that is known by name. ``scenarios`` are resolved for the settings of this run.

    ``selected_stacks`` and ``selected_scenarios`` are those that the options select.
    """

    suites: Mapping[str, Suite]
    stacks: Mapping[str, Stack]
    scenarios: Mapping[str, Scenario]
    selected_stacks: tuple[str, ...]
    selected_scenarios: tuple[str, ...]

    def cells(self) -> tuple[Cell, ...]:
        """Return every selected scenario on every selected stack of its suite."""
        return tuple(
            Cell(scenario=scenario, stack=stack)
            for scenario in self.selected_scenarios
            for stack in self.selected_stacks
            if self.scenarios[scenario].suite == self.stacks[stack].suite
        )

    def checks(self) -> dict[str, tuple[Scenario, ...]]:
        """Return the scenarios of each suite, selected or not: every stack must implement all of them."""
        return {
            suite: tuple(each for each in self.scenarios.values() if each.suite == suite)
            for suite in self.suites
        }
