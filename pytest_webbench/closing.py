"""The report of a run, written when all has been said, and the line that says where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_webbench.errors import printable
from pytest_webbench.reporting import write_page

__all__ = ["ReportWriter"]


class ReportWriter:
    """A plugin of a run with ``--webbench``: writes the page into the run's folder.

    ``run`` says which folder that is, when the run has ended, and ``None`` if it has no figures. A page
    that cannot be drawn or written costs nothing but itself.
    """

    def __init__(self, run: Callable[[], Path | None]) -> None:
        self._run = run

    @pytest.hookimpl(trylast=True)  # so that its path is the last thing that is said
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Write the page, and say where it is."""
        folder = self._run()
        if folder is None:
            return
        try:
            line, markup = f"webbench: report: {write_page(folder)}", {}
        except Exception as error:  # whatever a library that draws may raise
            words = " ".join(str(error).split()) or type(error).__name__
            line, markup = f"webbench: the report was not written: {words}", {"red": True}
        terminalreporter.write_line(printable(line), **markup)
