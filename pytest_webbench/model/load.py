"""Loads, load engines and their results."""

import math
import sys
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pytest_webbench.model.http import Exchange

__all__ = [
    "BUCKET_BITS",
    "EXACT_MOST",
    "MOST_UNCONFIRMED",
    "RELATIVE_ERROR",
    "Amount",
    "Arrivals",
    "ConnectionProbe",
    "Draw",
    "ErrorClass",
    "Held",
    "Histogram",
    "Latencies",
    "Load",
    "LoadEngine",
    "LoadResult",
    "LoadSession",
    "Look",
    "Loop",
    "Nanoseconds",
    "OpenLoad",
    "Schedule",
    "TurnEngine",
    "nothing",
]

if TYPE_CHECKING:
    Nanoseconds = array[int]
else:
    Nanoseconds = array  # which takes no parameters at run time before Python 3.12

EXACT_MOST = 2**20
"""The most times that a generator process keeps one by one; beyond it, it keeps a histogram of all."""
BUCKET_BITS = 11
"""Each doubling of a time is divided into 2 to the power of this many buckets, as in an HDR histogram."""
RELATIVE_ERROR = 2.0 ** -(BUCKET_BITS + 1)
"""How far a percentile of a histogram may be from that of the times, as a fraction: 0.025 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """The number of times in each bucket.

    ``buckets`` are the numbers of the non-empty ones, ascending, and ``counts`` the number of times in each
    of them. Bucket ``n`` begins at ``2**e * (1 + s / 2048)`` ns, where ``e`` and ``s`` are quotient and
    remainder of ``n`` by 2048; below 4096 ns each nanosecond has its own. ``sum_ns``, ``min_ns`` and
    ``max_ns`` are exact.
    """

    buckets: Nanoseconds
    counts: Nanoseconds
    sum_ns: int
    min_ns: int
    max_ns: int


class Latencies:
    """Times in nanoseconds, one for each successful request.

    ``samples`` are all of them, with items of 4 bytes (``"I"``) or, if one does not fit, of 8
    (``"Q"``), if :attr:`exact`; else ``histogram`` has their distribution. Number, sum, smallest and
    largest are exact in either case. Immutable, but not a dataclass, because in JSON it is either a string
    (the samples) or an object (the histogram).
    """

    __slots__ = ("_samples", "histogram")

    def __init__(self, samples: Nanoseconds | None = None, *, histogram: Histogram | None = None) -> None:
        self._samples = array("I") if samples is None else samples
        self.histogram = histogram
        if histogram is not None and self._samples:
            raise ValueError("times are either samples or a histogram")

    @property
    def exact(self) -> bool:
        """Whether every single time is known."""
        return self.histogram is None

    @property
    def relative_error(self) -> float:
        """How far a percentile may be from the true one, as a fraction; 0 if exact."""
        return 0.0 if self.histogram is None else RELATIVE_ERROR

    @property
    def samples(self) -> Nanoseconds:
        """All times, one by one. Raises :class:`ValueError` if there is only a histogram."""
        if self.histogram is not None:
            raise ValueError("single times are not known, only their histogram")
        return self._samples

    def __len__(self) -> int:
        return len(self._samples) if self.histogram is None else sum(self.histogram.counts)

    @property
    def sum_ns(self) -> int:
        """The sum of all times; exact."""
        return sum(self._samples) if self.histogram is None else self.histogram.sum_ns

    @property
    def mean_ns(self) -> float:
        """The mean of all times; NaN without any."""
        return self.sum_ns / len(self) if self else math.nan

    @property
    def min_ns(self) -> int:
        """The smallest time; exact. Raises :class:`ValueError` without any."""
        return min(self._samples) if self.histogram is None else self.histogram.min_ns

    @property
    def max_ns(self) -> int:
        """The largest time; exact. Raises :class:`ValueError` without any."""
        return max(self._samples) if self.histogram is None else self.histogram.max_ns

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latencies):
            return NotImplemented
        return (self._samples, self.histogram) == (other._samples, other.histogram)

    __hash__ = None  # type: ignore[assignment]  # as that of the array that it is made of

    def __repr__(self) -> str:
        what = "samples" if self.exact else "in a histogram"
        return f"<Latencies: {len(self)} {what}>"


MOST_UNCONFIRMED = 2**20
"""The most unsuccessful requests that each generator lists; with more, a load is invalid anyway."""


class ErrorClass(StrEnum):
    """Why a request was not successful."""

    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    RESET = "reset"
    """The connection was reset, or closed before the first byte of the response, on a fresh connection."""
    STALE_CONNECTION = "stale_connection"
    """A kept-alive connection that had served before was closed without a response."""
    RESPONSE_TIMEOUT = "response_timeout"
    TRUNCATED = "truncated"
    """The connection ended in the middle of a response."""
    MALFORMED = "malformed"
    """The response is not HTTP/1.1."""
    WRONG_STATUS = "wrong_status"
    WRONG_BODY = "wrong_body"
    CLIENT_EXHAUSTED = "client_exhausted"
    """The generator's machine has no ports or files left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """The amount of load: ``duration_s`` seconds, or ``requests`` requests shared by all users."""

    duration_s: float | None = None
    requests: int | None = None

    def __post_init__(self) -> None:
        if (self.duration_s is None) == (self.requests is None):
            raise ValueError("an amount is either a duration or a number of requests")

    def __str__(self) -> str:
        return f"{self.requests} requests" if self.duration_s is None else f"{self.duration_s:g} s"


class Arrivals(StrEnum):
    """The pattern of the arrivals of an open loop."""

    CONSTANT = "constant"
    """All gaps are equal."""
    POISSON = "poisson"
    """The gaps are exponential and independent, as with independent users of a public site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The due times of an open loop's requests: ``rate`` a second on average, regardless of the server.

    Constant arrivals begin ``offset_s`` after the start of the load; ``seed`` determines the random
    others.
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
class Loop:
    """Closed (a user sends its next request once it has its response), or open with a ``schedule``."""

    schedule: Schedule | None = None

    def __str__(self) -> str:
        return "closed loop" if self.schedule is None else f"open loop, {self.schedule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of ``users`` connections, for a given ``amount``.

    Without a ``schedule`` the loop is closed: each user sends its next request once it has its response.
    With one it is open: a request is sent when it is due, on a free connection; if there is none, it
    waits for one.

    Requests are taken from ``exchanges`` in order, by the next free user; request number ``n``
    (from 0) is ``exchanges[n % len(exchanges)]``. With ``repeat`` false the load ends when each has
    been sent once. ``timeout_s`` bounds each request, from its sending to the end of its response.

    With several ``turns`` (slices) the load pauses in between, until it is resumed: each slice is an equal
    part of the amount, and at its end the requests under way are awaited and counted. Before the first slice
    a ``warm_up`` with its own amount can be made on the same connections, which is not counted; the first
    slice begins with request 0 again. Both are for closed loops only.
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
    """The server's process that holds each connection.

    ``processes`` are the ids of those that accept connections; ``by_port`` maps the local port of a
    connection to the process that holds it.
    """

    processes: tuple[int, ...]
    by_port: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """The result of one set of connections: ``ok`` successful responses in ``elapsed_s`` seconds.

    ``held`` is how many of them each process of the server had, as in a :class:`LoadResult`.
    """

    ok: int
    elapsed_s: float
    held: tuple[int, ...] = ()

    @property
    def per_s(self) -> float:
        """Successful responses per second."""
        return self.ok / self.elapsed_s if self.elapsed_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """The result of one load.

    Times are from a monotonic clock. Of very many requests they are histograms: see :class:`Latencies`.
    """

    users: int
    elapsed_s: float
    """From the first send to the deadline, or to the end of the last request."""
    sent: int
    ok: int
    errors: Mapping[str, int]
    in_flight: int
    latency_ns: Latencies
    """The times up to the last byte; in an open loop from when a request was due."""
    ttfb_ns: Latencies
    """The times from sending a request to the first byte of its response."""
    service_ns: Latencies = field(default_factory=Latencies)
    """In an open loop, the times from sending a request to the last byte of its response."""
    in_flight_s: float = 0.0
    """The total time for which the requests still open at the deadline had been under way."""
    error_s: float = 0.0
    """The total time of the failed requests."""
    unconfirmed: tuple[int, ...] = ()
    """The numbers of the requests that failed or were in flight, if the load changes the database."""
    unnamed: int = 0
    """The number of further ones, beyond :data:`MOST_UNCONFIRMED` of a generator."""
    generator_cpu_s: float = 0.0
    """CPU time of the generator during the load."""
    generator_busy: float = 0.0
    """The largest share that one of its processes used of the processors it can use."""
    connections_opened: int = 0
    bytes_received: int = 0
    scheduled: int = 0
    """In an open loop, the number of requests due."""
    dropped: int = 0
    """The number of these that could not be sent before the end."""
    lag_s: float = 0.0
    """How late the generator noticed on average that a request was due."""
    late: int = 0
    """How often it was late by more than a millisecond."""
    examples: tuple[str, ...] = field(default=())
    """The first failures with different texts."""
    example_counts: tuple[int, ...] = ()
    """The number of occurrences of each."""
    longest_in_flight_s: float = 0.0
    """The longest of the requests still open at the deadline."""
    held: tuple[int, ...] = ()
    """The number of connections of each server process at the start, the largest first; empty if unseen."""
    turns: int = 1
    """The number of slices that it is the sum of."""
    draws: tuple[Draw, ...] = ()
    """One for each set of connections if there were several, as for a server that was already running."""


ConnectionProbe = Callable[[], Held | None]
"""Returns which of the server's processes holds which connection; ``None`` if unseen."""


def nothing() -> None:
    """Do nothing, just before a load starts."""


class LoadEngine(Protocol):
    """Makes load and returns the result.

    The interface for load generators; :class:`pytest_webbench.load.fake.FakeEngine` stands in for one in
    tests. An engine that sends nothing declares that by an attribute ``makes_load`` that is false; then it
    does not keep other runs from measuring.
    """

    name: str

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Run ``load`` against the server at ``base_url`` and wait for its end.

        If it can, an engine uses ``look`` to spread connections evenly over the server's processes. It calls
        ``before_start`` once, before the first request and, if it can, after the connections are established.

        Raises :class:`~pytest_webbench.model.errors.LoadError` if the generator itself fails; failures of
        the server are counted in the result.
        """
        ...

    def close(self) -> None:
        """End the processes of the engine. Safe to call again."""
        ...


class LoadSession(Protocol):
    """A load in slices, with other work between them."""

    def warm_up(self) -> None:
        """Make the warm-up of a load that has one, before its first slice; it is not counted.

        Raises :class:`~pytest_webbench.model.errors.LoadError` if the generator itself fails.
        """
        ...

    def take_turn(self, before_start: Callable[[], None] = nothing) -> None:
        """Make the next slice and wait for its end; ``before_start`` is called before its first request.

        Raises :class:`~pytest_webbench.model.errors.LoadError` if the generator itself fails.
        """
        ...

    def result(self) -> LoadResult:
        """Return the result of all slices, after the last one."""
        ...


@runtime_checkable
class TurnEngine(LoadEngine, Protocol):
    """An engine whose loads can pause and resume, several of them side by side."""

    def begin(self, load: Load, base_url: str, look: ConnectionProbe | None = None) -> LoadSession:
        """Begin ``load``: its users connect, but nothing is sent yet.

        An unfinished load is ended by :meth:`~pytest_webbench.LoadEngine.close`.
        """
        ...


Look = ConnectionProbe
"""The old name of :data:`ConnectionProbe`, for third-party engines."""
OpenLoad = LoadSession
"""The old name of :class:`LoadSession`, for third-party engines."""
