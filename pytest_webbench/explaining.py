"""``--webbench-explain`` as a pytest plugin: samples taken when all tests are done, and shown at the end."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing

import pytest

from pytest_webbench.errors import printable
from pytest_webbench.report.explaining import describe_profile, render_explained
from pytest_webbench.sampling import Sampling
from pytest_webbench.values.code_profile import CodeProfile
from pytest_webbench.values.plan import Cell

__all__ = ["Explaining"]

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
            width = max(shutil.get_terminal_size().columns, 110)
            text = render_explained(self._profiles, width=width, colour=terminalreporter.hasmarkup)
            terminalreporter.write(text)
        if self._note:
            terminalreporter.write_line(f"webbench: {printable(self._note)}", yellow=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
