"""Suites and scenarios whose functions tell a mistake with the user's own line, whoever calls them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_webbench.analysis.responses import exchange_faults, refusal_faults, shown
from pytest_webbench.model.errors import ContractError, SeedError, UsageError, WebbenchError
from pytest_webbench.model.http import Exchange, Record, Refusal
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Dataset, Get, Scenario, Suite, Traffic
from pytest_webbench.session.definitions.user_code import bounded, calling

__all__ = ["guard_scenario", "guard_suite"]


def guard_scenario(scenario: Scenario) -> Scenario:
    """``scenario``, whose traffic raises ``UsageError`` and nothing else."""
    return replace(scenario, traffic=_GuardedTraffic(scenario.name, scenario.traffic))


def guard_suite(suite: Suite) -> Suite:
    """``suite``, whose functions raise errors of ours and nothing else.

    What is called before a launch raises :class:`~pytest_webbench.model.errors.UsageError`, what is called
    beside a running stack a :class:`~pytest_webbench.model.errors.StackError`.
    """
    return replace(
        suite,
        dataset=_GuardedDataset(suite.name, suite.dataset),
        examples=_GuardedExamples(suite.name, suite.examples),
    )


@dataclass(frozen=True)
class _GuardedTraffic:
    scenario: str
    traffic: Traffic

    def __call__(
        self, records: Sequence[Record], count: int | None, rng: random.Random
    ) -> Sequence[Exchange]:
        what = f"the traffic of scenario {self.scenario}"
        with calling(what), bounded(what):
            made: Any = self.traffic(records, count, rng)
        # A generator runs while it is read: under the same guard.
        read: Sequence[Exchange] = _read(what, made) if hasattr(made, "__next__") else made
        return read


def _read(what: str, made: Any) -> Any:
    with calling(what), bounded(what):
        yield from made


@dataclass(frozen=True)
class _GuardedExamples:
    suite: str
    examples: Callable[[Sequence[Record]], Sequence[Exchange | Refusal]]

    def __call__(self, records: Sequence[Record]) -> Sequence[Exchange | Refusal]:
        what = f"the examples of suite {self.suite}"
        hint = "examples returns a list of Exchange and Refusal"
        with calling(what), bounded(what):
            made: Any = self.examples(records)
            if isinstance(made, str | bytes | Mapping) or not hasattr(made, "__iter__"):
                raise UsageError(f"{what} returned {shown(made)}", hint=hint)
            examples = tuple(made)
        for number, each in enumerate(examples):
            faults = refusal_faults(each) if isinstance(each, Refusal) else exchange_faults(each)
            for fault in faults:
                raise UsageError(f"{what} made example {number}, but {fault}", hint=hint)
        return examples


class _GuardedDataset:
    """The dataset of a user; see :class:`~pytest_webbench.Dataset`."""

    def __init__(self, suite: str, dataset: Dataset) -> None:
        self._what = f"of the dataset of suite {suite}"
        self._dataset = dataset
        self.default_count = dataset.default_count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def records(self, count: int) -> tuple[Record, ...]:
        what = f"records({count}) {self._what}"
        with calling(what):
            return _records(what, self._dataset.records(count), UsageError)

    def prepare(self, running: RunningStack, records: Sequence[Record]) -> None:
        with calling(f"prepare {self._what}", SeedError):
            self._dataset.prepare(running, records)

    def load(self, running: RunningStack) -> None:
        with calling(f"load {self._what}", SeedError):
            self._dataset.load(running)

    def state(self, running: RunningStack) -> Mapping[int, Record]:
        with calling(f"state {self._what}", SeedError):
            state: Any = self._dataset.state(running)
        if not isinstance(state, Mapping) or not all(isinstance(each, Mapping) for each in state.values()):
            raise SeedError(f"state {self._what} returned {shown(state)}", hint="return the records by key")
        return state

    def observe(self, get: Get) -> tuple[Record, ...]:
        what = f"observe {self._what}"
        with calling(what, ContractError):
            return _records(what, self._dataset.observe(get), ContractError)


def _records(what: str, made: Any, error: type[WebbenchError]) -> tuple[Record, ...]:
    if isinstance(made, str | bytes | Mapping) or not hasattr(made, "__iter__"):
        raise error(f"{what} returned {shown(made)}", hint="return a tuple of records")
    records = tuple(made)
    for number, each in enumerate(records):
        if not isinstance(each, Mapping):
            raise error(
                f"{what} made record {number}, but it is {shown(each)}",
                hint="a record is a mapping from column to value",
            )
    return records
