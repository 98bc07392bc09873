"""The load that an engine makes, and what it saw."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_webbench.values.exchange import Exchange
from pytest_webbench.values.latencies import Latencies

__all__ = [
    "MOST_UNCONFIRMED",
    "Amount",
    "Arrivals",
    "Draw",
    "ErrorClass",
    "Held",
    "Load",
    "LoadResult",
    "Schedule",
]

MOST_UNCONFIRMED = 2**20
"""So many requests without a right answer each generator names; with more, a load is invalid anyway."""


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


class Arrivals(StrEnum):
    """How the arrivals of an open loop lie in time."""

    CONSTANT = "constant"
    """All gaps are the same."""
    POISSON = "poisson"
    """The gaps are exponential and independent: nobody knows of anybody else, as on a public site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When the requests of an open loop are due: ``rate`` a second on average, whatever the server does.

    Constant arrivals begin ``offset_s`` after the start of the load; ``seed`` makes the chance of
    the others.
    """

    rate: float
    arrivals: Arrivals = Arrivals.CONSTANT
    seed: int = 0
    offset_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.rate < float("inf"):
            raise ValueError("a rate is a finite number above 0")

    def __str__(self) -> str:
        return f"{self.rate:,.6g}/s {self.arrivals.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """``users`` connections with something to ask, for as long as ``amount`` says.

    Without a ``schedule`` the loop is closed: each user sends its next request once it has its answer.
    With one it is open: a request is sent when it is due, on a connection that is free; if none is, it
    waits for one.

    Requests are taken from ``exchanges`` in order, by whichever user is free; request number ``n``
    (from 0) is ``exchanges[n % len(exchanges)]``. With ``repeat`` false the load ends when each has
    been sent once. ``timeout_s`` bounds each request, from its sending to the end of its answer.

    In several ``turns`` the load stops in between, until it is told to go on: each turn is an equal part of
    the amount, and at its end the requests under way are waited for and counted. Before the first turn a
    ``warm_up`` of its own amount can be made on the same connections, of which nothing is counted; the first
    turn begins with request 0 again. Only closed loops do either.
    """

    users: int
    amount: Amount
    exchanges: tuple[Exchange, ...]
    repeat: bool = True
    timeout_s: float = 30.0
    schedule: Schedule | None = None
    turns: int = 1
    warm_up: Amount | None = None

    @property
    def most_requests(self) -> int:
        """How many requests it can have at most."""
        once = sys.maxsize if self.repeat else len(self.exchanges)
        return once if self.amount.requests is None else min(self.amount.requests, once)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Which process of a server holds which connection.

    ``processes`` are the ids of those that take connections; ``by_port`` says for the port from which a
    connection comes which process holds it.
    """

    processes: tuple[int, ...]
    by_port: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What came of one set of connections: ``ok`` right answers in ``elapsed_s`` seconds.

    ``held`` says how many of them each process of the server had, as that of a :class:`LoadResult`.
    """

    ok: int
    elapsed_s: float
    held: tuple[int, ...] = ()

    @property
    def per_s(self) -> float:
        """Right answers per second."""
        return self.ok / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What an engine saw of one load.

    ``latency_ns`` and ``ttfb_ns`` hold, for each right answer, nanoseconds of a monotonic clock: up to
    the last byte of the answer, and from the sending of the request to its first byte. A latency begins
    with the sending in a closed loop, and when the request was due in an open one, which keeps the time
    from the sending to the last byte in ``service_ns``. Of very many right answers these are histograms:
    see :class:`~pytest_webbench.values.latencies.Latencies`.

    ``elapsed_s`` runs from the first sending to the deadline, or to the end of the last request.
    ``in_flight_s`` sums how long the requests still open at the deadline had been under way, and
    ``error_s`` how long the failed ones took. ``unconfirmed`` are the numbers of the requests without a
    right answer (failed, or in flight), if the load changes anything; ``unnamed`` is how many more there
    were, beyond :data:`MOST_UNCONFIRMED` of a generator. ``generator_cpu_s`` is the CPU time
    of the generator during the load, ``generator_busy`` the largest share that one of its processes used
    of the processors it can use. ``examples`` shows the first failures in words.

    Of an open loop, ``scheduled`` counts the requests that were due, of which ``dropped`` could not be sent
    before the end; ``lag_s`` is how late the generator noticed on average that one was due, ``late``
    how often by more than a millisecond. ``held`` says how many connections each process of the server
    had when the load started, the most first; empty where that cannot be seen.
    ``turns`` is the number of loads, one after the other, that this is the sum of. ``draws`` has one value
    for each set of connections where several were drawn, as for a server that runs already.
    """

    users: int
    elapsed_s: float
    sent: int
    ok: int
    errors: Mapping[str, int]
    in_flight: int
    latency_ns: Latencies
    ttfb_ns: Latencies
    service_ns: Latencies = field(default_factory=Latencies)
    in_flight_s: float = 0.0
    error_s: float = 0.0
    unconfirmed: tuple[int, ...] = ()
    unnamed: int = 0
    generator_cpu_s: float = 0.0
    generator_busy: float = 0.0
    connections_opened: int = 0
    bytes_received: int = 0
    scheduled: int = 0
    dropped: int = 0
    lag_s: float = 0.0
    late: int = 0
    examples: tuple[str, ...] = field(default=())
    held: tuple[int, ...] = ()
    turns: int = 1
    draws: tuple[Draw, ...] = ()
