"""What one trial gave (of the load, the server and the machine), and how a result came about."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.load import Amount, LoadResult, Loop, Schedule
from pytest_webbench.model.plan import Profile, Trial

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
    """What is known of a machine; an empty text or ``None`` is not known.

    The host name is deliberately not recorded. ``cores`` are the processors that this run may use, ``system``
    is the operating system with the release of its kernel, ``governor`` how the clock rate is chosen,
    ``virtualised`` what hints at a virtual machine, ``python`` the one that ran pytest.
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
    """What all processors of the machine together did during a load, in seconds; ``None`` if not known.

    ``busy_s`` is the time that they worked, for whomever; ``steal_s`` the time that a virtual machine
    wanted to work and its host did not let it. ``own_s`` is what the process of pytest itself worked,
    which hands the load to the generator and takes its result.
    """

    elapsed_s: float | None = None
    busy_s: float | None = None
    steal_s: float | None = None
    own_s: float | None = None


UNKNOWN = "-"
"""In place of what is not known of a launch."""


class Combine(StrEnum):
    """How the readings of several turns or rounds are one."""

    SUM = "sum"
    MAX = "max"
    ANY = "any"
    """1 if one of them is not 0."""
    LAST = "last"


class Readings(Mapping[str, float]):
    """What meters read of a server during a load: numbers by name. What is not known is not there.

    ``Readings(cpu_s=0.5, instructions=2e9)``, or made from a mapping. Those of the built-in meter are
    attributes, too.
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
        """User and system time of all of the server's processes."""
        return self.get("cpu_s")

    @property
    def peak_rss_bytes(self) -> int | None:
        """The largest resident set that each process had, summed over the processes.

        Pages that they share count once for each; for a container it is the largest amount that its control
        group was charged for.
        """
        return self._whole("peak_rss_bytes")

    @property
    def replaced(self) -> bool:
        """Whether processes of the server ended or appeared during the load."""
        return bool(self.get("replaced"))

    @property
    def throttled_s(self) -> float | None:
        """How long a limit of CPU held processes back."""
        return self.get("throttled_s")

    @property
    def oom_kills(self) -> int | None:
        """How many processes were killed for want of memory."""
        return self._whole("oom_kills")


class ServerUsage(Readings):
    """The older name of :class:`Readings`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRecord:
    """The launch from which a measurement comes.

    ``startup_s`` runs from the launch to the first successful response; ``None`` for a server that ran
    already. ``versions`` maps the distributions installed for the stack to their versions, with
    ``python``; ``packages`` are the ones worth showing. ``config`` holds everything else that is known
    of how the stack runs: ``workers`` and ``threads`` as they are in force, or ``-`` where it is not known.
    ``notes`` say what a reader of its figures should know.
    """

    launcher: str
    startup_s: float | None
    versions: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    config: Mapping[str, str | int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCheck:
    """Whether the database held what it must after the load.

    ``checked`` is false where it could not be looked at; ``faults`` says what was wrong, in words.
    """

    checked: bool
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One round of a cell: the trial, the load asked for, and all that was seen.

    ``schedule`` is that of an open loop. ``records`` is how many the database held when the round began.
    ``machine`` is what the whole machine did during the load; older versions did not look. ``instructions``
    is empty where they were not counted.
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
    """How a result came about; ``None`` is what is not known, or not known yet.

    Text about a result is made from this, and never the other way round.
    """

    launcher: str | None = None
    engine: str | None = None
    """The load generator."""
    loop: Loop | None = None
    users: int | None = None
    amount: Amount | None = None
    """Of one round."""
    records: int | None = None
    """How many the database held when a round began."""
    profile: Profile | None = None
    turns: int | None = None
    """How many parts each round was made in."""
    generators: int | None = None
    """How many processes shared the load."""
    workers: int | str | None = None
    """As they were in force, and so are ``threads``; what was asked for says nothing of a result."""
    threads: int | str | None = None
    network: str | None = None
    """The path from the generator to the server."""
    container_runtime: str | None = None
    base_image: str | None = None
    cpus: str | None = None
    """The limit of a container in words, as that of its ``memory``."""
    memory: str | None = None
    image_bytes: int | None = None
    url: str | None = None
    """Of a server that ran already, without a password."""
    command: str | None = None
    settings: Mapping[str, str | int] = field(default_factory=dict)
    """What the stack states about its own configuration."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What was installed for the stack, with ``python``."""
    machine: Machine | None = None
