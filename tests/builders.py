"""Values for tests: a healthy one each, of which a test changes what it is about."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.errors import StackError
from pytest_webbench.model.load import Amount, Latencies, LoadResult
from pytest_webbench.model.measurement import (
    LaunchRecord,
    Machine,
    MachineUsage,
    Measurement,
    ServerUsage,
    StateCheck,
)
from pytest_webbench.model.plan import PROFILES, Cell, Plan, Trial, TrialOrder
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import (
    RunMetadata,
    SavedRun,
    ScenarioMetadata,
    StackFailed,
    StackMetadata,
    TrialFinished,
)
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.metadata import provenance_of
from pytest_webbench.runs.store import RunFolder

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
        latency_ns=Latencies(array("Q", [nanoseconds] * requests)),
        ttfb_ns=Latencies(array("Q", [nanoseconds // 2] * requests)),
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
    machine: MachineUsage | None = None,
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
        server=server if server is not None else ServerUsage(cpu_s=0.05, peak_rss_bytes=50_000_000),
        launch=launch or LaunchRecord(launcher="process", startup_s=0.4),
        state=state or StateCheck(checked=True),
        machine=machine,
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


MACHINE = Machine(
    processor="A Processor",
    cores=2,
    memory_bytes=4 << 30,
    system="Linux 6.1",
    virtualised="KVM",
    python="3.13.1",
)


def make_run(
    latencies_s: Mapping[Cell, Sequence[float]] | None = None,
    *,
    units: Mapping[str, Unit] | None = None,
    about: Mapping[str, Any] | None = None,
    **changes: Any,
) -> SavedRun:
    """A saved run in which all is well: for each cell a round for each mean response time."""
    given = {GET_ITEM: (0.01, 0.0101, 0.0099)} if latencies_s is None else latencies_s
    units = units or {}
    rounds = {cell: make_rounds(times, cell=cell) for cell, times in given.items()}
    summaries = tuple(
        summarise(made, unit=units.get(cell.scenario, Unit.TIME), planned=len(made))
        for cell, made in rounds.items()
    )
    settings = Settings(seed=7)
    record = SavedRun(
        source="20261121-091500-4711",
        metadata=RunMetadata(
            **{
                "version": "0.1.0",
                "command": ("pytest", "--webbench", "--webbench-seed=7"),
                "started": "2026-11-21T09:15:00+01:00",
                "machine": MACHINE,
                "stacks": {
                    cell.stack: StackMetadata(title=f"about {cell.stack}", code_lines=120) for cell in given
                },
                "scenarios": {
                    cell.scenario: ScenarioMetadata(
                        title=f"about {cell.scenario}", unit=units.get(cell.scenario, Unit.TIME)
                    )
                    for cell in given
                },
                **(about or {}),
            }
        ),
        settings=settings,
        measurements=tuple(each for made in rounds.values() for each in made),
        summaries=summaries,
    )
    made = {
        each.cell: provenance_of(
            each,
            profile=settings.profile,
            generators=settings.load_processes,
            machine=record.metadata.machine,
        )
        for each in summaries
    }
    return replace(record, provenances=made, **changes)


def save_run(
    folder: Path,
    measurements: Iterable[Measurement],
    *,
    about: RunMetadata | None = None,
    failures: Mapping[str, str] | None = None,
    rounds: int = 3,
) -> Path:
    """Have the store write a run below ``folder``; the run's own folder."""
    run = RunFolder(folder)
    settings = Settings(seed=7, profile=replace(PROFILES["quick"], rounds=rounds))
    run.begin(settings, Plan(order=TrialOrder.INTERLEAVED, seed=7, blocks=()), about or make_run().metadata)
    for measurement in measurements:
        run.consume(TrialFinished(measurement=measurement))
    for stack, error in (failures or {}).items():
        run.consume(StackFailed(stack=stack, error=StackError(error)))
    return run.path


def make_record(key: int, **columns: Any) -> Mapping[str, Any]:
    """A record of no suite in particular."""
    return {"id": key, "name": f"record {key}", **columns}
