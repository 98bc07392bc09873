"""Meters for what a launcher launches, which knows nothing of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.stack import Launcher, Meter, NoMeter, RunningStack, Stack

__all__ = ["MeteredLauncher", "meter_of"]


class MeteredLauncher:
    """Launches by another launcher, each stack with meters of its own.

    The meters wrap its command, and are attached to what runs.
    """

    name: str
    about: str
    notes: tuple[str, ...]

    def __init__(self, launcher: Launcher, makers: Sequence[Callable[[], Meter]]) -> None:
        self._launcher = launcher
        self._makers = makers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._launcher, name)

    def prepare(self, stack: Stack) -> None:
        """Have the launcher prepare it."""
        self._launcher.prepare(stack)

    @contextmanager
    def start(self, stack: Stack) -> Iterator["MeteredStack"]:
        """Launch the command of ``stack`` as its meters want it, and attach them."""
        meters = [make() for make in self._makers]
        command = stack.command
        for meter in meters if command else ():  # a server that runs already has none
            command = tuple(meter.wrap(command))
        with self._launcher.start(replace(stack, command=command)) as running:
            for meter in meters:
                meter.attach(running)
            yield MeteredStack(running, meters)


class MeteredStack:
    """A running stack with its meters."""

    def __init__(self, running: RunningStack, meters: Sequence[Meter]) -> None:
        own = getattr(running, "meter", None)
        self._running = running
        self.meter = _Joined([*meters, *([] if own is None else [own])])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._running, name)


class _Joined:
    """Several meters as one."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def begin(self) -> None:
        for meter in self._meters:
            meter.begin()

    def end(self) -> Readings:
        found: dict[str, float] = {}
        for meter in self._meters:
            found |= meter.end()
        return Readings(found)


def meter_of(running: RunningStack) -> Meter:
    """The meter of what runs; one that sees nothing if it was launched without any."""
    meter: Meter | None = getattr(running, "meter", None)
    return NoMeter() if meter is None else meter
