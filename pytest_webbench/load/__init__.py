"""Load engines: they send the requests of a load and time the answers."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from pytest_webbench.values.load import Held, Load, LoadResult

__all__ = ["LoadEngine", "Look", "OpenLoad", "TurnEngine", "nothing"]

Look = Callable[[], Held | None]
"""Looks at the server's side: which of its processes holds which connection; ``None`` if unseen."""


def nothing() -> None:
    """What is to be done just before a load starts, if there is nothing to be done."""


class LoadEngine(Protocol):
    """Makes load and says what it saw.

    The seam at which load generators are exchanged; :class:`pytest_webbench.load.fake.FakeEngine`
    stands in for one in tests. One that sends nothing says so by an attribute ``makes_load`` that is false,
    and does not keep other runs from measuring.
    """

    name: str

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


class OpenLoad(Protocol):
    """A load that is made in turns, with other work between them."""

    def warm_up(self) -> None:
        """Make the warm-up of a load that has one, before its first turn; nothing of it is counted.

        Raises :class:`~pytest_webbench.errors.LoadError` if the generator itself fails.
        """
        ...

    def take_turn(self, before_start: Callable[[], None] = nothing) -> None:
        """Make the next turn and wait for its end; ``before_start`` is called before its first request.

        Raises :class:`~pytest_webbench.errors.LoadError` if the generator itself fails.
        """
        ...

    def result(self) -> LoadResult:
        """What was seen in all turns, once the last one is over."""
        ...


@runtime_checkable
class TurnEngine(LoadEngine, Protocol):
    """An engine whose loads can stop and go on, several of them side by side."""

    def open(self, load: Load, base_url: str, look: Look | None = None) -> OpenLoad:
        """Begin ``load``: its users connect, and nothing is sent yet.

        One that is not brought to its end is ended by :meth:`~pytest_webbench.LoadEngine.close`.
        """
        ...
