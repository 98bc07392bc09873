"""Where a server spends its time: stacks of calls, sampled while it was under load."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.values.plan import Cell

__all__ = ["CodeProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeProfile:
    """The samples of one cell, from a load that was made for them and not timed.

    ``stacks`` maps a stack of calls, its frames from the outermost on and joined by semicolons, to how
    often it was met; each was looked at ``rate_hz`` times a second in all of the server's processes.
    ``why_not`` says why there are none.
    """

    cell: Cell
    rate_hz: int
    stacks: Mapping[str, int] = field(default_factory=dict)
    why_not: str = ""

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(self.stacks.values())
