"""Ctrl-C and SIGTERM: the first ends the run, the next one waits until what runs is taken down."""

import signal
import sys
import threading
from types import FrameType
from typing import Any

__all__ = ["Interrupts"]

NUMBERS = (signal.SIGINT, signal.SIGTERM)
INSISTING = 3
"""The signal, counted from the first, that cuts the clean-up short: an engine may hang."""


class Interrupts:
    """Has both signals end the run in one way, and keeps impatience from leaving containers behind.

    A second signal that came while the first one's clean-up is under way would break it off, wherever
    it stands. So it is answered in words alone; the third one goes through.
    """

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[signal.Signals, Any] = {}

    def install(self) -> None:
        """Begin; without effect outside of the main thread, where Python takes no signals."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in NUMBERS}

    def remove(self) -> None:
        """Put back what was there."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def check(self) -> None:
        """Raise :class:`KeyboardInterrupt` if a signal has come, for what it raised may have been lost.

        Python drops what is raised while it finalises an object or calls back from its collector, and says
        so to a hook that pytest keeps silent.
        """
        if self._count:
            raise KeyboardInterrupt("the run was asked to end")

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._count += 1
        if self._count == 1 or self._count >= INSISTING:
            raise KeyboardInterrupt(f"ended by {signal.Signals(number).name}")
        sys.__stderr__.write("\nwebbench: taking down what runs; once more leaves it behind\n")  # type: ignore[union-attr]
