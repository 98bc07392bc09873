"""Meters: what the server's processes use during a load."""

from typing import Protocol

from pytest_webbench.values.measurement import ServerUsage

__all__ = ["Meter", "NoMeter"]


class Meter(Protocol):
    """Reads the kernel's accounts of a server before and after a load."""

    def begin(self) -> None:
        """Note the accounts, just before the load."""
        ...

    def end(self) -> ServerUsage:
        """What was used since :meth:`begin`."""
        ...


class NoMeter:
    """The meter of a server whose processes cannot be seen; it also serves as the fake in tests."""

    def __init__(self, usage: ServerUsage | None = None) -> None:
        self._usage = usage or ServerUsage()

    def begin(self) -> None:
        """Nothing to note."""

    def end(self) -> ServerUsage:
        """The usage given to the constructor: by default nothing is known."""
        return self._usage
