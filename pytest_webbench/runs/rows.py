"""What our rows of pytest-benchmark's JSON hold of a cell: written and read."""

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_webbench.analysis.cross_run import FORMAT
from pytest_webbench.analysis.metrics import Metric, Stored, stored
from pytest_webbench.analysis.summary import NO_RESULT, result_of
from pytest_webbench.model.codec import from_json, to_json
from pytest_webbench.model.load import Amount, Arrivals, Schedule
from pytest_webbench.model.measurement import LaunchRecord
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CellSummary, RoundSummary, Validity, name_of_model
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Scenario, Unit
from pytest_webbench.stacks.environment import asks_for

__all__ = ["extra_info", "planned_info", "summary_of_row"]


def summary_of_row(row: Mapping[str, Any]) -> CellSummary:
    """The figures of the cell that ``row`` stands for.

    The unit is not in the row: a load with a duration is taken to show a rate. Raises
    :class:`msgspec.ValidationError`, :class:`KeyError`, :class:`TypeError` or :class:`ValueError` for what
    does not describe a cell.
    """
    info = row["extra_info"]
    origin = info["webbench"]
    config = origin["config"]
    amount = from_json(Amount, config["amount"])
    schedule = _schedule(config.get("model", ""))
    rounds = tuple(map(_round, origin["rounds"]))
    unit = Unit.RATE if amount.duration_s is not None and schedule is None else Unit.TIME
    shown: dict[str, Any] = {
        name: origin[name]
        for name in (
            "requests_sent",
            "requests_ok",
            "in_flight",
            "dropped",
            "lag_s",
            "server_throttled_s",
            "server_oom_kills",
            "generator_cpu_fraction",
            "startup_s",
            "engine",
        )
    }
    launch = {"launcher": origin["launcher"], "startup_s": origin["startup_s"]}
    return CellSummary(
        **shown,
        cell=Cell(scenario=str(info["scenario"]), stack=str(info["stack"])),
        unit=unit,
        users=int(config["users"]),
        amount=amount,
        records=int(config["records"]),
        values=_values(origin, stored(Stored.CELL)),
        rounds=rounds,
        result=result_of(rounds, unit) or NO_RESULT,
        errors=from_json(dict[str, int], origin["errors"]),
        launch=from_json(LaunchRecord, {**launch, "versions": origin["versions"], "config": _plain(config)}),
        validity=_validity(origin["validity"]),
        schedule=schedule,
        turns=int(config.get("turns", 1)),
        percentile_error=float(origin.get("percentile_error", 0.0)),
        draws_per_s=from_json(tuple[float, ...], origin.get("draws_per_s", ())),
    )


def _round(data: Mapping[str, Any]) -> RoundSummary:
    values = _values(data, stored(Stored.ROUNDS))
    for key in ("time_per_request", "mean"):
        _ = values[key]
    return RoundSummary(round=int(data["round"]), values=values)


def _values(data: Mapping[str, Any], metrics: Iterable[Metric]) -> dict[str, float]:
    """The values of ``metrics`` in ``data``, of which older files may lack some."""
    found = {each.key: data.get(each.stored_name) for each in metrics}
    return {key: _number(value) for key, value in found.items() if value is not None}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value


def _schedule(model: str) -> Schedule | None:
    """The schedule of which ``model`` has the words, such as ``open loop, 1,000/s constant``."""
    loop, _, words = model.partition(", ")
    if not words or loop != "open loop":
        return None
    rate, _, arrivals = words.partition("/s ")
    return Schedule(rate=float(rate.replace(",", "")), arrivals=Arrivals(arrivals))


def _validity(data: Mapping[str, Any]) -> Validity:
    reasons = tuple(str(each) for each in data["reasons"]) or (() if data["valid"] else ("not said",))
    return Validity(reasons=reasons, warnings=tuple(str(each) for each in data["warnings"]))


def _plain(config: Mapping[str, Any]) -> dict[str, str | int]:
    """What of ``config`` is of the launch, and not of the load."""
    of_load = {
        "profile",
        "amount",
        "users",
        "records",
        "model",
        "turns",
        "seed",
        "generators",
        "workers_asked",
    }
    return {
        name: value
        for name, value in config.items()
        if name not in of_load and isinstance(value, str | int) and not isinstance(value, bool)
    }


def extra_info(summary: CellSummary, settings: Settings) -> dict[str, Any]:
    """What stands in ``extra_info`` of a cell's row in the JSON."""
    launch = summary.launch
    return {
        "stack": summary.cell.stack,
        "scenario": summary.cell.scenario,
        "metric": "time_per_request" if summary.schedule is None else "mean_response_time",
        "webbench": {
            "format": FORMAT,
            "requests_sent": summary.requests_sent,
            "requests_ok": summary.requests_ok,
            "errors": dict(summary.errors),
            "in_flight": summary.in_flight,
            **_named(summary.values, stored(Stored.CELL)),
            "dropped": summary.dropped,
            "lag_s": summary.lag_s,
            "percentile_error": summary.percentile_error,
            "draws_per_s": list(summary.draws_per_s),
            "server_throttled_s": summary.server_throttled_s,
            "server_oom_kills": summary.server_oom_kills,
            "generator_cpu_fraction": summary.generator_cpu_fraction,
            "startup_s": summary.startup_s,
            "launcher": launch.launcher,
            "engine": summary.engine,
            "profile": settings.profile.name,
            "versions": dict(launch.versions),
            "config": {
                **launch.config,
                "workers_asked": settings.workers,
                "seed": settings.seed,
                "profile": to_json(settings.profile),
                "users": summary.users,
                "amount": to_json(summary.amount),
                "records": summary.records,
                "model": summary.model,
                "turns": summary.turns,
                "generators": _generators(settings),
            },
            "rounds": [
                {"round": each.round, **_named(each.values, stored(Stored.ROUNDS))} for each in summary.rounds
            ],
            "validity": {
                "valid": summary.validity.valid,
                "reasons": list(summary.validity.reasons),
                "warnings": list(summary.validity.warnings),
            },
        },
    }


def planned_info(
    scenario: Scenario, stack: Stack, settings: Settings, *, launcher: str, engine: str, default_records: int
) -> dict[str, Any]:
    """What will stand below ``webbench`` in ``extra_info`` of a cell, as far as it is known before.

    How many workers a command starts that is not told, the records of a server that runs already, a rate
    that is chosen in the run, and the connections that it needs are not known yet.
    """
    records = default_records if settings.records is None else settings.records
    config: dict[str, Any] = {
        "workers_asked": settings.workers,
        "profile": to_json(settings.profile),
        "amount": to_json(scenario.amount),
        "records": None if settings.urls else records,
        "generators": _generators(settings),
    }
    if not settings.urls:
        asked = {"workers": settings.workers, "threads": settings.threads}
        config |= {name: value for name, value in asked.items() if asks_for(stack, name)}
    if scenario.rate is not None:
        schedule = Schedule(rate=scenario.rate, arrivals=scenario.arrivals)
        config |= {"users": scenario.users, "model": name_of_model(schedule)}
    elif settings.rates.common_share is None:
        config |= {"users": scenario.users, "model": name_of_model(None)}
    return {"launcher": launcher, "engine": engine, "profile": settings.profile.name, "config": config}


def _generators(settings: Settings) -> int:
    """How many processes share the load."""
    return settings.load_workers if settings.engine == "locust" else settings.generators


def _named(values: Mapping[str, float], metrics: Iterable[Metric]) -> dict[str, float | None]:
    """``values`` by the names of ``metrics`` in the JSON, ``None`` for what is not known."""
    return {each.stored_name: values.get(each.key) for each in metrics}
