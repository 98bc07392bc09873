"""Where a server spends its time: stacks of calls, sampled while it was under load."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.values.plan import Cell
from pytest_webbench.values.summary import Interval

__all__ = ["Attribution", "CodeProfile", "FlameRect", "PartDifference", "PartTime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProfile:
    """The samples of one cell, from a load that was made for them and not timed.

    ``stacks`` maps a stack of calls, its frames from the outermost on and joined by semicolons, to how
    often it was met; each was looked at ``rate_hz`` times a second in all of the server's processes.
    ``why_not`` says why there are none, ``note`` what they lack.

    ``parts`` are those of its :class:`~pytest_webbench.Stack`. ``requests`` were answered rightly meanwhile,
    for which the server used ``cpu_s`` of CPU time. ``cpu_s_per_request`` is that of the timed rounds,
    without a profiler. Both are ``None`` where they are not known.
    """

    cell: Cell
    rate_hz: int
    stacks: Mapping[str, int] = field(default_factory=dict)
    why_not: str = ""
    note: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    requests: int = 0
    cpu_s: float | None = None
    cpu_s_per_request: float | None = None

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(self.stacks.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTime:
    """What one part of a stack takes, such as "ORM".

    ``share`` is that of the samples in which the server worked, with the interval of a binomial proportion;
    ``cpu_ms`` is the same in milliseconds of CPU time for each request, ``None`` where that is not known.
    """

    part: str
    samples: int
    share: Interval
    cpu_ms: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Where the time of a cell goes, the largest part first.

    ``working`` samples were attributed; in ``waiting`` ones the thread only waited, and they are left out.
    """

    working: int
    waiting: int
    parts: tuple[PartTime, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDifference:
    """How much more of a part one cell takes than another: milliseconds of CPU time for each request.

    ``first_ms`` and ``second_ms`` are what each takes, ``more_ms`` the first less the second.
    """

    part: str
    first_ms: float
    second_ms: float
    more_ms: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class FlameRect:
    """A rectangle of a flame graph: calls of one function from one caller.

    ``depth`` counts from 0, the outermost call; ``start`` and ``width`` are shares of all samples in which
    the server worked. ``part`` is that of the function, or of the one that called it.
    """

    depth: int
    start: float
    width: float
    label: str
    part: str
    samples: int
