"""Lines of a run in the terminal: header, results, hot spots, and the path of the report."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_webbench.model.errors import printable
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.stack import Launcher
from pytest_webbench.report.content.hot_spots import describe_profile
from pytest_webbench.report.content.text import duration
from pytest_webbench.report.markdown import render_pull_request
from pytest_webbench.report.terminal import describe_run, render_hot_spots, render_run
from pytest_webbench.runs.profiling import Sampling
from pytest_webbench.session.measuring.run import Run
from pytest_webbench.session.options.project_file import find_project
from pytest_webbench.session.output.reports import write_markdown, write_page
from pytest_webbench.session.phases import Planned
from pytest_webbench.session.safeguards.other_plugins import notes_on_options
from pytest_webbench.session.safeguards.unwritten import Unwritten

__all__ = ["Explaining", "ReportWriter", "Summary", "header"]


def header(planned: Planned, launcher: Launcher | None) -> list[str]:
    """Return the lines below the number of collected items.

    ``launcher`` is ``None`` if nothing is launched.
    """
    configured, expected_s = planned.configured, planned.expected_s()
    about = launcher.about if launcher else ""
    lines = list(find_project(configured.config).notes)
    lines.append(describe_run(configured.settings, planned.plan, launcher=about, expected_s=expected_s))
    if planned.comparing is not None:
        budget = duration(planned.comparing.budget)
        lines.append(f"against {planned.comparing.base}; rounds are added for up to {budget}")
    lines += launcher.notes if launcher else ()
    lines += notes_on_options(configured.config, expected_s=expected_s)
    if not configured.timed:
        lines.append("--benchmark-disable: each benchmark is tried once, nothing is timed")
    return [line if line.startswith("webbench: ") else f"webbench: {line}" for line in lines]


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 110)


class Summary:
    """A plugin that prints the tables with every caveat, the verdicts, and the path of the files."""

    def __init__(self, run: Run, unwritten: Unwritten) -> None:
        self._run = run
        self._unwritten = unwritten

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Print the summary, and write the verdicts to their files."""
        configured, record = self._run.planned.configured, self._run.record()
        timed = configured.timed
        shown = record if timed else replace(record, summaries=(), live=(), check_failures={})
        if shown.summaries or shown.live or shown.check_failures or shown.against:
            terminalreporter.section("webbench")
            text = render_run(shown, width=_width(), colour=terminalreporter.hasmarkup)
            terminalreporter.write(text)
        if record.against:
            self._keep_comparison(terminalreporter, record)
        if configured.folder.path.exists():
            where = configured.folder.path
            terminalreporter.write_line(f"webbench: measurements and logs are in {where}")

    def _keep_comparison(self, terminalreporter: "pytest.TerminalReporter", record: SavedRun) -> None:
        """Write the verdicts to the folder of the run, and as markdown."""
        configured, markdown = self._run.planned.configured, render_pull_request(record)
        try:
            configured.folder.keep_comparisons(
                record.comparisons, base=record.against, needed_s=record.needed_s, grown=record.grown
            )
            write_markdown(markdown, file=configured.settings.markdown)
        except OSError as error:  # the verdicts are printed above, and a traceback must not hide them
            self._unwritten.say(terminalreporter, f"the verdicts were not written to a file: {error}")


class ReportWriter:
    """A plugin that writes the HTML report at the end of the session and prints its path.

    ``run`` returns the folder of the run, or ``None`` if there are no results. A report that cannot be drawn
    or written causes no other failure. Within ``open_to_signals``, a signal raises
    :class:`KeyboardInterrupt`.
    """

    def __init__(
        self, run: Callable[[], Path | None], open_to_signals: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._run = run
        self._open_to_signals = open_to_signals

    @pytest.hookimpl(trylast=True)  # so that its path is the last line
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Write the page, and print its path."""
        folder = self._run()
        if folder is None:
            return
        is_bad = False
        try:
            with self._open_to_signals():
                line = f"webbench: report: {write_page(folder)}"
        except KeyboardInterrupt as error:
            line = f"webbench: the report was left out: {error}"
        except Exception as error:  # a drawing library may raise anything
            words = " ".join(str(error).split()) or type(error).__name__
            line, is_bad = f"webbench: the report was not written: {words}", True
        terminalreporter.write_line(printable(line), red=is_bad)


CUT_SHORT = (
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
    pytest.ExitCode.USAGE_ERROR,
)


class Explaining:
    """A plugin that profiles the cells after pytest-benchmark has stored the results of the timed rounds.

    ``cells`` are those with results, ``begin`` returns the object that samples them, ``keep`` stores each
    profile.
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
        """Profile the cells, unless the run was cut short."""
        if exitstatus in CUT_SHORT or session.shouldstop or session.shouldfail:
            return
        cells = self._cells()
        try:
            self._sample(cells)
        except KeyboardInterrupt:
            self._note = f"interrupted: {len(self._profiles)} of {len(cells)} benchmarks were explained"
            session.exitstatus = pytest.ExitCode.INTERRUPTED
        except OSError as error:
            self._note = f"not all profiles were saved: {error}"

    def _sample(self, cells: Sequence[Cell]) -> None:
        if not cells:
            return
        _say(f"\nwebbench: explaining {len(cells)} benchmarks, untimed")
        with closing(self._begin().run(cells)) as profiles:
            for number, profile in enumerate(profiles, start=1):
                self._profiles.append(profile)
                _say(f"webbench: explained {number} of {len(cells)}: {describe_profile(profile)}")
                self._keep(profile)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Print the hot spots below the tables of results."""
        if self._profiles:
            terminalreporter.section("webbench: where the time goes")
            width = _width()
            text = render_hot_spots(self._profiles, width=width, colour=terminalreporter.hasmarkup)
            terminalreporter.write(text)
        if self._note:
            terminalreporter.write_line(f"webbench: {printable(self._note)}", yellow=True)


def _say(line: str) -> None:
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()
