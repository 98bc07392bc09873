"""Profilers: they look at the calls of a server's processes while it is under load."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

__all__ = ["Profiler", "Recording"]


class Recording(Protocol):
    """Samples that are being taken."""

    @property
    def stacks(self) -> Mapping[str, int]:
        """The stacks met, as in :class:`~pytest_webbench.values.code_profile.CodeProfile`.

        There are none before the context is left.
        """
        ...


class Profiler(Protocol):
    """Samples the stacks of calls of running processes.

    The seam at which profilers are exchanged; :class:`pytest_webbench.profilers.fake.FakeProfiler` stands in
    for one in tests.
    """

    rate_hz: int
    """How often each process is looked at in a second."""

    def record(self, pid: int, *, deep: bool = False) -> AbstractContextManager[Recording]:
        """Sample the process ``pid`` and its descendants from now on until the context is left.

        Sampled are the Python calls; with ``deep`` also the machine code, for which some looks may fail.
        Raises :class:`~pytest_webbench.errors.ProfilerError` if it may not, or cannot. Left by an exception,
        the context ends the profiler at once.
        """
        ...
