"""Our rows of pytest-benchmark's JSON: the content of a cell's row, written and read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pytest_webbench.analysis.metrics import Metric, Stored, stored
from pytest_webbench.analysis.summary import NO_RESULT, result_of
from pytest_webbench.model.codec import from_saved, to_saved
from pytest_webbench.model.load import Amount, Arrivals, Schedule
from pytest_webbench.model.measurement import UNKNOWN, LaunchRecord, Provenance, Readings
from pytest_webbench.model.plan import Cell, Measure, Profile
from pytest_webbench.model.reasons import code_of
from pytest_webbench.model.results import CellSummary, RoundSummary, Validity, key_of_time
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.metadata import provenance_of

__all__ = [
    "FORMAT",
    "INSTRUCTIONS",
    "KEYS",
    "Row",
    "counted_name",
    "extra_info",
    "is_counted",
    "is_derived",
    "name_of_metric",
    "origin_of",
    "other_formats",
    "read_row",
]

FORMAT = 2
"""The version of our part of pytest-benchmark's JSON.

1: the first one.
2: ``unit``, and ``schedule`` beside the words of ``model``.
"""
READ = (1, FORMAT)
"""The versions that :func:`read_row` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowConfig:
    """How a cell was measured. The launch's own configuration is stored beside these keys."""

    users: int
    amount: Amount
    records: int
    workers_asked: int | None = None
    seed: int | None = None
    profile: Profile | None = None
    model: str = ""
    schedule: Schedule | None = None
    turns: int = 1
    generators: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowValidity:
    """Whether a cell is valid, and why not; the codes are in the order of the sentences.

    A sentence from elsewhere has an empty code.
    """

    valid: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    reason_codes: tuple[str, ...] = ()
    warning_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The content of ``webbench`` in ``extra_info`` of a cell's row.

    Beside these keys are those of the metrics stored for a cell, and those stored for a round in
    each of ``rounds``, by their names in the table of metrics. ``readings`` are those of all meters, combined
    over the rounds; earlier versions lack them.
    """

    format: int
    unit: Unit
    requests_sent: int
    requests_ok: int
    errors: Mapping[str, int]
    in_flight: int
    dropped: int
    lag_s: float
    percentile_error: float = 0.0
    draws_per_s: tuple[float, ...] = ()
    server_throttled_s: float | None
    server_oom_kills: int | None
    readings: Mapping[str, float] = field(default_factory=dict)
    generator_cpu_fraction: float
    startup_s: float | None
    launcher: str
    engine: str
    profile: str
    versions: Mapping[str, str]
    config: RowConfig
    rounds: tuple[Mapping[str, int | float | None], ...]
    validity: RowValidity


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraInfo:
    """``extra_info`` of a cell's row."""

    stack: str
    scenario: str
    metric: str = ""
    webbench: Row


INSTRUCTIONS = "instructions"
SHARED = tuple(
    each.name
    for each in fields(Row)
    if each.name in {one.name for one in fields(CellSummary)} - {"rounds", "readings", "validity"}
)
"""The fields that a row and the summary of a cell share."""
ROUND = "round"
KEYS = (*(each.name for kind in (Row, RowConfig, RowValidity) for each in fields(kind)), ROUND)
"""Every key of ours below ``webbench``, without those of metrics."""


def extra_info(summary: CellSummary, settings: Settings) -> dict[str, Any]:
    """Return ``extra_info`` of a cell's row in the JSON."""
    launch, validity = summary.launch, summary.validity
    row = Row(
        **{name: getattr(summary, name) for name in SHARED},
        format=FORMAT,
        server_throttled_s=summary.server_throttled_s,
        server_oom_kills=summary.server_oom_kills,
        readings=dict(summary.readings),
        launcher=launch.launcher,
        profile=settings.profile.name,
        versions=launch.versions,
        config=RowConfig(
            users=summary.users,
            amount=summary.amount,
            records=summary.records,
            workers_asked=settings.workers,
            seed=settings.seed,
            profile=settings.profile,
            model=summary.model,
            schedule=summary.schedule,
            turns=summary.turns,
            generators=settings.load_processes,
        ),
        rounds=tuple(
            {ROUND: each.round, **_named(each.values, _stored(summary, Stored.ROUNDS))}
            for each in summary.rounds
        ),
        validity=RowValidity(
            valid=validity.valid,
            reasons=validity.reasons,
            warnings=validity.warnings,
            reason_codes=tuple(map(code_of, validity.reasons)),
            warning_codes=tuple(map(code_of, validity.warnings)),
        ),
    )
    written = to_saved(row) | _named(summary.values, _stored(summary, Stored.CELL))
    return {
        "stack": summary.cell.stack,
        "scenario": summary.cell.scenario,
        "metric": _metric_of(summary),
        "webbench": {**written, "config": {**launch.config, **written["config"]}},
    }


def _stored(summary: CellSummary, of: Stored) -> list[Metric]:
    """Return the metrics that are stored for a run of its measure."""
    measure = Measure.INSTRUCTIONS if summary.counts else Measure.TIME
    return [each for each in stored(of) if each.known_of(measure)]


def _metric_of(summary: CellSummary) -> str:
    if summary.counts:
        return "instructions_per_request"
    return "time_per_request" if summary.schedule is None else "mean_response_time"


def counted_name(name: str) -> str:
    """Return the name, or full name, of a row of counts, which no row of times has."""
    return name_of_metric(name, INSTRUCTIONS)


def name_of_metric(name: str, key: str) -> str:
    """Return ``hello:p95[flask]``: before the bracket, so that grouping by function separates metrics."""
    function, bracket, parameters = name.partition("[")
    return f"{function.removesuffix(f':{INSTRUCTIONS}')}:{key}{bracket}{parameters}"


def is_counted(row: Mapping[str, Any]) -> bool:
    """Return whether ``row`` has counts of instructions or system calls, and no times."""
    origin = origin_of(row)
    return origin is not None and Unit.INSTRUCTIONS in (origin.get("unit"), origin.get("unit_of_cell"))


def read_row(extra_info: Mapping[str, Any]) -> tuple[CellSummary, Provenance]:
    """Return the result of the cell of a row, and its provenance.

    Rows of older formats are read, too. Raises :class:`ValueError` for a row that is not webbench's.
    """
    try:
        upgraded = {**extra_info, "webbench": _upgraded(extra_info["webbench"])}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    info = from_saved(ExtraInfo, upgraded)
    row, config = info.webbench, info.webbench.config
    rounds = tuple(_round(each, row.unit) for each in row.rounds)
    ours = {each.name for each in fields(RowConfig)}
    launch = {name: value for name, value in upgraded["webbench"]["config"].items() if name not in ours}
    summary = CellSummary(
        **{name: getattr(row, name) for name in SHARED},
        cell=Cell(scenario=info.scenario, stack=info.stack),
        users=config.users,
        amount=config.amount,
        records=config.records,
        values=_values(upgraded["webbench"], stored(Stored.CELL)),
        rounds=rounds,
        readings=Readings(
            {"throttled_s": row.server_throttled_s, "oom_kills": row.server_oom_kills, **row.readings}
        ),
        result=result_of(rounds, row.unit) or NO_RESULT,
        launch=LaunchRecord(
            launcher=row.launcher,
            startup_s=row.startup_s,
            versions=row.versions,
            config={name: value for name, value in launch.items() if type(value) in (str, int)},
        ),
        validity=_validity(row.validity),
        schedule=config.schedule,
        turns=config.turns,
    )
    profile = None if config.profile is None else replace(config.profile, name=row.profile)
    return summary, provenance_of(summary, profile=profile, generators=config.generators)


def other_formats(data: Mapping[str, Any]) -> list[Any]:
    """Return the versions in which ``data``, a file of pytest-benchmark, has rows that cannot be read."""
    rows = data.get("benchmarks")
    ours = [origin_of(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    found = [row.get("format") for row in ours if isinstance(row, Mapping)]
    return sorted(
        (each for each in (data.get("webbench_format", FORMAT), *found) if each not in READ), key=str
    )


def origin_of(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the ``webbench`` part of a ``row`` of pytest-benchmark; ``None`` if it is not one of ours."""
    info = row.get("extra_info")
    return info.get("webbench") if isinstance(info, Mapping) else None


def is_derived(row: Mapping[str, Any]) -> bool:
    """Return whether ``row`` has another metric of a cell that has a row of its own."""
    return "derived_from" in (origin_of(row) or {})


def _upgraded(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``row`` in the current format.

    Format 1 described an open loop only in words, such as ``open loop, 1,000/s constant``, without a unit: a
    load with a duration was shown as a rate. Before ``workers_asked`` existed, ``workers`` and ``threads``
    were the requested numbers, whether or not the command received them.
    """
    if row["format"] == FORMAT:
        return row
    config = dict(row["config"])
    config["schedule"] = to_saved(_schedule(config.get("model", "")))
    timed = config["amount"]["duration_s"] is not None and config["schedule"] is None
    if "workers_asked" not in config:
        command = config.get("command", "")
        config |= {name: UNKNOWN for name in ("workers", "threads") if f"{{{name}}}" not in command}
    return {**row, "config": config, "unit": Unit.RATE if timed else Unit.TIME}


def _schedule(words: str) -> Schedule | None:
    loop, _, schedule = words.partition(", ")
    if not schedule or loop != "open loop":
        return None
    rate, _, arrivals = schedule.partition("/s ")
    return Schedule(rate=float(rate.replace(",", "")), arrivals=Arrivals(arrivals))


def _named(values: Mapping[str, float], metrics: Iterable[Metric]) -> dict[str, float | None]:
    """Return ``values`` by the names of ``metrics`` in the JSON, ``None`` for unknown ones."""
    return {each.stored_name: values.get(each.key) for each in metrics}


def _values(data: Mapping[str, Any], metrics: Iterable[Metric]) -> dict[str, float]:
    """Return the values of ``metrics`` in ``data``; older files may lack some."""
    found = {each.key: data.get(each.stored_name) for each in metrics}
    return from_saved(dict[str, float], {key: value for key, value in found.items() if value is not None})


def _round(data: Mapping[str, float | None], unit: Unit) -> RoundSummary:
    number, values = data.get(ROUND), _values(data, stored(Stored.ROUNDS))
    needed = {INSTRUCTIONS} if unit is Unit.INSTRUCTIONS else {key_of_time(None), "mean"}
    if number is None or not needed <= values.keys():
        raise ValueError("a round lacks its number or its times")
    return RoundSummary(round=int(number), values=values)


def _validity(row: RowValidity) -> Validity:
    unknown = () if row.valid else ("not said",)
    return Validity(reasons=row.reasons or unknown, warnings=row.warnings)
