"""The line between the engine and its master: frames over a socket."""

import selectors
import socket
import sys
import time
from collections.abc import Callable

from pytest_webbench.load.native.frames import LENGTH, frame

__all__ = ["Line"]

_LOOK_S = 0.1


class Line:
    """Sends and receives frames until a deadline; ``watch`` is called now and then, and may raise.

    Raises :class:`EOFError` if the other end is gone, and :class:`TimeoutError` at the deadline, which is
    one of :func:`time.monotonic`.
    """

    def __init__(self, sock: socket.socket, watch: Callable[[], None]) -> None:
        self._socket = sock
        self._watch = watch
        sock.setblocking(False)

    def close(self) -> None:
        """Hang up. Safe to call again."""
        self._socket.close()

    def is_open(self) -> bool:
        """Whether the other end is there; it says nothing without being asked."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return not selector.select(0)

    def send(self, payload: bytes, deadline: float) -> None:
        """Send ``payload`` as a frame."""
        view = memoryview(frame(payload))
        while view:
            self._wait(selectors.EVENT_WRITE, deadline)
            try:
                view = view[self._socket.send(view) :]
            except ConnectionError as exc:
                raise EOFError from exc

    def receive(self, deadline: float, *, at_most: int = sys.maxsize) -> bytes:
        """The payload of the next frame. Raises :class:`ValueError` if it has more than ``at_most`` bytes."""
        (length,) = LENGTH.unpack(self._receive(LENGTH.size, deadline))
        if length > at_most:
            raise ValueError(f"a frame of {length} bytes")
        return bytes(self._receive(length, deadline))

    def _receive(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        room = memoryview(data)
        while room:
            self._wait(selectors.EVENT_READ, deadline)
            try:
                count = self._socket.recv_into(room)
            except ConnectionError as exc:
                raise EOFError from exc
            if not count:
                raise EOFError
            room = room[count:]
        return data

    def _wait(self, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, event)
            while not selector.select(min(_LOOK_S, max(0.0, deadline - time.monotonic()))):
                self._watch()
                if time.monotonic() > deadline:
                    raise TimeoutError
