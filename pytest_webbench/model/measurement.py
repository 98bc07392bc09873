"""What one trial gave: of the load, the server and the machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.load import Amount, LoadResult, Schedule
from pytest_webbench.model.plan import Trial

__all__ = ["UNKNOWN", "LaunchRecord", "Machine", "MachineUsage", "Measurement", "ServerUsage", "StateCheck"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is known of a machine; an empty text or ``None`` is not known. Its name is nobody's business.

    ``cores`` are the processors that this run may use, ``system`` is the operating system with the release
    of its kernel, ``governor`` how the clock rate is chosen, ``virtualised`` what hints at a virtual
    machine, ``python`` the one that ran pytest.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUsage:
    """What the server's processes used during a load; ``None`` where it cannot be seen.

    ``cpu_s`` is user and system time of all of them. ``peak_rss_bytes`` sums, over the processes, the
    largest resident set that each had during the load (pages that they share count once for each); for
    a container it is the largest amount that its control group was charged for.
    ``replaced`` says that processes of the server ended or appeared during the load. ``throttled_s`` is
    how long a limit of CPU held processes back, ``oom_kills`` how many were killed for want of memory.
    """

    cpu_s: float | None = None
    peak_rss_bytes: int | None = None
    replaced: bool = False
    throttled_s: float | None = None
    oom_kills: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRecord:
    """The launch from which a measurement comes.

    ``startup_s`` runs from the launch to the first right answer; ``None`` for a server that ran
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
    ``machine`` is what the whole machine did during the load; older versions did not look.
    """

    trial: Trial
    engine: str
    users: int
    amount: Amount
    records: int
    load: LoadResult
    server: ServerUsage
    launch: LaunchRecord
    state: StateCheck
    schedule: Schedule | None = None
    machine: MachineUsage | None = None
