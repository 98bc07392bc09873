"""The report of a run, written when all has been said, and the line that says where it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pytest_webbench.errors import printable
from pytest_webbench.reporting import write_page

__all__ = ["ReportWriter"]


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
