"""Launchers: they bring a stack up, and take it down again whatever happens."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from pytest_webbench.meters import Meter
from pytest_webbench.values.load import Held
from pytest_webbench.values.measurement import LaunchRecord
from pytest_webbench.values.stack import Stack

__all__ = ["Launcher", "RunningStack"]


class RunningStack(Protocol):
    """A stack that runs and has given its first right answer."""

    @property
    def stack(self) -> Stack:
        """What runs."""
        ...

    @property
    def base_url(self) -> str:
        """Where it answers, without a slash at the end: ``http://127.0.0.1:40123``."""
        ...

    @property
    def launch(self) -> LaunchRecord:
        """How it was launched, with the versions, and the worker processes, that are in force now."""
        ...

    @property
    def meter(self) -> Meter:
        """Reads what the server's processes use."""
        ...

    @property
    def server_pid(self) -> int | None:
        """The id of the server's first process on this machine; ``None`` where it cannot be seen."""
        ...

    def connections(self) -> Held | None:
        """Which process of the server holds which connection; ``None`` where that cannot be seen."""
        ...

    def verify(self) -> None:
        """Find out whether what runs is what was launched: it alone listens, and it serves its own copy.

        Asked before anything is timed, and after each round. Raises
        :class:`~pytest_webbench.errors.StartError` and :class:`~pytest_webbench.errors.OwnCopyError`.
        """
        ...

    @property
    def answers(self) -> bool:
        """Whether a server is there at all; a fake without one is not checked."""
        ...

    @property
    def reachable_inside(self) -> bool:
        """Whether files can be put and commands run beside the application."""
        ...

    def put_file(self, name: str, content: bytes) -> str:
        """Write a file into the data folder of this launch; the path as the stack sees it."""
        ...

    def execute(self, arguments: Sequence[str]) -> bytes:
        """Run the stack's Python with ``arguments`` beside the application; what it printed.

        ``{data_dir}`` in an argument stands for the data folder. Raises
        :class:`~pytest_webbench.errors.SeedError` if the command fails or does not end in time.
        """
        ...

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        ...

    def ended(self) -> str | None:
        """Why the server has ended, in words; ``None`` while it runs."""
        ...


class Launcher(Protocol):
    """Brings stacks up.

    The seam at which ways of running are exchanged; :class:`pytest_webbench.launchers.fake.FakeLauncher`
    stands in for one in tests.
    """

    name: str
    about: str
    """What is launched with, for the header line: ``containers (Docker 28.2, host network)``."""
    notes: tuple[str, ...]
    """What else a person should know before the run: what was swept, who else is at work."""

    def prepare(self, stack: Stack) -> None:
        """Make all that a launch needs and that can be kept: an environment, an image.

        Raises :class:`~pytest_webbench.errors.InstallError`.
        """
        ...

    def start(self, stack: Stack) -> AbstractContextManager[RunningStack]:
        """Launch ``stack`` afresh and wait for its first right answer.

        Leaving the context ends the stack and removes all that the launch made. Raises
        :class:`~pytest_webbench.errors.StartError` with the end of the server's log.
        """
        ...
