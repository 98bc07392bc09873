"""The load that an engine makes, and what it saw."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_webbench.values.exchange import Exchange

__all__ = ["Amount", "ErrorClass", "Load", "LoadResult"]

if TYPE_CHECKING:
    Nanoseconds = array[int]
else:
    Nanoseconds = array  # which takes no parameters at run time before Python 3.12


class ErrorClass(StrEnum):
    """Why a request did not end in a right answer."""

    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    RESET = "reset"
    """The connection was reset, or closed before the first byte of the answer, on a fresh connection."""
    STALE_CONNECTION = "stale_connection"
    """A kept-alive connection that had served before was closed without an answer."""
    RESPONSE_TIMEOUT = "response_timeout"
    TRUNCATED = "truncated"
    """The connection ended in the middle of an answer."""
    MALFORMED = "malformed"
    """What came is not HTTP/1.1."""
    WRONG_STATUS = "wrong_status"
    WRONG_BODY = "wrong_body"
    CLIENT_EXHAUSTED = "client_exhausted"
    """The generator's machine has no ports or files left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much load: for ``duration_s`` seconds, or ``requests`` requests shared by all users."""

    duration_s: float | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        if (self.duration_s is None) == (self.requests is None):
            raise ValueError("an amount is either a duration or a number of requests")

    def __str__(self) -> str:
        return f"{self.requests} requests" if self.duration_s is None else f"{self.duration_s:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A closed-loop load: ``users`` connections, each sending its next request once it has its answer.

    Requests are taken from ``exchanges`` in order, by whichever user is free; request number ``n``
    (from 0) is ``exchanges[n % len(exchanges)]``. With ``repeat`` false the load ends when each has
    been sent once. ``timeout_s`` bounds each request, from its sending to the end of its answer.
    """

    users: int
    amount: Amount
    exchanges: tuple[Exchange, ...]
    repeat: bool = True
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What an engine saw of one load.

    ``latency_ns`` and ``ttfb_ns`` hold, for each right answer, the nanoseconds of a monotonic clock
    from the sending of the request to the last and to the first byte of the answer. ``elapsed_s``
    runs from the first sending to the deadline, or to the end of the last request. ``in_flight_s``
    sums how long the requests still open at the deadline had been under way, and ``error_s`` how
    long the failed ones took. ``unconfirmed`` are the numbers of the requests without a right
    answer (failed, or in flight). ``generator_cpu_s`` is the CPU time of the generator during the load.
    ``examples`` shows the first failures in words.
    """

    users: int
    elapsed_s: float
    sent: int
    ok: int
    errors: Mapping[str, int]
    in_flight: int
    latency_ns: Nanoseconds
    ttfb_ns: Nanoseconds
    in_flight_s: float = 0.0
    error_s: float = 0.0
    unconfirmed: tuple[int, ...] = ()
    generator_cpu_s: float = 0.0
    connections_opened: int = 0
    bytes_received: int = 0
    examples: tuple[str, ...] = field(default=())
