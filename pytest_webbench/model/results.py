"""Conclusions from measurements: summaries, verdicts, diagnostics, hot spots."""

import math
from collections.abc import Mapping, Sequence
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
    "spread_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; with a single value, ``high`` is infinite."""

    estimate: float
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def inverse(self) -> "Interval":
        """Return the interval of the reciprocal of a positive quantity."""
        infinite = float("inf")
        return Interval(
            estimate=1 / self.estimate,
            low=1 / self.high if self.high < infinite else 0.0,
            high=1 / self.low if self.low > 0 else infinite,
        )

    def scaled(self, factor: float) -> "Interval":
        """Return the interval of the quantity in a unit that is ``factor`` times smaller."""
        return Interval(estimate=self.estimate * factor, low=self.low * factor, high=self.high * factor)

    @property
    def relative_half_width(self) -> float:
        """Half of the interval's width as a share of the estimate; infinite for a single value."""
        return (self.high - self.low) / 2 / self.estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """Whether a cell's result is valid.

    ``reasons`` say why it is not: an invalid result is printed with them and cannot be a baseline.
    ``warnings`` say what makes a valid result less certain, or could not be checked.
    """

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the result is valid."""
        return not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSummary:
    """One round in which a request was completed, counted from 0: its ``values`` by the keys of metrics.

    They are in the metric's unit, without unknown values.
    """

    round: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSummary:
    """The results of a cell over its rounds.

    With a ``schedule`` (an open loop), response times count from when a request was due.
    """

    cell: Cell
    unit: Unit
    users: int
    amount: Amount
    records: int
    values: Mapping[str, float]
    """The known values over all rounds together, by the keys of metrics and in their units."""
    rounds: tuple[RoundSummary, ...]
    """The rounds in which a request was completed."""
    result: Interval
    """The result as it is shown, in the scenario's ``unit``."""
    requests_sent: int
    requests_ok: int
    errors: Mapping[str, int]
    in_flight: int
    dropped: int
    lag_s: float
    """The largest lag of the rounds."""
    readings: Readings
    """The readings of the meters, combined over the rounds."""
    generator_cpu_fraction: float
    """The fraction of one processor that the generator used; the largest of the rounds."""
    startup_s: float | None
    """The median of the launches."""
    engine: str
    launch: LaunchRecord
    validity: Validity
    examples: tuple[str, ...] = field(default=())
    schedule: Schedule | None = None
    turns: int = 1
    """The number of slices of each round."""
    percentile_error: float = 0.0
    """How far percentiles may be off, as a fraction; 0 unless there were too many times to keep."""
    draws_per_s: tuple[float, ...] = ()
    """Completed requests per second of each set of connections, in order, where rounds had several."""

    @property
    def model(self) -> str:
        """The kind of loop; results of different loops must not be compared."""
        return str(Loop(schedule=self.schedule))

    @property
    def counts(self) -> bool:
        """Whether instructions were counted, and nothing was timed."""
        return self.unit is Unit.INSTRUCTIONS

    @property
    def spread(self) -> float | None:
        """By how much the largest result of a round is above the smallest, as a share; ``None`` for one."""
        return spread_of(self.shown_s) if len(self.shown_s) > 1 else None

    def value(self, key: str) -> float | None:
        """Return the value of a metric over all rounds together; ``None`` if it is not known."""
        return sum(self.errors.values()) if key == "errors" else self.values.get(key)

    def each_round(self, key: str) -> tuple[float, ...]:
        """Return the values of a metric in the rounds where it is known."""
        return tuple(each.values[key] for each in self.rounds if key in each.values)

    @property
    def samples_s(self) -> tuple[float, ...]:
        """The rounds' results for pytest-benchmark, in seconds: the metric ``time``.

        For counts, an instruction stands for a second.
        """
        return self.shown_s if self.counts else self.each_round(key_of_time(self.schedule))

    @property
    def shown_s(self) -> tuple[float, ...]:
        """The rounds' results, of the metric that the unit shows, in that metric's own unit."""
        return self.each_round(key_of_unit(self.unit))

    def shown_rounds(self) -> dict[int, float]:
        """Return the result of each round in the scenario's unit."""
        key = key_of_unit(self.unit)
        return {each.round: shown_in(self.unit, each.values[key]) for each in self.rounds}

    @property
    def figure(self) -> Interval:
        """The old name of ``result``."""
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
        """The median of the response times of all rounds together; NaN without any, like all percentiles."""
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
        """The median time from sending a request to its response."""
        return self.values.get("service", math.nan)

    @property
    def server_cpu_s_per_request(self) -> float | None:
        """CPU time of the server per completed request; ``None`` if its processes are not visible."""
        return self.values.get("cpu")

    @property
    def server_peak_rss_bytes(self) -> float | None:
        """The largest peak memory of the rounds; ``None`` if the processes are not visible."""
        return self.values.get("memory")

    @property
    def server_throttled_s(self) -> float | None:
        """How long a CPU limit held the processes back, in seconds; ``None`` outside of containers."""
        return self.readings.throttled_s

    @property
    def server_oom_kills(self) -> int | None:
        """The number of processes killed because memory ran out; ``None`` outside of containers."""
        return self.readings.oom_kills


def spread_of(values: Sequence[float]) -> float:
    """Return by how much the largest of positive ``values`` exceeds the smallest, as a share of that."""
    return max(values) / min(values) - 1


FACTORS = {Unit.TIME: 1000.0, Unit.INSTRUCTIONS: 1e-3}
"""The factor from a value of the unit's metric to what is shown."""


def key_of_time(schedule: Schedule | None) -> str:
    """Return the key of the metric ``time``: time per completed request, or the mean response time.

    The latter is for open loops, which have a given rate.
    """
    return "time_per_request" if schedule is None else "mean"


def key_of_unit(unit: Unit) -> str:
    """Return the key of the metric that a scenario with ``unit`` shows."""
    return {Unit.RATE: "time_per_request", Unit.TIME: "mean", Unit.INSTRUCTIONS: "instructions"}[unit]


def shown_in(unit: Unit, value: float) -> float:
    """Return a ``value`` of the metric of ``unit`` as it is shown."""
    return 1 / value if unit is Unit.RATE else value * FACTORS[unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedResult:
    """A stack's place in a scenario.

    ``ratio`` is its time relative to the fastest stack (1 for the fastest itself). ``rank`` is 1 plus the
    number of stacks that are faster according to their interval, so ties share a rank. Invalid cells have
    neither.
    """

    summary: CellSummary
    rank: int | None = None
    ratio: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """How much ``metric`` (its key) may grow in the cells that match the patterns.

    ``limit`` is relative (0.1 is ten percent), or a number for counts. Growth of less than ``floor`` (in the
    metric's unit) is not a regression, regardless of the ratio.
    """

    metric: str
    limit: float
    floor: float = 0.0
    scenario: str = "*"
    stack: str = "*"


class Verdict(StrEnum):
    """The outcome of comparing a metric of two stacks."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change"
    """The whole interval lies within the threshold."""
    INCONCLUSIVE = "inconclusive"
    """The interval contains the threshold."""
    VOID = "void"
    """The two respond differently, so that their counts are of different work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric (its key) of a cell against the same metric of its base."""

    cell: Cell
    base_stack: str
    metric: str
    threshold: Threshold
    verdict: Verdict
    base: float
    """The geometric mean of the base; for counts, the sum."""
    head: float
    """The same for the cell itself."""
    ratio: Interval
    """Head over base."""
    pairs: int
    """The number of pairs of rounds."""
    p_value: float
    pairs_needed: int | None = None
    """About how many pairs would decide an inconclusive verdict; ``None`` if that cannot be estimated."""
    smallest_effect: float | None = None
    """The relative growth that this many pairs would detect in four of five runs."""
    why: str = ""
    """The reason why it cannot be compared, if any."""
    why_code: str = ""
    """The code of that reason."""
    spread: float | None = None
    """Of counts: by what fraction the launches of the worse side differ."""

    @property
    def fails(self) -> bool:
        """Whether its test fails."""
        return self.verdict is Verdict.SLOWER


class Level(StrEnum):
    """How good a diagnostic is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One check of a run: its ``subject`` in a word or two, the outcome as a sentence with its code."""

    subject: str
    level: Level
    text: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A remark on a comparison; ``subject`` is empty if it concerns the whole run."""

    code: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProfile:
    """The samples of one cell, from an extra load that was not timed."""

    cell: Cell
    rate_hz: int
    """How often all of the server's processes were sampled, per second."""
    stacks: Mapping[str, int] = field(default_factory=dict)
    """The number of samples of each call stack; its frames from the outermost on, joined by semicolons."""
    reason: str = ""
    """Why there are no samples."""
    note: str = ""
    """What the samples lack."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The parts of its :class:`~pytest_webbench.Stack`."""
    requests: int = 0
    """Successful requests during the sampling."""
    cpu_s: float | None = None
    """The server's CPU time during the sampling; ``None`` if not known."""
    cpu_s_per_request: float | None = None
    """CPU time per request in the timed rounds, without a profiler; ``None`` if not known."""

    @property
    def samples(self) -> int:
        """The number of samples."""
        return sum(self.stacks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTime:
    """The time of one part of a stack, such as "ORM".

    ``share`` is its share of the samples in which the server worked, with the interval of a binomial
    proportion; ``cpu_ms`` is the same in milliseconds of CPU time per request, ``None`` if not known.
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
    """The difference between two cells in the time of a part, in milliseconds of CPU time per request.

    ``more_ms`` is ``first_ms`` minus ``second_ms``.
    """

    part: str
    first_ms: float
    second_ms: float
    more_ms: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameRect:
    """A rectangle of a flame graph: calls of one function from one caller.

    ``depth`` counts from 0, the outermost call; ``start`` and ``width`` are shares of all samples in which
    the server worked. ``part`` is the part of the function, or that of its caller.
    """

    depth: int
    start: float
    width: float
    label: str
    part: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference in how stored and current results were produced, as text.

    ``comparable`` says whether they can still be compared.
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
    """How the benchmarks of a run match those of baselines, by full names.

    ``missing`` are benchmarks that no baseline has. ``differing`` maps a baseline's name and a difference to
    the benchmarks concerned. ``fit`` has pairs of a baseline's name and a benchmark that can be compared.
    """

    missing: tuple[str, ...]
    differing: Mapping[tuple[str, Difference], tuple[str, ...]]
    fit: frozenset[tuple[str, str]]
