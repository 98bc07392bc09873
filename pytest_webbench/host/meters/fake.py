"""A profiler without processes, for tests of the code around profilers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_webbench.model.errors import ProfilerError

__all__ = ["FakeProfiler", "FakeRecording"]


@dataclass(kw_only=True)
class FakeRecording:
    """The samples that a :class:`FakeProfiler` reports."""

    stacks: Mapping[str, int] = field(default_factory=dict)


class FakeProfiler:
    """Gives the same ``stacks`` each time, or raises ``failure``, and records all calls in ``events``.

    ``deep`` are the stacks with machine code, by default none.
    """

    def __init__(
        self,
        stacks: Mapping[str, int] | None = None,
        *,
        deep: Mapping[str, int] | None = None,
        failure: ProfilerError | None = None,
        rate_hz: int = 100,
    ) -> None:
        self.rate_hz = rate_hz
        self._stacks = dict(stacks or {"main (./app.py:1)": 100})
        self._deep = dict(deep or {})
        self._failure = failure
        self.events: list[str] = []

    @contextmanager
    def record(self, pid: int, *, deep: bool = False) -> Iterator[FakeRecording]:
        """Record the beginning and the end, even after an error."""
        if self._failure is not None:
            raise self._failure
        recording = FakeRecording()
        self.events.append(f"record {pid} deep" if deep else f"record {pid}")
        try:
            yield recording
            recording.stacks = self._deep if deep else self._stacks
        finally:
            self.events.append(f"end {pid}")
