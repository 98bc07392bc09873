"""Suites: a contract, a dataset, and what goes with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pytest_webbench.launchers import RunningStack
from pytest_webbench.values.exchange import Exchange, JsonValue, Record, Refusal
from pytest_webbench.values.published import Published
from pytest_webbench.values.scenario import WarmupStep

__all__ = ["Dataset", "Get", "NoDataset", "Suite"]

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
    be refused, which every stack has to answer rightly before it is timed, beside the scenarios' own;
    they only read. ``warmup`` is carried out after a launch by profiles that ask for it. ``published``
    are figures of others for the same scenarios and stacks, which a report sets beside those of a run.
    """

    name: str
    dataset: Dataset
    contract: Path | None = None
    examples: Callable[[Sequence[Record]], Sequence[Exchange | Refusal]] = _nothing
    warmup: tuple[WarmupStep, ...] = ()
    published: tuple[Published, ...] = ()
