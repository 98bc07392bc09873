"""The guard against a machine on which others are at work, too."""

from collections.abc import Callable

__all__ = ["ATTEMPTS", "attempted"]

ATTEMPTS = 3


def attempted(measure: Callable[[], tuple[object, object]]) -> tuple[object, object]:
    """What ``measure()`` returns, what was seen and what was expected, as soon as the two are equal.

    It is called three times at most. With other processes ready to run on every core, a server or a
    generator that wakes up waits for its turn, now and then for tens of milliseconds, and some of that is in
    no log: it is the one known cause why a right engine misses a bound. A wrong engine misses it each time.
    What no noise can change is asserted within ``measure``.
    """
    for _ in range(ATTEMPTS):
        seen, expected = measure()
        if seen == expected:
            break
    return seen, expected
