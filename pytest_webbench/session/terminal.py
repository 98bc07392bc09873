"""The report of a run, written when all has been said, and the line that says where it is.

``--webbench-explain`` as a pytest plugin: samples taken when all tests are done, and shown at the end.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from pytest_webbench.model.errors import printable
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.report.content.hot_spots import describe_profile
from pytest_webbench.report.terminal import render_hot_spots
from pytest_webbench.runs.profiling import Sampling
from pytest_webbench.session.reports import write_page

__all__ = ["Explaining", "ReportWriter", "terminal_width"]


def terminal_width() -> int:
    """How many columns the tables may take: 110 at least."""
    return max(shutil.get_terminal_size().columns, 110)


class ReportWriter:
    """A plugin of a run with ``--webbench``: writes the page into the run's folder.

    ``run`` says which folder that is, when the run has ended, and ``None`` if it has no figures. A page
    that cannot be drawn or written costs nothing but itself. Within ``open_to_signals`` a signal ends the
    drawing by :class:`KeyboardInterrupt`.
    """

    def __init__(
        self, run: Callable[[], Path | None], open_to_signals: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._run = run
        self._open_to_signals = open_to_signals

    @pytest.hookimpl(trylast=True)  # so that its path is the last thing that is said
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Write the page, and say where it is."""
        folder = self._run()
        if folder is None:
            return
        is_bad = False
        try:
            with self._open_to_signals():
                line = f"webbench: report: {write_page(folder)}"
        except KeyboardInterrupt as error:
            line = f"webbench: the report was left out: {error}"
        except Exception as error:  # whatever a library that draws may raise
            words = " ".join(str(error).split()) or type(error).__name__
            line, is_bad = f"webbench: the report was not written: {words}", True
        terminalreporter.write_line(printable(line), red=is_bad)


CUT_SHORT = (
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
    pytest.ExitCode.USAGE_ERROR,
)


class Explaining:
    """Samples the cells once more, after pytest-benchmark has stored what the timed rounds gave.

    ``cells`` are those that were measured, ``begin`` gives what samples them, ``keep`` stores each profile.
    """

    def __init__(
        self,
        *,
        cells: Callable[[], Sequence[Cell]],
        begin: Callable[[], Sampling],
        keep: Callable[[CodeProfile], None],
    ) -> None:
        self._cells = cells
        self._begin = begin
        self._keep = keep
        self._profiles: list[CodeProfile] = []
        self._note = ""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Take the samples, unless the run was cut short."""
        if exitstatus in CUT_SHORT or session.shouldstop or session.shouldfail:
            return
        cells = self._cells()
        try:
            self._sample(cells)
        except KeyboardInterrupt:
            self._note = f"interrupted: {len(self._profiles)} of {len(cells)} cells were explained"
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        except OSError as error:
            self._note = f"the explanations were not all written down: {error}"

    def _sample(self, cells: Sequence[Cell]) -> None:
        if not cells:
            return
        _say(f"\nwebbench: explaining {len(cells)} cells, untimed")
        with closing(self._begin().run(cells)) as profiles:
            for number, profile in enumerate(profiles, start=1):
                self._profiles.append(profile)
                _say(f"webbench: explained {number} of {len(cells)}: {describe_profile(profile)}")
                self._keep(profile)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Where the time goes, below the tables of figures."""
        if self._profiles:
            terminalreporter.section("webbench: where the time goes")
            width = terminal_width()
            text = render_hot_spots(self._profiles, width=width, colour=terminalreporter.hasmarkup)
            terminalreporter.write(text)
        if self._note:
            terminalreporter.write_line(f"webbench: {printable(self._note)}", yellow=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
