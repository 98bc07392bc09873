"""Files that could not be written: one line each, and the run fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_webbench.host.files import check_writable, full_folder
from pytest_webbench.model.errors import printable

__all__ = ["Unwritten", "exit_unless_writable"]

LOG_BYTES = 64 << 10
"""With less free space, a server cannot write its log, and many exit because of that."""


def exit_unless_writable(option: str, file: Path) -> None:
    """End pytest with exit code 1 if ``file``, which ``option`` names, cannot be written."""
    try:
        check_writable(file)
    except OSError as error:
        pytest.exit(
            f"webbench: {option} cannot be written: {file} ({error.strerror})",
            returncode=pytest.ExitCode.TESTS_FAILED,
        )


class Unwritten:
    """A plugin that reports events missing from the ``folder`` of a run; ``fault`` returns the reason."""

    def __init__(self, folder: Path, fault: Callable[[], str]) -> None:
        self._folder = folder
        self._fault = fault
        self._session: pytest.Session | None = None

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session, to set its exit status at the end."""
        self._session = session

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Report missing events and full disks."""
        if self._fault():
            self.say(terminalreporter, f"not all trials were written down: {self._fault()}")
        full = full_folder(self._folder, LOG_BYTES)
        if full is not None:
            self.say(terminalreporter, f"there is no space left in {full}: servers may have failed for it")

    def say(self, terminalreporter: "pytest.TerminalReporter", what: str) -> None:
        """Print ``what`` could not be written, and fail the run."""
        terminalreporter.write_line(f"webbench: {printable(what)}", red=True)
        if self._session is not None and self._session.exitstatus == pytest.ExitCode.OK:
            self._session.exitstatus = pytest.ExitCode.TESTS_FAILED
