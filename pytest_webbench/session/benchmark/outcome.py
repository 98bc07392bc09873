"""Passes results to pytest-benchmark: rounds are replayed on a virtual clock; bad results fail their test."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest

from pytest_webbench.analysis.validity import INVALID_PASSES, describe_invalid, server_faults
from pytest_webbench.model.errors import StackError, WebbenchError
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.rows import INSTRUCTIONS, counted_name, extra_info
from pytest_webbench.session.benchmark.rows import joined

__all__ = ["Outcome", "VirtualClock", "conclude", "fail_without_result", "install_clock", "replay"]

CLOCK: pytest.StashKey["VirtualClock"] = pytest.StashKey()


class VirtualClock:
    """A timer for pytest-benchmark that returns times measured elsewhere."""

    __name__ = "webbench_virtual_clock"  # pytest-benchmark writes the name of the timer to its JSON

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the virtual time in seconds."""
        return self.now_s


def install_clock(item: pytest.Item, *, group: str | None) -> None:
    """Have the ``benchmark`` fixture of ``item`` use our virtual clock, and group by ``group``.

    pytest-benchmark reads only the closest mark, so those of the user are merged into it.
    """
    clock = item.stash[CLOCK] = VirtualClock()
    merged: dict[str, Any] = {"group": group} if group else {}
    for mark in reversed(list(item.iter_markers("benchmark"))):
        merged |= mark.kwargs
    item.add_marker(pytest.mark.benchmark(**{**merged, "timer": clock}), append=False)


def replay(item: pytest.Item, benchmark: Any, samples_s: Sequence[float], info: Mapping[str, Any]) -> None:
    """Feed a round per sample to pytest-benchmark; ``info`` goes into the saved JSON.

    Raises :class:`AssertionError` if pytest-benchmark recorded anything but the samples: the result
    would be wrong.
    """
    clock = item.stash[CLOCK]
    pending = iter(samples_s)

    def rewind() -> None:
        clock.now_s = 0.0  # from 0 each time: differences of large numbers are rounded

    def advance() -> None:
        # Once more than there are samples with --benchmark-cprofile, which calls after the rounds.
        clock.now_s = next(pending, clock.now_s)

    benchmark.extra_info.update(info)
    benchmark.pedantic(advance, setup=rewind, rounds=len(samples_s), iterations=1)
    if benchmark.enabled:
        recorded = benchmark.stats.stats.data
        assert recorded == list(samples_s), f"pytest-benchmark recorded {recorded}, not {samples_s}"


def fail_without_result(benchmark: Any, error: WebbenchError) -> NoReturn:
    """Fail the test with ``error``, and tell pytest-benchmark that there is no result."""

    def give_up() -> None:
        raise error

    with suppress(WebbenchError):
        benchmark.pedantic(give_up, rounds=1, iterations=1)
    pytest.fail(str(error), pytrace=False)


# --- what becomes of a test ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a test: the ``summary`` of the ``rounds`` of a ``cell``, if there is one.

    ``error`` is the reason why there is none, or why there are no further rounds. ``others`` are results that
    have to be valid, too, each with a description; ``lines`` are further reasons to fail the test.
    """

    cell: Cell
    summary: CellSummary | None = None
    rounds: Sequence[Measurement] = ()
    error: WebbenchError | None = None
    others: Sequence[tuple[str, CellSummary]] = ()
    lines: Sequence[str] = ()

    def fault(self) -> WebbenchError | None:
        """Return the error, a lack of completed requests, or the first fault of the server."""
        if self.error is not None:
            return self.error
        examples = "\n".join(self.summary.examples) if self.summary else ""
        if self.summary is None or not self.summary.rounds:
            return StackError(f"{self.cell}: no request was completed", evidence=examples)
        for fault in (fault for each in self.rounds for fault in server_faults(each)):
            return StackError(f"{self.cell}: {fault}", evidence=examples)
        return None

    def complaints(self, settings: Settings) -> list[str]:
        """Return reasons to fail the test although the server has no fault, one per line."""
        own = [(str(self.cell), self.summary)] if self.summary else []
        invalid = [
            line for what, each in (*own, *self.others) for line in describe_invalid(what, each, settings)
        ]
        return [*self.lines, *invalid, *([INVALID_PASSES] if invalid else [])]


def conclude(item: pytest.Item, benchmark: Any, outcome: Outcome, settings: Settings) -> CellSummary:
    """Feed the result to pytest-benchmark and return it; fail the test if it must not pass.

    An invalid result does not fail a test whose ``benchmark`` is disabled: nothing was timed.
    """
    summary, fault = outcome.summary, outcome.fault()
    if summary is None or (fault is not None and not summary.rounds):
        fail_without_result(benchmark, fault or StackError(f"{outcome.cell} was not measured"))
    if summary.counts:  # it must not be found or shown beside times
        benchmark.name, benchmark.fullname = map(counted_name, (benchmark.name, benchmark.fullname))
        benchmark.group = joined(benchmark.group, INSTRUCTIONS)
    replay(item, benchmark, summary.samples_s, extra_info(summary, settings))
    if fault is not None:
        pytest.fail(str(fault), pytrace=False)
    lines = outcome.complaints(settings) if benchmark.enabled else list(outcome.lines)
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
    return summary
