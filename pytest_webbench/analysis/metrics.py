"""Every metric, one row each: name, unit, value from rounds, rule for verdicts, and where it is shown.

All code that lists metrics reads :data:`METRICS`: tables, charts, the JSON and its derived rows, thresholds,
comparisons and the reference documentation. To add a metric, add a row. This module also combines the
readings of meters over slices and rounds.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from statistics import fmean

from pytest_webbench.analysis.statistics import percentiles
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Latencies, LoadResult
from pytest_webbench.model.measurement import Combine, Measurement, Readings
from pytest_webbench.model.plan import Measure
from pytest_webbench.model.results import RoundSummary, key_of_time

__all__ = [
    "BYTES",
    "METRICS",
    "NUMBER",
    "READINGS",
    "REQUESTS",
    "SECONDS",
    "Metric",
    "Quantity",
    "Rule",
    "Stored",
    "added_metrics",
    "added_readings",
    "columns",
    "combine",
    "combine_values",
    "derived",
    "find_metric",
    "judged",
    "reading",
    "reading_per_request",
    "response_percentile",
    "stored",
    "summarise_round",
    "time_per_request_s",
    "values_of",
]

READINGS: dict[str, Combine] = {
    "cpu_s": Combine.SUM,
    "peak_rss_bytes": Combine.MAX,
    "replaced": Combine.ANY,
    "throttled_s": Combine.SUM,
    "oom_kills": Combine.SUM,
}
"""How readings are combined, by name. Any other reading is summed."""


@dataclass(frozen=True, slots=True)
class _Way:
    of: Callable[[Sequence[float]], float]
    needs_all: bool = True


_WAYS: dict[Combine, _Way] = {
    Combine.SUM: _Way(lambda values: sum(values) if all(map(_is_whole, values)) else math.fsum(values)),
    Combine.MAX: _Way(max),
    Combine.ANY: _Way(lambda values: float(any(values)), needs_all=False),
    Combine.LAST: _Way(lambda values: values[-1]),
}


def _is_whole(value: float) -> bool:
    return isinstance(value, int)


def combine(parts: Sequence[Readings]) -> Readings:
    """Combine the readings of all ``parts``, in order.

    A reading that one part lacks is unknown for the whole, except for one combined by ``ANY``.
    """
    names = dict.fromkeys(name for part in parts for name in part)
    return Readings({name: combine_values(name, parts) for name in names})


def combine_values(name: str, parts: Sequence[Readings]) -> float | None:
    """Return the reading ``name`` combined over all ``parts``; ``None`` if it is not known."""
    way = _WAYS[READINGS.get(name, Combine.SUM)]
    known = [part[name] for part in parts if name in part]
    return way.of(known) if known and (len(known) == len(parts) or not way.needs_all) else None


@contextmanager
def added_readings(readings: Mapping[str, Combine]) -> Iterator[None]:
    """Register how ``readings`` are combined, for the duration of the context.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a name that is already taken.
    """
    taken = [name for name in readings if name in READINGS]
    if taken:
        raise UsageError(
            f"two meters provide a reading {taken[0]!r}",
            hint="give the reading of your meter another name",
        )
    READINGS.update(readings)
    try:
        yield
    finally:
        for name in readings:
            del READINGS[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """The unit of a value, and how people read and write it.

    ``suffix`` ends the names of values in the JSON (``_s``). Values are shown multiplied by ``factor``, in
    the unit ``shown``. The floor of a threshold is written in one of ``units``, each with its size in the
    unit of the value; ``example`` is such a floor. ``noun`` is the plural in messages.
    """

    suffix: str = ""
    shown: str = ""
    factor: float = 1.0
    units: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    example: str = "1000"
    noun: str = "a number"


SECONDS = Quantity(
    suffix="_s",
    shown="ms",
    factor=1000.0,
    units={"s": 1.0, "ms": 1e-3, "us": 1e-6},
    example="2ms",
    noun="seconds",
)


BYTES = Quantity(
    suffix="_bytes",
    shown="MiB",
    factor=2.0**-20,
    units={"": 1.0, "k": 1024.0, "m": 1024.0**2, "g": 1024.0**3},
    example="8m",
    noun="bytes",
)


REQUESTS = Quantity(noun="requests")
INSTRUCTIONS = Quantity(
    shown="k", factor=1e-3, units={"": 1.0, "k": 1e3, "m": 1e6}, example="20k", noun="instructions"
)
SYSTEM_CALLS = Quantity(noun="system calls")
NUMBER = Quantity()


class Rule(StrEnum):
    """The rule for the verdict on a metric."""

    RATIO = "ratio"
    """Test the logarithms of the ratios of paired rounds; the limit is a percentage."""
    COUNT = "count"
    """Compare the sums over all paired rounds without a test; the limit is a number per round."""
    EXACT = "exact"
    """Compare the ratio without a test if launches repeat it, else as :attr:`RATIO`; a percentage."""


class Stored(Flag):
    """Which values of a metric are kept, in ``extra_info`` and in summaries."""

    CELL = auto()
    """The value over all rounds together."""
    ROUNDS = auto()
    """The value of each round."""


OfRounds = Callable[[Sequence[Measurement]], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric. For all metrics, less is better.

    ``of_rounds`` computes its value over one or more rounds of a cell; ``None`` and NaN mean "not known".
    ``key`` names it in ``--webbench-fail``, ``title`` in tables and charts; ``about`` describes it in a
    sentence.

    ``stored_as`` is its name in ``extra_info``, by default the key with the suffix of its ``quantity``, and
    ``stored`` says which of its values are stored. ``row`` is the ``metric`` of its derived row in the JSON
    of pytest-benchmark; empty for no row.

    ``rule`` is the rule for its verdict, ``None`` for none. ``limit`` is its default threshold, and growth
    up to ``floor`` is always allowed; without a limit, it is compared only on request. ``column`` is its
    heading in tables, if any; the terminal shows it if it is ``brief``, all with ``digits`` decimals. It is
    known only in runs that ``measure`` this; ``None`` means all runs.
    """

    key: str
    title: str
    of_rounds: OfRounds
    about: str = ""
    quantity: Quantity = SECONDS
    stored_as: str = ""
    stored: Stored = Stored.CELL | Stored.ROUNDS
    row: str = ""
    rule: Rule | None = Rule.RATIO
    limit: float | None = None
    floor: float = 0.0
    column: str = ""
    brief: bool = False
    digits: int = 2
    measure: Measure | None = Measure.TIME

    @property
    def stored_name(self) -> str:
        """The name in ``extra_info``."""
        return self.stored_as or self.key + self.quantity.suffix

    def known_of(self, measure: Measure) -> bool:
        """Return whether it is known in runs that measure this."""
        return self.measure in (None, measure)

    def value(self, rounds: Sequence[Measurement]) -> float | None:
        """Return the value over ``rounds`` together; ``None`` if it is not known."""
        found = self.of_rounds(rounds) if self.known_of(measure_of(rounds)) else None
        return None if found is None or math.isnan(found) else found

    def shown(self, value: float | None) -> str:
        """Format ``value`` without its unit; ``-`` for none."""
        if value is None or math.isnan(value):
            return "-"
        return f"{value * self.quantity.factor:,.{self.digits}f}"

    def shown_with_unit(self, value: float | None) -> str:
        """Format ``value`` with four significant digits and its unit; ``-`` for none."""
        if value is None or math.isnan(value):
            return "-"
        return f"{value * self.quantity.factor:.4g} {self.quantity.shown}".rstrip()


def measure_of(rounds: Sequence[Measurement]) -> Measure:
    """Return what was measured in ``rounds``: times mean nothing if instructions were counted."""
    return Measure.INSTRUCTIONS if rounds and "instructions" in rounds[0].server else Measure.TIME


# --- from rounds to values --------------------------------------------------------------------------


def time_per_request_s(measurement: Measurement) -> float:
    """Return the elapsed seconds per completed request of a round; infinite if none was completed."""
    load = measurement.load
    return load.elapsed_s / load.ok if load.ok else math.inf


def _completed(rounds: Sequence[Measurement]) -> list[Measurement]:
    return [each for each in rounds if each.load.ok]


def _time_per_request(rounds: Sequence[Measurement]) -> float | None:
    completed = _completed(rounds)
    return fmean(map(time_per_request_s, completed)) if completed else None


def _mean(rounds: Sequence[Measurement]) -> float | None:
    completed = _completed(rounds)
    return fmean(each.load.latency_ns.mean_ns / 1e9 for each in completed) if completed else None


def _time(rounds: Sequence[Measurement]) -> float | None:
    return METRICS[key_of_time(rounds[0].schedule)].of_rounds(rounds)


def _percentile(share: float, times: Callable[[LoadResult], Latencies]) -> OfRounds:
    """Return a percentile over the requests of all rounds together."""

    def of_rounds(rounds: Sequence[Measurement]) -> float:
        return percentiles([times(each.load) for each in rounds], (share,))[0] / 1e9

    return of_rounds


def _service(rounds: Sequence[Measurement]) -> float:
    closed = rounds[0].schedule is None
    times = [each.load.latency_ns if closed else each.load.service_ns for each in rounds]
    return percentiles(times, (0.5,))[0] / 1e9


def reading(name: str) -> OfRounds:
    """Return a function for a reading of meters, combined over rounds."""
    return lambda rounds: combine_values(name, [each.server for each in rounds])


def reading_per_request(name: str) -> OfRounds:
    """Return a function for a reading of meters per completed request."""

    def of_rounds(rounds: Sequence[Measurement]) -> float | None:
        value, ok = reading(name)(rounds), sum(each.load.ok for each in rounds)
        return value / ok if ok and value is not None else None

    return of_rounds


def _memory(rounds: Sequence[Measurement]) -> float | None:
    return max((peak for each in rounds if (peak := each.server.peak_rss_bytes) is not None), default=None)


def _errors(rounds: Sequence[Measurement]) -> float:
    return sum(sum(each.load.errors.values()) for each in rounds)


def response_percentile(number: int, *, brief: bool = False) -> Metric:
    """Return the metric of a percentile of the response times, such as the 95th."""
    return Metric(
        key=f"p{number}",
        title=f"p{number}",
        about=f"The {number}th percentile of the response times.",
        of_rounds=_percentile(number / 100, lambda load: load.latency_ns),
        row=f"p{number}_response_time",
        column=f"p{number} ms",
        brief=brief,
    )


METRICS: dict[str, Metric] = {
    each.key: each
    for each in (
        Metric(
            key="time_per_request",
            title="time per request",
            about="Elapsed time per completed request.",
            of_rounds=_time_per_request,
            stored=Stored.ROUNDS,
            rule=None,
        ),
        Metric(
            key="time",
            title="time",
            about="Time per completed request; in an open loop the mean response time.",
            of_rounds=_time,
            stored=Stored(0),
            limit=0.05,
        ),
        Metric(
            key="mean",
            title="mean response time",
            about="The mean response time.",
            of_rounds=_mean,
            stored_as="mean_response_time_s",
            row="mean_response_time",
        ),
        response_percentile(50),
        response_percentile(95, brief=True),
        response_percentile(99),
        Metric(
            key="ttfb",
            title="time to first byte",
            about="The median time to the first byte of a response.",
            of_rounds=_percentile(0.5, lambda load: load.ttfb_ns),
            stored_as="ttfb_p50_s",
            stored=Stored.CELL,
            rule=None,
        ),
        Metric(
            key="service",
            title="service time",
            about=(
                "The median time from sending a request to its response; in an open loop, response times "
                "begin when the request is due."
            ),
            of_rounds=_service,
            stored_as="service_p50_s",
            stored=Stored.CELL,
            rule=None,
        ),
        Metric(
            key="errors",
            measure=None,
            title="errors",
            about="Failed requests.",
            of_rounds=_errors,
            quantity=REQUESTS,
            stored=Stored(0),  # the summary has them by class
            rule=Rule.COUNT,
            limit=0.0,
            column="errors",
            brief=True,
            digits=0,
        ),
        Metric(
            key="cpu",
            title="CPU per request",
            about="CPU time (user and system) of all processes of the server per completed request.",
            of_rounds=reading_per_request("cpu_s"),
            stored_as="server_cpu_s_per_request",
            row="server_cpu_per_request",
            limit=0.03,  # varies less than time, so the limit can be lower
            column="CPU ms/req",
            brief=True,
            digits=3,
        ),
        Metric(
            key="memory",
            title="peak memory",
            about="The peak of resident memory, summed over the server's processes.",
            of_rounds=_memory,
            quantity=BYTES,
            stored_as="server_peak_rss_bytes",
            stored=Stored.CELL,
            digits=0,
        ),
        Metric(
            key="instructions",
            title="instructions per request",
            about="Instructions that the server executed in user space, for each completed request.",
            of_rounds=reading_per_request("instructions"),
            quantity=INSTRUCTIONS,
            stored_as="instructions_per_request",
            rule=Rule.EXACT,
            limit=0.01,
            digits=1,
            measure=Measure.INSTRUCTIONS,
        ),
        Metric(
            key="syscalls",
            title="system calls per request",
            about="System calls of the server for each completed request; not for clocks and thread waits.",
            of_rounds=reading_per_request("syscalls"),
            quantity=SYSTEM_CALLS,
            stored_as="syscalls_per_request",
            row="syscalls_per_request",
            rule=Rule.EXACT,
            limit=0.02,
            floor=5,  # one more or fewer is often a matter of timing
            column="syscalls/req",
            brief=True,
            digits=1,
            measure=Measure.INSTRUCTIONS,
        ),
    )
}
"""All metrics by their keys, in the order in which they are shown."""


# --- selections of metrics --------------------------------------------------------------------------


def judged(measure: Measure | None = None) -> list[Metric]:
    """Return the metrics that have verdicts in runs that ``measure`` this; by default, in any run."""
    found = [each for each in METRICS.values() if each.rule is not None]
    return [each for each in found if measure is None or each.known_of(measure)]


def columns(measure: Measure = Measure.TIME, *, brief: bool = False) -> list[Metric]:
    """Return the metrics with a column in tables of results; ``brief``: only those for the terminal."""
    shown = [each for each in METRICS.values() if each.column and each.known_of(measure)]
    return [each for each in shown if each.brief or not brief]


def derived() -> list[Metric]:
    """Return the metrics that have a derived row in pytest-benchmark's JSON."""
    return [each for each in METRICS.values() if each.row]


def stored(of: Stored) -> list[Metric]:
    """Return the metrics for which the value of the cell, or of each round, is stored."""
    return [each for each in METRICS.values() if each.stored & of]


def find_metric(key: str) -> Metric:
    """Return the metric ``key``; a bare one if it is unknown, as in a saved run with a missing plugin."""
    return METRICS.get(key) or Metric(key=key, title=key, quantity=NUMBER, of_rounds=lambda _: None)


def values_of(rounds: Sequence[Measurement], of: Stored = Stored.CELL) -> dict[str, float]:
    """Return the stored values over ``rounds`` (at least one) that are known, by the keys of metrics."""
    found = {each.key: each.value(rounds) for each in stored(of)}
    return {key: value for key, value in found.items() if value is not None}


def summarise_round(measurement: Measurement) -> RoundSummary:
    """Return the stored values of a round in which at least one request was completed."""
    return RoundSummary(round=measurement.trial.round, values=values_of([measurement], Stored.ROUNDS))


# --- metrics of other plugins -----------------------------------------------------------------------

_KEY = re.compile(r"[a-z][a-z0-9_]*")


@contextmanager
def added_metrics(metrics: Iterable[Metric]) -> Iterator[None]:
    """Register ``metrics`` for the duration of the context.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a key or a name in the JSON that is already
    taken, and for a key that cannot be written in ``--webbench-fail``.
    """
    added: list[str] = []
    try:
        for each in metrics:
            _add(each)
            added.append(each.key)
        yield
    finally:
        for key in added:
            del METRICS[key]


def _add(metric: Metric) -> None:
    hint = "give the metric another key in pytest_webbench_metrics"
    if not _KEY.fullmatch(metric.key):
        raise UsageError(
            f"{metric.key!r} cannot be the key of a metric", hint="use small letters, digits and underscores"
        )
    if metric.key in METRICS:
        raise UsageError(f"two metrics have the key {metric.key!r}", hint=hint)
    for other in METRICS.values():
        if metric.stored and other.stored and metric.stored_name == other.stored_name:
            raise UsageError(
                f"the metrics {other.key} and {metric.key} are both stored as {metric.stored_name!r}",
                hint=hint,
            )
    METRICS[metric.key] = metric
