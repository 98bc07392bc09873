"""A connection of an open loop."""

from typing import Protocol

from pytest_webbench.load.connection import Connection, Owner, Questions
from pytest_webbench.load.tally import Tally

__all__ = ["ScheduledConnection", "ScheduledOwner"]


class ScheduledOwner(Owner, Protocol):
    """Who has a connection of an open loop, and hears when it is free."""

    def connection_free(self, now: int) -> None:
        """The request under way was answered; the next one may be sent."""

    def connection_idle_ended(self) -> None:
        """The server has closed the connection while no request was under way, as it may."""


class ScheduledConnection(Connection):
    """A connection of an open loop: after an answer it waits until it is given the next request."""

    __slots__ = ("_scheduled_owner", "_waited_ns")

    def __init__(self, questions: Questions, tally: Tally, owner: ScheduledOwner) -> None:
        super().__init__(questions, tally, owner)
        self._scheduled_owner = owner
        self._waited_ns = 0

    def ask_due(self, due_ns: int) -> None:
        """Send the next request, which was due at ``due_ns``."""
        self._waited_ns = 0
        super().ask(due_ns)
        self._waited_ns = max(0, self.sent_ns - due_ns)

    def ask(self, now: int) -> None:
        """Be free; the owner may call :meth:`ask_due` at once."""
        self.sent_ns = 0
        self._scheduled_owner.connection_free(now)

    def _count_right(self, took_ns: int, ttfb_ns: int) -> None:
        self._tally.add_scheduled(took_ns + self._waited_ns, ttfb_ns, took_ns)

    def _peer_closed(self, exc: Exception | None) -> None:
        idle = not self._ended and not self.sent_ns
        super()._peer_closed(exc)
        if idle:
            self._scheduled_owner.connection_idle_ended()
