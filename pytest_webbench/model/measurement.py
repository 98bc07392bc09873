"""The measurement of one trial (load, server and machine), and the provenance of a result."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.load import Amount, LoadResult, Loop, Schedule
from pytest_webbench.model.plan import Measure, Profile, Trial

__all__ = [
    "UNKNOWN",
    "Combine",
    "LaunchRecord",
    "Machine",
    "MachineUsage",
    "Measurement",
    "Provenance",
    "Readings",
    "ServerUsage",
    "StateCheck",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The description of a machine; an empty text or ``None`` means "not known".

    The host name is deliberately not recorded. ``cores`` are the processors that this run may use, ``system``
    is the operating system with the release of its kernel, ``governor`` the CPU frequency governor,
    ``virtualised`` a sign of a virtual machine, ``python`` the version that ran pytest.
    """

    processor: str = ""
    cores: int | None = None
    memory_bytes: int | None = None
    system: str = ""
    governor: str | None = None
    virtualised: str | None = None
    python: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineUsage:
    """The time of all processors of the machine during a load, in seconds; ``None`` if not known.

    ``busy_s`` is the time spent working, for any process; ``steal_s`` the time that the host of a virtual
    machine withheld from it. ``own_s`` is the CPU time of the pytest process itself, which hands the load to
    the generator and takes its result.
    """

    elapsed_s: float | None = None
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None


UNKNOWN = "-"
"""Stands for an unknown property of a launch."""


class Combine(StrEnum):
    """How the readings of several slices or rounds are combined."""

    SUM = "sum"
    MAX = "max"
    ANY = "any"
    """1 if one of them is not 0."""
    LAST = "last"


class Readings(Mapping[str, float]):
    """Readings of meters during a load: numbers by name, without unknown ones.

    Made as ``Readings(cpu_s=0.5, instructions=2e9)`` or from a mapping. The readings of the built-in meter
    are also attributes.
    """

    __slots__ = ("_values",)

    def __init__(self, readings: Mapping[str, float | None] | None = None, /, **named: float | None) -> None:
        found = {**(readings or {}), **named}
        self._values = {
            name: int(value) if isinstance(value, bool) else value
            for name, value in found.items()
            if value is not None and value is not False
        }

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Readings({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"

    def _whole(self, name: str) -> int | None:
        value = self.get(name)
        return None if value is None else int(value)

    @property
    def cpu_s(self) -> float | None:
        """User and system CPU time of all of the server's processes, in seconds."""
        return self.get("cpu_s")

    @property
    def peak_rss_bytes(self) -> int | None:
        """The peak resident set of each process, summed over the processes.

        Shared pages count once per process. For a container it is the peak memory of its control group.
        """
        return self._whole("peak_rss_bytes")

    @property
    def replaced(self) -> bool:
        """Whether processes of the server exited or appeared during the load."""
        return bool(self.get("replaced"))

    @property
    def throttled_s(self) -> float | None:
        """How long a CPU limit held processes back, in seconds."""
        return self.get("throttled_s")

    @property
    def oom_kills(self) -> int | None:
        """The number of processes that were killed because memory ran out."""
        return self._whole("oom_kills")


class ServerUsage(Readings):
    """The older name of :class:`Readings`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRecord:
    """The launch that a measurement was made on.

    ``startup_s`` is the time from the launch to the first successful response; ``None`` for a server that was
    already running. ``versions`` maps the distributions installed for the stack to their versions, with
    ``python``; ``packages`` names those worth showing. ``config`` has everything else that is known about how
    the stack runs: the actual ``workers`` and ``threads``, or ``-`` if they are not known. ``notes`` are for
    readers of its results.
    """

    launcher: str
    startup_s: float | None
    versions: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    config: Mapping[str, str | int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCheck:
    """The check of the database after the load.

    ``checked`` is false if the database could not be read; ``faults`` are sentences about what was wrong.
    """

    checked: bool
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One round of a cell: the trial, the load, and all observations.

    ``schedule`` is that of an open loop. ``records`` is how many the database held when the round began.
    ``machine`` is the usage of the whole machine during the load; older versions did not record it.
    ``instructions`` is empty where they were not counted.
    """

    trial: Trial
    engine: str
    users: int
    amount: Amount
    records: int
    load: LoadResult
    server: Readings
    launch: LaunchRecord
    state: StateCheck
    schedule: Schedule | None = None
    machine: MachineUsage | None = None
    instructions: InstructionsByFunction = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a result was produced; ``None`` means "not known", or "not known yet".

    Text about a result is made from this, and never parsed back.
    """

    launcher: str | None = None
    engine: str | None = None
    """The load generator."""
    loop: Loop | None = None
    users: int | None = None
    amount: Amount | None = None
    """Of one round."""
    records: int | None = None
    """The number of records in the database when a round began."""
    profile: Profile | None = None
    measure: Measure | None = None
    turns: int | None = None
    """The number of slices of each round."""
    generators: int | None = None
    """The number of processes that shared the load."""
    workers: int | str | None = None
    """The actual number, like ``threads``; the requested numbers say nothing about a result."""
    threads: int | str | None = None
    network: str | None = None
    """The path from the generator to the server."""
    container_runtime: str | None = None
    base_image: str | None = None
    cpus: str | None = None
    """The CPU limit of a container as text, like that of its ``memory``."""
    memory: str | None = None
    image_bytes: int | None = None
    libc: str | None = None
    """The C library of a server whose instructions are counted, as its ``valgrind`` and ``python_build``."""
    valgrind: str | None = None
    python_build: str | None = None
    url: str | None = None
    """The address of a server that was already running, without a password."""
    command: str | None = None
    settings: Mapping[str, str | int] = field(default_factory=dict)
    """What the stack states about its own configuration."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The distributions installed for the stack, with ``python``."""
    machine: Machine | None = None
