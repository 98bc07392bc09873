"""Two stacks compared: what may differ by how much, and what was found."""

from dataclasses import dataclass
from enum import StrEnum

from pytest_webbench.values.plan import Cell
from pytest_webbench.values.summary import Interval

__all__ = ["Comparison", "Metric", "Threshold", "Verdict"]


class Metric(StrEnum):
    """What is compared, round by round. Less is better in all of them."""

    TIME = "time"
    """Seconds per completed request in a closed loop, the mean response time in an open one."""
    MEAN = "mean"
    """Mean response time, seconds."""
    P50 = "p50"
    P95 = "p95"
    P99 = "p99"
    CPU = "cpu"
    """CPU time of the server's processes for each completed request, seconds."""
    MEMORY = "memory"
    """Peak memory of the server, bytes."""
    ERRORS = "errors"
    """Failed requests of a round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """By how much ``metric`` may grow in the cells that the patterns name.

    ``limit`` is relative (0.1: by ten percent), for errors a number of requests. What grows by less than
    ``floor`` (in the metric's unit) is no regression, however much it is as a ratio.
    """

    metric: Metric
    limit: float
    floor: float = 0.0
    scenario: str = "*"
    stack: str = "*"


class Verdict(StrEnum):
    """What the rounds say of a metric of two stacks."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_CHANGE = "no change"
    """None beyond the threshold: the whole interval lies within it."""
    INCONCLUSIVE = "inconclusive"
    """The interval reaches beyond the threshold, and does not lie beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric of a cell against the same metric of its base, over ``pairs`` of rounds.

    ``base`` and ``head`` are geometric means (errors: sums), ``ratio`` head over base with its interval.
    ``pairs_needed`` says of an inconclusive one about how many pairs would decide it, if that can be
    said; ``smallest_effect`` is the relative growth that this many pairs would have found in four of five
    runs. ``fails`` if its threshold was exceeded. ``why`` says what keeps it from being judged.
    """

    cell: Cell
    base_stack: str
    metric: Metric
    threshold: Threshold
    verdict: Verdict
    base: float
    head: float
    ratio: Interval
    pairs: int
    p_value: float
    pairs_needed: int | None = None
    smallest_effect: float | None = None
    why: str = ""

    @property
    def fails(self) -> bool:
        """Whether its test fails."""
        return self.verdict is Verdict.SLOWER
