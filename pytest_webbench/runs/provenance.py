"""How the results of a run come about: what is known before they are measured, and afterwards."""

from collections.abc import Mapping
from typing import Any

from pytest_webbench.model.load import Loop, Schedule
from pytest_webbench.model.measurement import UNKNOWN, Machine, Provenance
from pytest_webbench.model.plan import Profile
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Scenario
from pytest_webbench.stacks.environment import asks_for

__all__ = ["planned_provenance", "provenance_of"]


def provenance_of(
    summary: CellSummary, *, profile: Profile | None, generators: int | None, machine: Machine | None = None
) -> Provenance:
    """How the result of a cell came about, in a run with ``profile`` and ``generators`` on ``machine``."""
    launch = summary.launch
    return Provenance(
        launcher=launch.launcher,
        engine=summary.engine,
        loop=Loop(schedule=summary.schedule),
        users=summary.users,
        amount=summary.amount,
        records=summary.records,
        profile=profile,
        turns=summary.turns,
        generators=generators,
        versions=launch.versions,
        machine=machine,
        **_of_launch(launch.config),
    )


def _of_launch(config: Mapping[str, str | int]) -> dict[str, Any]:
    """What the configuration of a launch says, by the fields of a provenance."""
    in_force = {name: config[name] for name in ("workers", "threads") if config.get(name, UNKNOWN) != UNKNOWN}
    words = {
        "network": config.get("network"),
        "container_runtime": config.get("engine"),
        "base_image": config.get("base_image"),
        "cpus": config.get("cpus"),
        "memory": config.get("memory"),
    }
    return {**in_force, **{name: str(value) for name, value in words.items() if value is not None}}


def planned_provenance(
    scenario: Scenario, stack: Stack, settings: Settings, *, launcher: str, engine: str, default_records: int
) -> Provenance:
    """How the result of a cell will come about, as far as it is known before.

    How many workers a command starts that is not told, the records of a server that runs already, a rate
    that is chosen in the run, and the connections that it needs are not known yet.
    """
    records = default_records if settings.records is None else settings.records
    chosen_later = scenario.rate is None and settings.rates.common_share is not None
    schedule = None
    if scenario.rate is not None:
        schedule = Schedule(rate=scenario.rate, arrivals=scenario.arrivals)
    told = [name for name in ("workers", "threads") if not settings.urls and asks_for(stack, name)]
    return Provenance(
        launcher=launcher,
        engine=engine,
        loop=None if chosen_later else Loop(schedule=schedule),
        users=None if chosen_later else scenario.users,
        amount=scenario.amount,
        records=None if settings.urls else records,
        profile=settings.profile,
        generators=settings.load_processes,
        workers=settings.workers if "workers" in told else None,
        threads=settings.threads if "threads" in told else None,
    )
