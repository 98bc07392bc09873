"""Load engines: they send the requests of a load and time the answers."""

from collections.abc import Callable
from typing import Protocol

from pytest_webbench.values.load import Held, Load, LoadResult

__all__ = ["LoadEngine", "Look", "nothing"]

Look = Callable[[], Held | None]
"""Looks at the server's side: which of its processes holds which connection; ``None`` if unseen."""


def nothing() -> None:
    """What is to be done just before a load starts, if there is nothing to be done."""


class LoadEngine(Protocol):
    """Makes load and says what it saw.

    The seam at which load generators are exchanged; :class:`pytest_webbench.load.fake.FakeEngine`
    stands in for one in tests.
    """

    name: str
    short_loads: bool
    """Whether a load costs little beside itself, so that many short ones can be made."""

    def run(
        self,
        load: Load,
        base_url: str,
        look: Look | None = None,
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Carry out ``load`` against the server at ``base_url`` and wait for its end.

        An engine that can uses ``look`` to give each process of the server as many connections. It calls
        ``before_start`` once, before the first request and, if it can, after the connections are made.

        Raises :class:`~pytest_webbench.errors.LoadError` if the generator itself fails; failures of
        the server are counted in the result.
        """
        ...

    def close(self) -> None:
        """End the processes of the engine. Safe to call again."""
        ...
