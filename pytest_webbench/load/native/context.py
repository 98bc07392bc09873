"""The state that the users of one load share, and the events they report to it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from pytest_webbench.load.http1.judging import PreparedRequests
from pytest_webbench.load.native.connection import Connection
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.load import Load

__all__ = ["Address", "LoadContext"]


class Address(NamedTuple):
    """Where to connect to."""

    family: int
    host: str
    port: int


class LoadContext:
    """The load, its requests, the accounts, and its progress. Its controller awaits its events."""

    def __init__(self, load: Load, prepared_requests: PreparedRequests, addresses: Sequence[Address]) -> None:
        self.load = load
        self.prepared_requests = prepared_requests
        self.loop = asyncio.get_running_loop()
        self.tally = Tally(load)
        self.asking = 0
        """How many users have a request under way."""
        self.started = False
        """Whether requests are sent: not before the start, nor between two slices."""
        self.stopped = False
        self.open = 0
        """How many connections hold a socket."""
        self.all_closed = asyncio.Event()
        self.gathering = 0
        """How many users have yet to try to connect."""
        self.gathered = asyncio.Event()
        self.end_ns: asyncio.Future[int] = self.loop.create_future()
        """When the slice ended."""
        self._addresses = addresses

    def ready(self, begin: Callable[[int], None], took_ns: int) -> None:
        """Record that a user has tried to connect, which took ``took_ns``.

        ``begin`` lets it go on, if due.
        """
        if self.started:
            begin(took_ns)
            return
        self.gathering = max(0, self.gathering - 1)
        if self.gathering == 0:
            self.gathered.set()

    def stop_if_done(self, now: int) -> None:
        """End the slice if every request has been taken and none is under way."""
        if self.started and not self.asking and self.tally.exhausted:
            self.end(now)

    def end(self, now: int) -> None:
        """End the slice at ``now``, unless it has ended."""
        if not self.end_ns.done():
            self.end_ns.set_result(now)

    def crash(self, exc: BaseException) -> None:
        """Record a bug in the generator: it must not look like an error of the server."""
        if not self.end_ns.done():
            self.end_ns.set_exception(exc)

    async def dial(self, connection: Connection) -> None:
        """Connect ``connection``. Raises :class:`OSError` with the cause at the last address."""
        for address in self._addresses[:-1]:
            with suppress(OSError):
                await self._dial(connection, address)
                return
        await self._dial(connection, self._addresses[-1])

    async def _dial(self, connection: Connection, address: Address) -> None:
        try:
            await self.loop.create_connection(
                lambda: connection, address.host, address.port, family=address.family
            )
            connection.refuse_itself()
        except BaseException:
            connection.abandon()
            raise
        self._addresses = [address]
        self.tally.connections_opened += 1

    def connection_opened(self) -> None:
        """Count a connection that is established."""
        self.open += 1

    def connection_closed(self) -> None:
        """Count a connection that no longer holds a socket."""
        self.open -= 1
        if self.stopped and self.open == 0:
            self.all_closed.set()
