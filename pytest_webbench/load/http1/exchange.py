"""One exchange over its own connection, not timed: is the server up, and does it respond as expected?

The bytes are the same as in a load. Nothing is kept from one exchange to the next: no cookie, no
connection.
"""

import errno
import os
import socket
import ssl
import time
from collections.abc import Callable

from pytest_webbench.load import failures
from pytest_webbench.load.failures import TLS
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.response import MalformedError, Response, ResponseReader
from pytest_webbench.load.http1.wire import MAX_RESPONSE, encode
from pytest_webbench.model.http import Request

__all__ = ["NoResponseError", "cause_of_silence", "exchange", "speaks_tls"]

_PIECE = 64 * 2**10
_LOOK_S = 0.1
"""How often to check whether waiting is pointless, in seconds."""
_TLS_TIMEOUT_S = 2.0


class NoResponseError(Exception):
    """No response, for the reason in ``why``; ``late`` if the time allowed has passed.

    ``closed``: the server closed the connection silently; ``malformed``: the bytes it sent are not HTTP/1.1.
    """

    def __init__(
        self, why: str, *, late: bool = False, closed: bool = False, malformed: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.late = late
        self.closed = closed
        self.malformed = malformed


def exchange(
    target: Target,
    request: Request,
    *,
    timeout_s: float,
    keep: int = MAX_RESPONSE,
    in_vain: Callable[[], bool] = lambda: False,
) -> Response:
    """Send ``request`` to ``target`` and return its response, all within ``timeout_s``, connect included.

    Of its body ``keep`` bytes are kept. The wait ends early when ``in_vain``, which is called repeatedly,
    returns true.

    Raises :class:`NoResponseError` if no complete HTTP/1.1 response arrives, and
    :class:`~pytest_webbench.model.errors.LoadError` if the request cannot be sent as it stands. The lookup of
    a host name takes as long as the system's resolver takes.
    """
    wire = encode(request, target)
    clock = _Clock(timeout_s, in_vain)
    try:
        with _connect(target, clock) as sock:
            reader = ResponseReader(is_head=request.method == "HEAD", keep=keep)
            _send(sock, wire, clock)
            _receive(sock, reader, clock)
    except MalformedError as error:
        raise NoResponseError(str(error), malformed=True) from None
    except TimeoutError:
        raise NoResponseError(f"nothing was connected within {round(timeout_s, 1):g} s", late=True) from None
    except OSError as error:
        raise NoResponseError(str(error) or type(error).__name__) from None
    return reader.response()


def cause_of_silence(target: Target, error: NoResponseError) -> str:
    """Return the cause of ``error`` if a try shows that the server speaks TLS; empty if unknown."""
    if not error.closed or not speaks_tls(target, timeout_s=_TLS_TIMEOUT_S):
        return ""
    return TLS


class _Clock:
    """The one deadline of an exchange."""

    def __init__(self, timeout_s: float, in_vain: Callable[[], bool]) -> None:
        self.timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._in_vain = in_vain

    def slice_s(self) -> float:
        """Return how long to wait before the next check; raises :class:`TimeoutError` at the deadline."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, _LOOK_S)

    def left_s(self) -> float:
        """Return the seconds left; raises :class:`TimeoutError` at the deadline."""
        self.slice_s()
        return max(self._deadline - time.monotonic(), 1e-3)

    def look(self) -> None:
        """Raise :class:`NoResponseError` if waiting is pointless, :class:`TimeoutError` at the deadline."""
        if self._in_vain():
            raise NoResponseError("the server has ended")
        self.slice_s()


def _connect(target: Target, clock: _Clock) -> socket.socket:
    """Connect to the first address of ``target`` that accepts a connection."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    failure: OSError = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(clock.left_s())
            sock.connect(address)
            failures.refuse_itself(sock.getsockname(), sock.getpeername())
        except OSError as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def _send(sock: socket.socket, wire: bytes, clock: _Clock) -> None:
    """Send ``wire``; if the server closes before it has read everything, its response is still read."""
    view = memoryview(wire)
    while view:
        try:
            sock.settimeout(clock.slice_s())
            view = view[sock.send(view) :]
        except TimeoutError:
            allowed = f"within {round(clock.timeout_s, 1):g} s"
            _refuse_late(clock, f"the request could not be sent whole {allowed}")
        except (BrokenPipeError, ConnectionResetError):
            return


def _receive(sock: socket.socket, reader: ResponseReader, clock: _Clock) -> None:
    while not reader.done:
        try:
            sock.settimeout(clock.slice_s())
            data = sock.recv(_PIECE)
        except TimeoutError:
            late = failures.timeout(reader.received, round(clock.timeout_s, 1) * 1e9)
            _refuse_late(clock, late.why)
            continue
        except ConnectionResetError as error:
            if reader.received:
                raise
            raise NoResponseError(f"the connection was cut ({error})", closed=True) from None
        if data:
            reader.feed(data)
        elif not reader.feed_end():
            lost = failures.loss(reader.received, None, served=False)
            raise NoResponseError(lost.why, closed=not reader.received)


def _refuse_late(clock: _Clock, what: str) -> None:
    """Raise :class:`NoResponseError` if the deadline has passed, not just the wait between two checks."""
    try:
        clock.look()
    except TimeoutError:
        raise NoResponseError(what, late=True) from None


def speaks_tls(target: Target, *, timeout_s: float) -> bool:
    """Tell whether ``target`` responds to the start of a TLS handshake with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((target.host, target.port), timeout=timeout_s) as sock:
            try:
                with context.wrap_socket(sock, server_hostname=None):
                    return True
            except ssl.SSLError as error:
                # An alert, such as a missing client certificate, is a TLS record as well.
                return "ALERT" in (error.reason or "")
    except OSError:
        return False
