"""How a result came about: all that has to be the same for two of them to be compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.load import Amount, Loop
from pytest_webbench.model.measurement import Machine
from pytest_webbench.model.plan import Profile

__all__ = ["Provenance"]


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
    versions: Mapping[str, str] = field(default_factory=dict)
    """What was installed for the stack, with ``python``."""
    machine: Machine | None = None
