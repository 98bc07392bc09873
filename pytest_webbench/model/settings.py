"""The settings of a run, read once from options and ini values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.plan import PROFILES, Profile
from pytest_webbench.model.results import Threshold
from pytest_webbench.model.stack import VERSION_SETS, VersionSet

__all__ = ["NamedUrl", "Override", "Rates", "Settings", "WhenInvalid"]

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Generic[T]):
    """A number for every scenario (``everywhere``), and numbers for some by name, which win."""

    everywhere: T | None = None
    by_scenario: Mapping[str, T] = field(default_factory=dict)

    def get(self, scenario: str) -> T | None:
        """Return the number for ``scenario``; ``None`` to use the profile's."""
        return self.by_scenario.get(scenario, self.everywhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of open loops, in requests per second, for all scenarios or for some by name.

    With ``common_share``, each scenario without a rate gets that share of the slowest stack's maximum, so
    that all stacks can serve it.
    """

    given: Override[float] = field(default_factory=Override)
    common_share: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT


class WhenInvalid(StrEnum):
    """What to do with the test of a cell that has an invalid result."""

    FAIL = "fail"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUrl:
    """A server that already runs, and the name of its results."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every choice of a run. ``stacks`` and ``scenarios`` are patterns; empty means all.

    ``cpus`` and ``memory_bytes`` limit each stack's container; ``base_image`` replaces that of the set of
    versions. ``generators`` is the number of processes of the native engine, ``load_workers`` that of Locust;
    the run starts these itself unless they connect to ``load_bind`` or belong to ``load_master``. ``invalid``
    is ``None`` if not given. ``baseline`` says whether pytest-benchmark will save the results or compare them
    with saved ones.
    """

    profile: Profile = PROFILES["quick"]
    stacks: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    urls: tuple[NamedUrl, ...] = ()
    allow_writes: bool = False
    launcher: str = "auto"
    versions: VersionSet = VERSION_SETS["current"]
    base_image: str | None = None
    cpus: float | None = None
    memory_bytes: int | None = None
    seed: int = 0
    durations_s: Override[float] = field(default_factory=Override)
    requests: Override[int] = field(default_factory=Override)
    users: Override[int] = field(default_factory=Override)
    rates: Rates = field(default_factory=Rates)
    engine: str = "native"
    generators: int = 1
    load_workers: int = 2
    load_bind: str | None = None
    load_master: str | None = None
    records: int | None = None
    workers: int = 2
    threads: int = 2
    start_timeout_s: float = 30.0
    request_timeout_s: float = 30.0
    against: str | None = None
    against_stack: str | None = None
    thresholds: tuple[Threshold, ...] = ()
    budget_s: float | None = None
    markdown: Path | None = None
    invalid: WhenInvalid | None = None
    baseline: bool = False
    explain: bool = False
    strict: bool = False
    allow_missing: bool = False
    wait: bool = False
    output: Path = Path(".webbench")
    cache: Path | None = None

    @property
    def load_processes(self) -> int:
        """How many processes share the load."""
        return self.load_workers if self.engine == "locust" else self.generators
