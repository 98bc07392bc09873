"""When the requests of k6's constant arrivals were due."""

from collections.abc import Sequence

__all__ = ["arrival_numbers"]


def arrival_numbers(starts_ns: Sequence[int], period_ns: int, dropped: int) -> list[int]:
    """Which arrival each start belongs to: 0, due at 0, or 1, due at ``period_ns``, and so on.

    ``starts_ns`` are in order. k6 drops an arrival if no user is free, and starts the others in turn, but
    does not say which of them it ``dropped``. If none, all is known. Else each start is given the latest
    arrival that it can belong to, so that no request is taken for later than it was.
    """
    numbers = [0] * len(starts_ns)
    following = len(starts_ns) + dropped
    for index in range(len(starts_ns) - 1, -1, -1):
        # An arrival starts no earlier than it is due, but for the microseconds that reading a clock takes.
        latest = max(index, starts_ns[index] // period_ns)
        following = numbers[index] = min(latest, index + dropped, following - 1)
    return numbers
