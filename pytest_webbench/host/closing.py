"""Closing what must not be left open, even if Ctrl-C comes in the middle."""

from collections.abc import Callable

__all__ = ["close_despite_interrupt"]


def close_despite_interrupt(close: Callable[[], None]) -> None:
    """Call ``close``, and again if Ctrl-C interrupts it; the interrupt is raised afterwards.

    ``close`` must be safe to call again after an interruption. A second Ctrl-C is raised at once.
    """
    try:
        close()
    except KeyboardInterrupt:
        close()
        raise
