"""What is concluded from measurements: summaries, verdicts, findings, hot spots."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_webbench.model.load import Amount, Loop, Schedule
from pytest_webbench.model.measurement import LaunchRecord, Readings
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.reasons import Code, Reason
from pytest_webbench.model.suite import Unit

__all__ = [
    "FACTORS",
    "Attribution",
    "BaselineMatch",
    "CellSummary",
    "CodeProfile",
    "Comparison",
    "Diagnostic",
    "Difference",
    "FlameRect",
    "Interval",
    "Level",
    "PartDifference",
    "PartTime",
    "RankedResult",
    "Remark",
    "RoundSummary",
    "Threshold",
    "Validity",
    "Verdict",
    "key_of_time",
    "key_of_unit",
    "shown_in",
]


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
class RoundSummary:
    """One round in which a request was completed, counted from 0: its ``values`` by the keys of metrics.

    They are in the metric's unit; what is not known is not there.
    """

    round: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """The results of a cell over its rounds.

    With a ``schedule`` (of an open loop) response times count from the moment at which a request was due.
    """

    cell: Cell
    unit: Unit
    users: int
    amount: Amount
    records: int
    values: Mapping[str, float]
    """Of all rounds together, by the keys of metrics and in their units; without what is not known."""
    rounds: tuple[RoundSummary, ...]
    """Those in which a request was completed."""
    result: Interval
    """What people are shown, in the scenario's ``unit``."""
    requests_sent: int
    requests_ok: int
    errors: Mapping[str, int]
    in_flight: int
    dropped: int
    lag_s: float
    """The largest of the rounds."""
    readings: Readings
    """Those of the meters, combined over the rounds."""
    generator_cpu_fraction: float
    """Of one processor; the largest of the rounds."""
    startup_s: float | None
    """The median of the launches."""
    engine: str
    launch: LaunchRecord
    validity: Validity
    examples: tuple[str, ...] = field(default=())
    schedule: Schedule | None = None
    turns: int = 1
    """How many parts each round was made in."""
    percentile_error: float = 0.0
    """How far percentiles may be off, as a share; 0 unless there were too many times to keep each."""
    draws_per_s: tuple[float, ...] = ()
    """Completed requests per second of each set of connections, in order, where rounds had several."""

    @property
    def model(self) -> str:
        """Which loop the figures come from: those of different ones must not be compared."""
        return str(Loop(schedule=self.schedule))

    def value(self, key: str) -> float | None:
        """The value of a metric for all rounds together; ``None`` if it is not known."""
        return sum(self.errors.values()) if key == "errors" else self.values.get(key)

    def each_round(self, key: str) -> tuple[float, ...]:
        """The values of a metric in the rounds in which it is known."""
        return tuple(each.values[key] for each in self.rounds if key in each.values)

    @property
    def samples_s(self) -> tuple[float, ...]:
        """The rounds' results for pytest-benchmark, in seconds: the metric ``time``.

        Of what is counted, an instruction is a nanosecond: 1.5 million are 1.5 ms.
        """
        if self.unit is Unit.INSTRUCTIONS:
            return tuple(each / 1e9 for each in self.shown_s)
        return self.each_round(key_of_time(self.schedule))

    @property
    def shown_s(self) -> tuple[float, ...]:
        """The rounds' results, of the metric that the unit shows, in that metric's own unit."""
        return self.each_round(key_of_unit(self.unit))

    def shown_rounds(self) -> dict[int, float]:
        """For each round its result in the scenario's unit."""
        key = key_of_unit(self.unit)
        return {each.round: shown_in(self.unit, each.values[key]) for each in self.rounds}

    @property
    def figure(self) -> Interval:
        """The same as ``result``, by its older name."""
        return self.result

    @property
    def time_per_request_s(self) -> tuple[float, ...]:
        """Elapsed time per completed request of each round."""
        return self.each_round("time_per_request")

    @property
    def mean_response_time_s(self) -> tuple[float, ...]:
        """Mean response time of each round."""
        return self.each_round("mean")

    @property
    def p50_s(self) -> float:
        """The median of the response times of all rounds together; NaN without any, as all percentiles."""
        return self.values.get("p50", math.nan)

    @property
    def p95_s(self) -> float:
        """Their 95th percentile."""
        return self.values.get("p95", math.nan)

    @property
    def p99_s(self) -> float:
        """Their 99th percentile."""
        return self.values.get("p99", math.nan)

    @property
    def ttfb_p50_s(self) -> float:
        """The median time to the first byte of a response."""
        return self.values.get("ttfb", math.nan)

    @property
    def service_p50_s(self) -> float:
        """The median time from the sending of a request to its response."""
        return self.values.get("service", math.nan)

    @property
    def server_cpu_s_per_request(self) -> float | None:
        """CPU time of the server per completed request; ``None`` where its processes cannot be seen."""
        return self.values.get("cpu")

    @property
    def server_peak_rss_bytes(self) -> float | None:
        """The largest of the rounds' peaks of memory; ``None`` where the processes cannot be seen."""
        return self.values.get("memory")

    @property
    def server_throttled_s(self) -> float | None:
        """How long a limit of CPU held the processes back; ``None`` outside of containers."""
        return self.readings.throttled_s

    @property
    def server_oom_kills(self) -> int | None:
        """How many processes were killed for want of memory; ``None`` outside of containers."""
        return self.readings.oom_kills


FACTORS = {Unit.TIME: 1000.0, Unit.INSTRUCTIONS: 1e-3}
"""By what a value of a unit's metric is multiplied to be shown."""


def key_of_time(schedule: Schedule | None) -> str:
    """The metric that says how fast a cell is.

    Time per completed request in a closed loop; in an open one that is given, so there it is the mean
    response time.
    """
    return "time_per_request" if schedule is None else "mean"


def key_of_unit(unit: Unit) -> str:
    """The metric that a scenario with ``unit`` shows."""
    return {Unit.RATE: "time_per_request", Unit.TIME: "mean", Unit.INSTRUCTIONS: "instructions"}[unit]


def shown_in(unit: Unit, value: float) -> float:
    """What people are shown of a ``value`` of the metric of ``unit``."""
    return 1 / value if unit is Unit.RATE else value * FACTORS[unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedResult:
    """A stack's place in a scenario.

    ``ratio`` is how many times as long as the fastest it takes (1 for the fastest itself), ``rank``
    1 plus the number of stacks whose interval says that they are faster; so ties share a rank.
    Invalid cells have neither.
    """

    summary: CellSummary
    rank: int | None = None
    ratio: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """By how much ``metric`` (its key) may grow in the cells that the patterns name.

    ``limit`` is relative (0.1: by ten percent), of what is counted a number. What grows by less than
    ``floor`` (in the metric's unit) is no regression, however much it is as a ratio.
    """

    metric: str
    limit: float
    floor: float = 0.0
    scenario: str = "*"
    stack: str = "*"


class Verdict(StrEnum):
    """What the rounds say of a metric of two stacks."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change"
    """None beyond the threshold: the whole interval lies within it."""
    INCONCLUSIVE = "inconclusive"
    """The interval reaches beyond the threshold, and does not lie beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric (its key) of a cell against the same metric of its base."""

    cell: Cell
    base_stack: str
    metric: str
    threshold: Threshold
    verdict: Verdict
    base: float
    """The geometric mean; of what is counted, the sum."""
    head: float
    """The same of the cell itself."""
    ratio: Interval
    """Head over base."""
    pairs: int
    """How many pairs of rounds there were."""
    p_value: float
    pairs_needed: int | None = None
    """About how many would decide an inconclusive one; ``None`` if that cannot be estimated."""
    smallest_effect: float | None = None
    """The relative growth that this many pairs would detect in four of five runs."""
    why: str = ""
    """What keeps it from being judged."""
    why_code: str = ""
    """The code of that."""

    @property
    def fails(self) -> bool:
        """Whether its test fails."""
        return self.verdict is Verdict.SLOWER


class Level(StrEnum):
    """How good what was found is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One thing that was looked at: ``subject`` in a word or two, ``text`` in a sentence with its code."""

    subject: str
    level: Level
    text: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a comparison says beside its verdicts; ``subject`` is empty where it concerns the whole run."""

    code: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProfile:
    """The samples of one cell, from a load that was made for them and not timed."""

    cell: Cell
    rate_hz: int
    """How often a second all of the server's processes were sampled."""
    stacks: Mapping[str, int] = field(default_factory=dict)
    """How often each stack of calls was met; its frames from the outermost on, joined by semicolons."""
    reason: str = ""
    """Why there are no samples."""
    note: str = ""
    """What the samples lack."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Those of its :class:`~pytest_webbench.Stack`."""
    requests: int = 0
    """Successful requests meanwhile."""
    cpu_s: float | None = None
    """The server's CPU time meanwhile; ``None`` if not known."""
    cpu_s_per_request: float | None = None
    """That of the timed rounds, without a profiler; ``None`` if not known."""

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(self.stacks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTime:
    """What one part of a stack takes, such as "ORM".

    ``share`` is that of the samples in which the server worked, with the interval of a binomial proportion;
    ``cpu_ms`` is the same in milliseconds of CPU time for each request, ``None`` where that is not known.
    """

    part: str
    samples: int
    share: Interval
    cpu_ms: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Where the time of a cell goes, the largest part first.

    ``working`` samples were attributed; in ``waiting`` ones the thread only waited, and they are left out.
    """

    working: int
    waiting: int
    parts: tuple[PartTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDifference:
    """How much more of a part one cell takes than another: milliseconds of CPU time for each request.

    ``first_ms`` and ``second_ms`` are what each takes, ``more_ms`` the first less the second.
    """

    part: str
    first_ms: float
    second_ms: float
    more_ms: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameRect:
    """A rectangle of a flame graph: calls of one function from one caller.

    ``depth`` counts from 0, the outermost call; ``start`` and ``width`` are shares of all samples in which
    the server worked. ``part`` is that of the function, or of the one that called it.
    """

    depth: int
    start: float
    width: float
    label: str
    part: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something in which stored figures came about otherwise than those of now, in words.

    ``comparable`` says whether they can be compared in spite of it.
    """

    what: str
    base: str
    now: str
    comparable: bool = True

    @property
    def reason(self) -> Reason:
        """The difference in a sentence, which says so if it rules a comparison out."""
        if self.comparable:
            return Code.DIFFERENT.reason(what=self.what, base=self.base, now=self.now)
        return Code.INCOMPARABLE.reason(what=self.what, base=self.base, now=self.now)

    def __str__(self) -> str:
        return Code.DIFFERENT.reason(what=self.what, base=self.base, now=self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineMatch:
    """How the benchmarks of a run go together with those of baselines, by full names.

    ``missing`` are benchmarks that no baseline has, ``differing`` maps a baseline's name and a difference
    to the benchmarks concerned, and ``fit`` has each baseline's name with a benchmark that it may be
    compared in.
    """

    missing: tuple[str, ...]
    differing: Mapping[tuple[str, Difference], tuple[str, ...]]
    fit: frozenset[tuple[str, str]]
