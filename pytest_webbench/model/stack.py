"""Stacks, and the protocols of launchers, meters and profilers."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Held
from pytest_webbench.model.measurement import Combine, LaunchRecord, Readings

__all__ = [
    "VERSION_SETS",
    "Accounts",
    "CopiedTree",
    "FatalSign",
    "Launcher",
    "Meter",
    "NoMeter",
    "OwnCopy",
    "Profiler",
    "Recording",
    "RunningStack",
    "Stack",
    "VersionSet",
]


Accounts = Callable[[str], str | None]
"""``read(name)``: the content of a control group's account, such as ``cpu.stat``.

``None`` if there is none.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FatalSign:
    """A pattern in a server's log that shows that it will never work.

    ``pattern`` is a regular expression; ``message`` continues after the stack's name, with the groups of the
    pattern for ``{0}`` and so on.
    """

    pattern: str
    message: str
    hint: str

    def found_in(self, log: str) -> str | None:
        """Return the message, filled in; ``None`` if the log does not match."""
        match = re.search(self.pattern, log)
        return None if match is None else self.message.format(*match.groups())


class Meter(Protocol):
    """Reads a server's usage during a load. Each launch has its own meter.

    A meter of your own is a class that inherits from this one and only needs :meth:`begin` and :meth:`end`;
    the hook :func:`~pytest_webbench.session.hookspecs.pytest_webbench_meter` registers it.
    """

    readings: Mapping[str, Combine] = MappingProxyType({})
    """The names of its readings, and how the readings of several slices or rounds are combined."""

    fatal: tuple[FatalSign, ...] = ()
    """Patterns in the server's log that show that it cannot be measured with this meter."""
    notes: tuple[str, ...] = ()
    """Notes on the launch for readers of the results."""
    about: Mapping[str, str] = MappingProxyType({})
    """Further facts about a launch, known from :meth:`attach` on: they are added to its configuration."""

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """Return the command to launch instead of ``command``, to run the server under another program."""
        return command

    def attach(self, server: "RunningStack") -> None:
        """Prepare to meter ``server``, which has given its first successful response.

        It has the id of its first process (``server_pid``) and, for a container, its ``accounts``.
        """
        _ = server

    def begin(self) -> None:
        """Note the accounts, just before the load."""
        ...

    def end(self) -> Mapping[str, float]:
        """Return the usage since :meth:`begin`, by name."""
        ...

    def instructions(self) -> InstructionsByFunction:
        """Return which functions executed the instructions that :meth:`end` counted, if it counts any."""
        return {}


class NoMeter(Meter):
    """The meter of a server whose processes are not visible; it also serves as the fake in tests."""

    def __init__(self, usage: Readings | None = None) -> None:
        self._usage = Readings() if usage is None else usage

    def begin(self) -> None:
        """Do nothing."""

    def end(self) -> Readings:
        """Return the readings given to the constructor: by default nothing is known."""
        return self._usage


class Recording(Protocol):
    """Samples that are being taken."""

    @property
    def stacks(self) -> Mapping[str, int]:
        """The sampled stacks, as in :class:`~pytest_webbench.model.results.CodeProfile`.

        Empty until the context is left.
        """
        ...


class Profiler(Protocol):
    """Samples the call stacks of running processes.

    The interface for profilers; :class:`pytest_webbench.host.meters.fake.FakeProfiler` stands
    in for one in tests.
    """

    rate_hz: int
    """How often each process is sampled, per second."""

    def record(self, pid: int, *, deep: bool = False) -> AbstractContextManager[Recording]:
        """Sample the process ``pid`` and its descendants from now on until the context is left.

        Samples contain the Python calls; with ``deep`` also the machine code, for which some samples may
        fail. Raises :class:`~pytest_webbench.model.errors.ProfilerError` if it is not permitted, or fails. If
        the context is left by an exception, the profiler ends at once.
        """
        ...


GET_ROOT = Exchange(request=Request(path="/"), answer=Answer(status=200))


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTree:
    """A repository with the top folder ``original``, and the ``copy`` of it from which a side is served.

    ``sources`` are the files that git tracks or would track in the original, by their paths in it.
    """

    original: Path
    copy: Path
    sources: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCopy:
    """The code of a side of a comparison of commits: ``trees``, whose copies are below ``copies``.

    Those of the other side are there, too.
    """

    trees: tuple[CopiedTree, ...]
    copies: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """An application in a folder, its lock, and the command that serves it.

    ``prepare`` are commands that run to completion before the server starts, once for each launch, such as
    a migration of the database: in the same folder and environment, one after the other, and all of them
    within ``--webbench-start-timeout``. They are not measured.

    ``command``, ``prepare`` and the values of ``env`` may use the placeholders ``{python}`` (the interpreter
    of the stack's environment), ``{bind}`` (an address as Gunicorn takes it: ``fd://7`` or
    ``127.0.0.1:8000``), ``{fd}``, ``{host}``, ``{port}``, ``{workers}``, ``{threads}`` and ``{data_dir}`` (a
    folder for this launch only). ``lock`` is a file in ``folder`` with pinned and hashed requirements; in its
    name ``{versions}`` stands for the set of versions. Without a lock the stack runs under the interpreter
    that runs pytest. The stack is up once the exchange ``ready`` succeeds. ``settings`` are printed with the
    results, as the configuration that the command does not show, and so are the versions of the distributions
    named in ``packages``. ``parts`` assigns files to parts ("framework", "ORM", one of your own), by patterns
    such as ``mylib/*``: for ``--webbench-explain``, which knows the common libraries. ``own_copy`` is set by
    ``--webbench-against``: such a stack must load nothing of the repository but its own copy. ``fatal`` is
    set where meters run the command under another program: patterns in the log that show that this does not
    work.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    prepare: tuple[tuple[str, ...], ...] = ()
    title: str = ""
    suite: str = "items"
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # it may contain passwords
    lock: str | None = None
    ready: Exchange = GET_ROOT
    packages: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    own_copy: OwnCopy | None = None
    fatal: tuple[FatalSign, ...] = ()

    def fatal_sign(self, log: str) -> tuple[str, str] | None:
        """Return the sentence and the next step, if the log shows that it cannot be measured."""
        for sign in self.fatal:
            if message := sign.found_in(log):
                return f"{self.name} {message}", sign.hint
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSet:
    """A lock for each stack, under the same name.

    ``python`` is the Python that it was made for, ``None`` for the one that runs pytest; ``base_image`` the
    image that containers start from.
    """

    name: str
    title: str
    python: str | None
    base_image: str


VERSION_SETS: dict[str, VersionSet] = {
    each.name: each
    for each in (
        VersionSet(
            name="current",
            title="the newest releases when the locks were made",
            python=None,
            base_image="python:3.13-slim",
        ),
        VersionSet(
            name="paper",
            title="those of Bednarz and Miłosz, and for the rest what was current in May 2025",
            python="3.11",
            base_image="python:3.11-slim",
        ),
    )
}


class RunningStack(Protocol):
    """A running stack that has given its first successful response."""

    @property
    def stack(self) -> Stack:
        """The stack."""
        ...

    @property
    def base_url(self) -> str:
        """The address of the server, without a slash at the end: ``http://127.0.0.1:40123``."""
        ...

    @property
    def launch(self) -> LaunchRecord:
        """How it was launched, with the versions and worker processes currently in use."""
        ...

    @property
    def server_pid(self) -> int | None:
        """The id of the server's first process on this machine; ``None`` if it is not visible."""
        ...

    @property
    def accounts(self) -> Accounts | None:
        """A reader of the accounts of its own control group; ``None`` if it has none."""
        ...

    def connections(self) -> Held | None:
        """Return which process of the server holds which connection; ``None`` if that is not visible."""
        ...

    def verify(self) -> None:
        """Check that the launched server is the one that responds.

        Only it listens, and it serves its own copy.

        Called before anything is timed, and after each round. Raises
        :class:`~pytest_webbench.model.errors.StartError` and
        :class:`~pytest_webbench.model.errors.OwnCopyError`.
        """
        ...

    @property
    def answers(self) -> bool:
        """Whether there is a server at all; a fake without one is not checked."""
        ...

    @property
    def reachable_inside(self) -> bool:
        """Whether files can be put, and commands run, beside the application."""
        ...

    def put_file(self, name: str, content: bytes) -> str:
        """Write a file into the data folder of this launch; return its path as the stack sees it."""
        ...

    def execute(self, arguments: Sequence[str]) -> bytes:
        """Run the stack's Python with ``arguments`` beside the application; return its output.

        ``{data_dir}`` in an argument stands for the data folder. Raises
        :class:`~pytest_webbench.model.errors.SeedError` if the command fails or does not end in time.
        """
        ...

    def log_tail(self) -> str:
        """Return the last lines that the server wrote."""
        ...

    def ended(self) -> str | None:
        """Return why the server has ended, in words; ``None`` while it runs."""
        ...


class Launcher(Protocol):
    """Starts stacks.

    The interface for ways of running stacks; :class:`pytest_webbench.stacks.fake.FakeLauncher`
    stands in for one in tests.
    """

    name: str
    about: str
    """The means of launching, for the header line: ``containers (Docker 28.2, host network)``."""
    notes: tuple[str, ...]
    """Notes for the user before the run: what was swept, which other runs are active."""

    def prepare(self, stack: Stack) -> None:
        """Create what launches need and can share: an environment, an image.

        Raises :class:`~pytest_webbench.model.errors.InstallError`.
        """
        ...

    def start(self, stack: Stack) -> AbstractContextManager[RunningStack]:
        """Launch ``stack`` anew, after its preparation commands, and wait for its first successful response.

        Leaving the context stops the stack and removes everything the launch created. Raises
        :class:`~pytest_webbench.model.errors.StartError` with the end of the server's log.
        """
        ...
