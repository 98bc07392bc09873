"""What of an asyncio loop a precise timer needs, by the loop of gevent."""

from collections.abc import Callable
from typing import Any, Protocol

import gevent

__all__ = ["GeventLoop"]

_READ = 1


class _Handle(Protocol):
    def cancel(self) -> None: ...


class _Watcher:
    """A watcher of gevent that can be cancelled as a handle of asyncio can."""

    def __init__(self, watcher: Any, callback: Callable[[], None]) -> None:
        self._watcher = watcher
        watcher.start(callback)

    def cancel(self) -> None:
        """Call no more."""
        self._watcher.stop()
        self._watcher.close()


class GeventLoop:
    """Calls back from gevent's hub, where nothing may wait; ``crash`` gets what a callback raises."""

    def __init__(self, crash: Callable[[BaseException], None]) -> None:
        self._loop = gevent.get_hub().loop
        self._crash = crash
        self._readers: dict[int, _Watcher] = {}

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever ``descriptor`` can be read."""
        self._readers[descriptor] = _Watcher(self._loop.io(descriptor, _READ), self._guarded(callback))

    def remove_reader(self, descriptor: int) -> None:
        """Take back what :meth:`add_reader` has done."""
        self._readers.pop(descriptor).cancel()

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> _Handle:
        """Call ``callback`` after ``delay_s`` seconds."""
        return _Watcher(self._loop.timer(delay_s), self._guarded(callback))

    def call_soon(self, callback: Callable[[], None]) -> _Handle:
        """Call ``callback`` in the next turn of the loop."""
        return self.call_later(0, callback)

    def _guarded(self, callback: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            try:
                callback()
            except Exception as exc:
                self._crash(exc)

        return call
