"""What becomes of a test: its result goes to pytest-benchmark, and what speaks against it fails it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_webbench.analysis.validity import INVALID_PASSES, describe_invalid, server_faults
from pytest_webbench.model.errors import StackError, WebbenchError
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.rows import extra_info
from pytest_webbench.session.benchmark.replay import fail_without_figure, replay

__all__ = ["Outcome", "conclude"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a test measured of ``cell``: a ``summary`` of the ``rounds``, if there was one.

    ``error`` is why there is none, or why there will be no more. ``others`` are the results, by what they
    are of, that have to be valid too, and ``lines`` what fails the test beside all that.
    """

    cell: Cell
    summary: CellSummary | None = None
    rounds: Sequence[Measurement] = ()
    error: WebbenchError | None = None
    others: Sequence[tuple[str, CellSummary]] = ()
    lines: Sequence[str] = ()

    def fault(self) -> WebbenchError | None:
        """The error, else that nothing was completed, else the first thing that the server did wrong."""
        if self.error is not None:
            return self.error
        examples = "\n".join(self.summary.examples) if self.summary else ""
        if self.summary is None or not self.summary.time_per_request_s:
            return StackError(f"{self.cell}: no request was completed", evidence=examples)
        for fault in (fault for each in self.rounds for fault in server_faults(each)):
            return StackError(f"{self.cell}: {fault}", evidence=examples)
        return None

    def complaints(self, settings: Settings) -> list[str]:
        """What fails the test of a server that did nothing wrong, a line each."""
        own = [(str(self.cell), self.summary)] if self.summary else []
        invalid = [
            line for what, each in (*own, *self.others) for line in describe_invalid(what, each, settings)
        ]
        return [*self.lines, *invalid, *([INVALID_PASSES] if invalid else [])]


def conclude(item: pytest.Item, benchmark: Any, outcome: Outcome, settings: Settings) -> CellSummary:
    """Feed pytest-benchmark what ``item`` measured, return it, and fail the test if it must not pass.

    That a result is not valid fails no test whose ``benchmark`` is not enabled: nothing was timed.
    """
    summary, fault = outcome.summary, outcome.fault()
    if summary is None or (fault is not None and not summary.time_per_request_s):
        fail_without_figure(benchmark, fault or StackError(f"{outcome.cell} was not measured"))
    replay(item, benchmark, summary.samples_s, extra_info(summary, settings))
    if fault is not None:
        pytest.fail(str(fault), pytrace=False)
    lines = outcome.complaints(settings) if benchmark.enabled else list(outcome.lines)
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
    return summary
