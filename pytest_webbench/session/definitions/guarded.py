"""Calls into users' code: mistakes are reported with the user's own line; endless calls are stopped."""

import linecache
import random
import resource
import signal
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from pytest_webbench.analysis.responses import exchange_faults, refusal_faults, shown
from pytest_webbench.model.errors import ContractError, SeedError, UsageError, WebbenchError
from pytest_webbench.model.http import Exchange, Record, Refusal
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Dataset, Get, Scenario, Suite, Traffic

__all__ = ["bounded", "calling", "guard_scenario", "guard_suite"]

MOST_CPU_S = 60.0
"""The CPU time that one call may take; it suffices to create a million requests."""
LOOK_EVERY_S = 0.1
_NOT_USERS = (str(Path(__file__).parents[2]), sysconfig.get_path("stdlib"), "<")


@contextmanager
def calling(what: str, error: type[WebbenchError] = UsageError, *, hint: str = "") -> Iterator[None]:
    """Raise ``error`` for an exception of the user's code that ``what`` names, with file and line.

    Our own errors pass through.
    """
    failure: WebbenchError | None = None
    try:
        yield
    except WebbenchError:
        raise
    except Exception as fault:  # users' code may raise anything
        words = " ".join(str(fault).split())
        said = f"{type(fault).__name__}: {words}" if words else type(fault).__name__
        failure = error(f"{what} failed: {said}", evidence=_place(fault), hint=hint or "correct that line")
    if failure is not None:
        raise failure


def _place(error: Exception) -> str:
    """Return the user's line that ``error`` came from.

    This is the innermost one outside of this package and libraries.
    """
    entries = [entry for entry in traceback.extract_tb(error.__traceback__) if _is_users(entry.filename)]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}"
    if not entries:
        return ""
    last = entries[-1]
    return f"{last.filename}, line {last.lineno}, in {last.name}: {(last.line or '').strip()}"


def _is_users(file: str) -> bool:
    return not file.startswith(_NOT_USERS) and "site-packages" not in Path(file).parts


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Stop the call named ``what`` after :data:`MOST_CPU_S`, or when it takes half of the free memory.

    Raises :class:`~pytest_webbench.model.errors.UsageError` from within it. Works only in the main thread,
    where Python handles signals; it uses the clock of CPU time, so that no other alarm is disturbed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    begun_s = _cpu_s()
    most_bytes = 0  # read at the first check, since hardly any call takes that long

    def look(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal most_bytes
        took_s = _cpu_s() - begun_s
        held = psutil.Process().memory_info().rss
        most_bytes = most_bytes or held + psutil.virtual_memory().available // 2
        too_large = held > most_bytes
        if took_s < MOST_CPU_S and not too_large:
            return
        why = "half of the free memory" if too_large else f"{MOST_CPU_S:g} s of CPU time"
        raise UsageError(
            f"{what} was stopped: it took {why}, and seems to have no end",
            evidence=_where(frame),
            hint="return a list that ends, whose requests are repeated by themselves, or lower "
            "--webbench-requests",
        )

    before: Any = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, LOOK_EVERY_S, LOOK_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _where(frame: FrameType | None) -> str:
    """Return the user's line that runs in ``frame``."""
    while frame is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None:
        return ""
    file, number = frame.f_code.co_filename, frame.f_lineno
    return f"{file}, line {number}, in {frame.f_code.co_name}: {linecache.getline(file, number).strip()}"


# --- suites and scenarios -----------------------------------------------------------------------------------


def guard_scenario(scenario: Scenario) -> Scenario:
    """Return ``scenario`` with traffic that raises only ``UsageError``."""
    return replace(scenario, traffic=_GuardedTraffic(scenario.name, scenario.traffic))


def guard_suite(suite: Suite) -> Suite:
    """Return ``suite`` with functions that raise only our errors.

    Functions called before a launch raise :class:`~pytest_webbench.model.errors.UsageError`, those called for
    a running stack a :class:`~pytest_webbench.model.errors.StackError`.
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
        self._made: dict[int, tuple[Record, ...]] = {}
        self.default_count = dataset.default_count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def records(self, count: int) -> tuple[Record, ...]:
        """Return the records, created once in a run: every load is about the records in every database."""
        if count not in self._made:
            what = f"records({count}) {self._what}"
            with calling(what):
                self._made[count] = _records(what, self._dataset.records(count), UsageError)
        return self._made[count]

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
