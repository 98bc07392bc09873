"""What all rounds of a cell together say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.values.load import Amount, Schedule
from pytest_webbench.values.measurement import LaunchRecord
from pytest_webbench.values.plan import Cell
from pytest_webbench.values.scenario import Unit

__all__ = ["CellSummary", "Interval", "RoundFigures", "Standing", "Validity", "name_of_model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; ``high`` is infinite where one value is all there is."""

    estimate: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def inverse(self) -> "Interval":
        """The interval of one over the quantity, for positive quantities."""
        infinite = float("inf")
        return Interval(
            estimate=1 / self.estimate,
            low=1 / self.high if self.high < infinite else 0.0,
            high=1 / self.low if self.low > 0 else infinite,
        )

    def scaled(self, factor: float) -> "Interval":
        """The interval of the quantity in a unit that is ``factor`` times smaller."""
        return Interval(estimate=self.estimate * factor, low=self.low * factor, high=self.high * factor)

    @property
    def relative_half_width(self) -> float:
        """Half of the interval's width as a share of the estimate; infinite for a single value."""
        return (self.high - self.low) / 2 / self.estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Whether a cell's figure may be relied on.

    ``reasons`` say why it is not valid: such a figure is printed with them and is no baseline.
    ``warnings`` say what makes a valid figure less sure, or could not be checked.
    """

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """No reason speaks against the figure."""
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFigures:
    """What one round says that has a right answer; ``round`` counts from 0, the rest are seconds.

    ``server_cpu_s_per_request`` is ``None`` where the server's processes cannot be seen.
    """

    round: int
    time_per_request_s: float
    mean_response_time_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    server_cpu_s_per_request: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """The figures of a cell over its rounds.

    ``time_per_request_s`` (elapsed time per completed request) and ``mean_response_time_s`` have one
    value per round; with a ``schedule`` (of an open loop) response times count from the moment at which a
    request was due, and ``service_p50_s`` from its sending. Percentiles are over the requests of all
    rounds together; ``rounds`` has those of each round that has a right answer. CPU and memory are
    ``None`` where the server's processes cannot be seen, throttling and kills for want of memory (sums)
    outside of containers; memory is the largest of the rounds, ``startup_s`` the median of the launches,
    ``generator_cpu_fraction`` (of one processor) and ``lag_s`` the largest of the rounds. Each round was
    made in so many ``turns``. ``percentile_error`` is how far percentiles may be off, as a share of them: 0
    unless there were too many requests to keep each time. ``draws_per_s`` are the completed requests per
    second of each set of connections, in order, where rounds had several.
    """

    cell: Cell
    unit: Unit
    users: int
    amount: Amount
    records: int
    time_per_request_s: tuple[float, ...]
    mean_response_time_s: tuple[float, ...]
    figure: Interval
    p50_s: float
    p95_s: float
    p99_s: float
    ttfb_p50_s: float
    service_p50_s: float
    requests_sent: int
    requests_ok: int
    errors: Mapping[str, int]
    in_flight: int
    dropped: int
    lag_s: float
    server_cpu_s_per_request: float | None
    server_peak_rss_bytes: int | None
    server_throttled_s: float | None
    server_oom_kills: int | None
    generator_cpu_fraction: float
    startup_s: float | None
    engine: str
    launch: LaunchRecord
    validity: Validity
    examples: tuple[str, ...] = field(default=())
    schedule: Schedule | None = None
    rounds: tuple[RoundFigures, ...] = ()
    turns: int = 1
    percentile_error: float = 0.0
    draws_per_s: tuple[float, ...] = ()

    @property
    def model(self) -> str:
        """Which loop the figures come from: those of different ones must not be compared."""
        return name_of_model(self.schedule)

    @property
    def samples_s(self) -> tuple[float, ...]:
        """The rounds' figures for pytest-benchmark, in seconds.

        Time per completed request in a closed loop; in an open one that is given, so there it is the mean
        response time.
        """
        return self.time_per_request_s if self.schedule is None else self.mean_response_time_s


def name_of_model(schedule: Schedule | None) -> str:
    """Which loop a load with ``schedule`` is."""
    return "closed loop" if schedule is None else f"open loop, {schedule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A stack's place in a scenario.

    ``ratio`` is how many times as long as the fastest it takes (1 for the fastest itself), ``rank``
    1 plus the number of stacks whose interval says that they are faster; so ties share a rank.
    Invalid cells have neither.
    """

    summary: CellSummary
    rank: int | None = None
    ratio: Interval | None = None
