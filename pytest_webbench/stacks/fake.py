"""A launcher without processes, for tests of the code around launchers."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_webbench.model.errors import StackError
from pytest_webbench.model.measurement import LaunchRecord, Readings
from pytest_webbench.model.stack import Meter, NoMeter, Stack

__all__ = ["FakeLauncher", "FakeStack"]


@dataclass(kw_only=True)
class FakeStack:
    """A stack without a server: an engine that is a fake too makes up its responses.

    Neither it nor its database is checked. One that is created with the ``base_url`` of a server
    and ``answers=True`` is checked like any other.
    """

    stack: Stack
    base_url: str = "http://127.0.0.1:1"
    launch: LaunchRecord = field(default_factory=lambda: LaunchRecord(launcher="fake", startup_s=0.1))
    meter: Meter = field(default_factory=lambda: NoMeter(Readings(cpu_s=0.01, peak_rss_bytes=1 << 20)))
    server_pid: int | None = 1
    accounts: None = None
    answers: bool = False
    reachable_inside: bool = True
    files: dict[str, bytes] = field(default_factory=dict)
    dead: str | None = None

    def connections(self) -> None:
        """Return nothing: there are no connections."""

    def verify(self) -> None:
        """Do nothing: there is no other server to be confused with."""

    def put_file(self, name: str, content: bytes) -> str:
        """Keep the file in :attr:`files`."""
        self.files[name] = content
        return name

    def execute(self, arguments: Sequence[str]) -> bytes:  # noqa: ARG002
        """Return no output."""
        return b""

    def log_tail(self) -> str:
        """Return one line."""
        return f"the log of {self.stack.name}"

    def ended(self) -> str | None:
        """Return :attr:`dead`."""
        return self.dead


class FakeLauncher:
    """Starts :class:`FakeStack`, fails for the stacks in ``failures``, and records calls in ``events``."""

    name = "fake"
    notes: tuple[str, ...] = ()
    about = "fake launcher"

    def __init__(
        self,
        failures: Mapping[str, StackError] | None = None,
        make: Callable[[Stack], FakeStack] = lambda stack: FakeStack(stack=stack),
    ) -> None:
        self._failures = failures or {}
        self._make = make
        self.events: list[str] = []

    def prepare(self, stack: Stack) -> None:
        """Record the call."""
        self.events.append(f"prepare {stack.name}")

    @contextmanager
    def start(self, stack: Stack) -> Iterator[FakeStack]:
        """Record the commands to prepare, the start and the end, even after an error."""
        if stack.name in self._failures:
            raise self._failures[stack.name]
        self.events += [f"run for {stack.name}: {shlex.join(command)}" for command in stack.prepare]
        self.events.append(f"start {stack.name}")
        try:
            yield self._make(stack)
        finally:
            self.events.append(f"end {stack.name}")
