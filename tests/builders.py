"""Values for tests: a healthy one each, of which a test changes what it is about."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_webbench.logic.summary import summarise
from pytest_webbench.values.load import Amount, LoadResult
from pytest_webbench.values.measurement import LaunchRecord, Measurement, ServerUsage, StateCheck
from pytest_webbench.values.plan import Cell, Trial
from pytest_webbench.values.scenario import Unit
from pytest_webbench.values.summary import CellSummary

GET_ITEM = Cell(scenario="get_item", stack="flask-sqlite3")


def make_result(
    *, users: int = 4, requests: int = 100, latency_s: float = 0.01, **changes: Any
) -> LoadResult:
    """A closed loop in which all is well: every request takes ``latency_s``, no user ever waits."""
    nanoseconds = round(latency_s * 1e9)
    result = LoadResult(
        users=users,
        elapsed_s=requests * latency_s / users,
        sent=requests,
        ok=requests,
        errors={},
        in_flight=0,
        latency_ns=array("Q", [nanoseconds] * requests),
        ttfb_ns=array("Q", [nanoseconds // 2] * requests),
        generator_cpu_s=0.1 * requests * latency_s / users,
        generator_busy=0.1,
        connections_opened=users,
    )
    return replace(result, **changes)


def make_round(
    load: LoadResult | None = None,
    *,
    cell: Cell = GET_ITEM,
    round_: int = 0,
    server: ServerUsage | None = None,
    launch: LaunchRecord | None = None,
    state: StateCheck | None = None,
) -> Measurement:
    """A round of ``cell`` in which all is well."""
    load = load or make_result()
    return Measurement(
        trial=Trial(cell=cell, round=round_),
        engine="fake",
        users=load.users,
        amount=Amount(requests=load.sent),
        records=1500,
        load=load,
        server=server or ServerUsage(cpu_s=0.05, peak_rss_bytes=50_000_000),
        launch=launch or LaunchRecord(launcher="process", startup_s=0.4),
        state=state or StateCheck(checked=True),
    )


def make_rounds(latencies_s: Sequence[float], *, cell: Cell = GET_ITEM) -> list[Measurement]:
    """A healthy round for each mean response time."""
    return [
        make_round(make_result(latency_s=latency_s), cell=cell, round_=number)
        for number, latency_s in enumerate(latencies_s)
    ]


def make_summary(
    latencies_s: Sequence[float], *, stack: str = GET_ITEM.stack, unit: Unit = Unit.TIME, **changes: Any
) -> CellSummary:
    """The summary of a healthy cell with a round for each mean response time."""
    rounds = make_rounds(latencies_s, cell=replace(GET_ITEM, stack=stack))
    return replace(summarise(rounds, unit=unit, planned=len(rounds)), **changes)


def make_record(key: int, **columns: Any) -> Mapping[str, Any]:
    """A record of no suite in particular."""
    return {"id": key, "name": f"record {key}", **columns}
