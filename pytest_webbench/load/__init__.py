"""Load engines: they send the requests of a load and time the answers."""

from typing import Protocol

from pytest_webbench.values.load import Load, LoadResult

__all__ = ["LoadEngine"]


class LoadEngine(Protocol):
    """Makes load and says what it saw.

    The seam at which load generators are exchanged; :class:`pytest_webbench.load.fake.FakeEngine`
    stands in for one in tests.
    """

    name: str

    def run(self, load: Load, base_url: str) -> LoadResult:
        """Carry out ``load`` against the server at ``base_url`` and wait for its end.

        Raises :class:`~pytest_webbench.errors.LoadError` if the generator itself fails; failures of
        the server are counted in the result.
        """
        ...

    def close(self) -> None:
        """End the processes of the engine. Safe to call again."""
        ...
