"""A timer accurate to some tens of microseconds, where event loops have millisecond resolution."""

import asyncio
import ctypes
import os
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns

__all__ = ["PreciseTimer"]

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_TFD_TIMER_ABSTIME = 1
_ITIMERSPEC = struct.Struct("@llll")
_NS = 1_000_000_000


class PreciseTimer:
    """Calls ``callback`` in ``loop`` at moments of :func:`time.perf_counter_ns`.

    On Linux it uses a timerfd (timerfd_create(2)), whose clock is that of :func:`time.perf_counter_ns`;
    elsewhere the loop's own timers with their milliseconds, early rather than late. So the callback
    must check the clock: it may be called too early, and must then set the timer again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._handle: asyncio.Handle | None = None
        self._descriptor = _timerfd() if sys.platform == "linux" else -1
        if self._descriptor >= 0:
            loop.add_reader(self._descriptor, self._expired)

    def set(self, moment_ns: int) -> None:
        """Call at ``moment_ns``, instead of the moment that was set before."""
        if self._descriptor >= 0:
            seconds, rest = divmod(max(1, moment_ns), _NS)
            value = _ITIMERSPEC.pack(0, 0, seconds, rest)
            _libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, value, None)
            return
        if self._handle is not None:
            self._handle.cancel()
        wait_ms = (moment_ns - perf_counter_ns()) // 1_000_000
        if wait_ms > 0:
            self._handle = self._loop.call_later(wait_ms / 1000, self._callback)
        else:
            self._handle = self._loop.call_soon(self._callback)

    def close(self) -> None:
        """Stop calling. Safe to call again."""
        if self._handle is not None:
            self._handle.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _expired(self) -> None:
        with suppress(BlockingIOError):  # it was set to another moment meanwhile
            os.read(self._descriptor, 8)
            self._callback()


_libc = ctypes.CDLL(None, use_errno=True)


def _timerfd() -> int:
    """Return a timerfd; -1 where there is none. Python has :func:`os.timerfd_create` only from 3.13 on."""
    try:
        return int(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC))
    except AttributeError:
        return -1
