"""The machine on which a run was made, and what it was busy with meanwhile."""

from dataclasses import dataclass

__all__ = ["Machine", "MachineUsage"]


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
