"""What the options and ini values say, read once."""

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
        """The number for ``scenario``, ``None`` if the profile's stands."""
        return self.by_scenario.get(scenario, self.everywhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What makes loops open: a rate in requests per second for all scenarios or some by name.

    ``common_share`` chooses one for each scenario that has none: that share of what the slowest stack can
    serve, so that all can.
    """

    given: Override[float] = field(default_factory=Override)
    common_share: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT


class WhenInvalid(StrEnum):
    """What becomes of the test of a cell whose figure is not valid."""

    FAIL = "fail"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedUrl:
    """A server that already runs, and the name under which its figures stand."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every choice of a run. ``stacks`` and ``scenarios`` are patterns; empty means all.

    ``cpus`` and ``memory_bytes`` limit each stack's container; ``base_image`` replaces that of the set of
    versions. ``generators`` are processes of the native engine; ``load_workers`` those of Locust, which
    the run starts itself unless they come to ``load_bind`` or belong to ``load_master``. ``invalid`` is
    ``None`` where nothing is said of it; ``baseline`` if pytest-benchmark is to save the figures, or to
    compare them with saved ones.
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
