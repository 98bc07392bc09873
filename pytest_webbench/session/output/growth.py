"""Looks for what grew in the cells that failed by their counts, once all tests have their verdicts."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace

import pytest

from pytest_webbench.model.errors import printable
from pytest_webbench.model.growth import WhatGrew
from pytest_webbench.report.content.text import counted
from pytest_webbench.runs.growth import CALLS_MISSING
from pytest_webbench.session.measuring.run import Run

__all__ = ["LookingForGrowth"]

CUT_SHORT = (
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
    pytest.ExitCode.USAGE_ERROR,
)


class LookingForGrowth:
    """A plugin that launches both sides of failed cells once more, after the tests and before the summary.

    No failure here changes a verdict: missing results are reported beside the rest. Within
    ``open_to_signals``, a signal raises :class:`KeyboardInterrupt`.
    """

    def __init__(self, run: Run, open_to_signals: Callable[[], AbstractContextManager[None]]) -> None:
        self._run = run
        self._open_to_signals = open_to_signals

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Look for what grew, unless the run was cut short; ``-x`` does not prevent it."""
        found = [] if exitstatus in CUT_SHORT else self._run.executed_more()
        if not found:
            return
        self._keep(found)
        why = ""
        try:
            with self._open_to_signals():
                self._count_calls(found)
        except KeyboardInterrupt as error:
            why = str(error) or "interrupted"
        except Exception as error:  # any failure: the verdicts must still be printed
            why = " ".join(str(error).split()) or type(error).__name__
        if why:
            missing = [each for each in self._run.grown.values() if not (each.calls or each.note)]
            self._keep([replace(each, note=CALLS_MISSING.format(why)) for each in missing])

    def _count_calls(self, found: Sequence[WhatGrew]) -> None:
        launches = len({each.cell.stack for each in found} | {each.base_stack for each in found})
        _say(
            f"\nwebbench: looking for what grew in {counted(len(found), 'benchmark')}: "
            f"{launches} more launches, not measured"
        )
        with closing(self._run.begin_counting_calls().run(found)) as explained:
            for number, each in enumerate(explained, start=1):
                self._keep([each])
                _say(f"webbench: {number} of {len(found)}: {each.cell}")

    def _keep(self, found: Sequence[WhatGrew]) -> None:
        self._run.grown.update({each.cell: each for each in found})


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
