"""How a request without a complete response is classified: defined once, for the check and all engines.

The callers report how far the request got and what ended it (:class:`Cause`); this module turns that into the
class for counting and the text for a person.
"""

import errno
import os
from enum import Enum, auto

from pytest_webbench.analysis.responses import Mismatch, excerpt
from pytest_webbench.load.http1.wire import MAX_HEAD
from pytest_webbench.model.load import ErrorClass

__all__ = [
    "TLS",
    "Cause",
    "after_the_end",
    "changed_protocol",
    "closed_at_rest",
    "connect_failure",
    "error_class",
    "in_short",
    "loss",
    "malformed",
    "not_http",
    "other_protocol",
    "refuse_itself",
    "sent_unasked",
    "surplus",
    "timeout",
    "too_long_body",
    "too_long_head",
]

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}


_IN_SHORT = {
    ErrorClass.CONNECT_REFUSED: "no connection",
    ErrorClass.CONNECT_TIMEOUT: "no connection within the timeout",
    ErrorClass.CLIENT_EXHAUSTED: "the generator cannot connect",
    ErrorClass.RESET: "the connection ended without a response",
    ErrorClass.STALE_CONNECTION: "the connection ended without a response, after it had served before",
    ErrorClass.RESPONSE_TIMEOUT: "no complete response within the timeout",
    ErrorClass.TRUNCATED: "the connection ended in the middle of the response",
    ErrorClass.MALFORMED: "the response cannot be read",
}


class Cause(Enum):
    """What ended a request."""

    TIMED_OUT = auto()
    CUT = auto()
    """A connection error, such as a reset."""
    ENDED = auto()
    """An orderly close, or a refused connection."""
    EXHAUSTED = auto()
    """The generator's machine has no ports, files or memory left."""
    UNREADABLE = auto()
    """The bytes received are not HTTP/1.1."""


def error_class(cause: Cause, *, connected: bool, begun: bool, served: bool) -> ErrorClass:
    """Return the class under which a request that ``cause`` ended is counted.

    ``connected``: it had a connection; ``served``: that connection had served an earlier request; ``begun``:
    part of the response had arrived.
    """
    if not connected:
        late = ErrorClass.CONNECT_TIMEOUT if cause is Cause.TIMED_OUT else ErrorClass.CONNECT_REFUSED
        return ErrorClass.CLIENT_EXHAUSTED if cause is Cause.EXHAUSTED else late
    if cause is Cause.TIMED_OUT:
        return ErrorClass.RESPONSE_TIMEOUT
    if begun:
        return ErrorClass.MALFORMED if cause is Cause.UNREADABLE else ErrorClass.TRUNCATED
    return ErrorClass.STALE_CONNECTION if served and cause is not Cause.CUT else ErrorClass.RESET


def in_short(error: ErrorClass, words: str) -> Mismatch:
    """Return the fault of a request counted as ``error``, given only another program's ``words``."""
    return Mismatch(error=error, why=f"{_IN_SHORT[error]} ({words})")


def connect_failure(exc: OSError, *, timeout_s: float) -> Mismatch:
    """Return the fault of a connect that ended with ``exc``.

    A :class:`TimeoutError` came after ``timeout_s``.
    """
    if isinstance(exc, TimeoutError):
        return Mismatch(error=ErrorClass.CONNECT_TIMEOUT, why=f"no connection within {timeout_s:g} s")
    cause = Cause.EXHAUSTED if exc.errno in _EXHAUSTED else Cause.ENDED
    error = error_class(cause, connected=False, begun=False, served=False)
    what = "the generator cannot connect" if cause is Cause.EXHAUSTED else "no connection"
    return Mismatch(error=error, why=f"{what}: {_words(exc)}")


def refuse_itself(own_end: object, other_end: object) -> None:
    """Raise :class:`ConnectionRefusedError` if both ends of a connection are the same.

    Where no server listens, the kernel may choose the very port that is called as the source port, and TCP
    then connects the socket to itself.
    """
    if own_end == other_end:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")


def loss(received: int, exc: BaseException | None, *, served: bool) -> Mismatch:
    """Return the fault of a request whose connection ended, by ``exc`` or (``None``) in an orderly way.

    ``received`` bytes of the response had arrived; ``served``: the connection had served an earlier request.
    """
    cut = isinstance(exc, OSError) and not isinstance(exc, BrokenPipeError)
    cause = Cause.CUT if cut else Cause.ENDED
    error = error_class(cause, connected=True, begun=received > 0, served=served)
    if received:
        why = f"the connection ended after {received} bytes of the response"
    elif isinstance(exc, OSError) and cut:
        why = f"the connection was cut ({_words(exc)})"
    else:
        why = "the connection was closed without a response"
    if error is ErrorClass.STALE_CONNECTION:
        why += ", after it had served before"
    return Mismatch(error=error, why=why)


def timeout(received: int, waited_ns: float) -> Mismatch:
    """Return the fault of a response that timed out after ``received`` bytes."""
    came = f"{received} bytes of the response, but not all, came" if received else "no response came"
    return Mismatch(error=ErrorClass.RESPONSE_TIMEOUT, why=f"{came} within {waited_ns / 1e9:.3g} s")


def closed_at_rest() -> Mismatch:
    """Return the fault of a connection that the server closed before the next request could be sent."""
    return Mismatch(error=ErrorClass.RESET, why="the connection was closed before the request was sent")


def sent_unasked(data: bytes) -> Mismatch:
    """Return the fault of a server that sent ``data`` while no request was under way."""
    return Mismatch(
        error=ErrorClass.MALFORMED, why=f"bytes came before the request was sent: {excerpt(data)}"
    )


def not_http(what: str, head: bytes) -> Mismatch:
    """Return the fault of a response that begins with ``head`` and that the parser rejects with ``what``."""
    return Mismatch(error=ErrorClass.MALFORMED, why=malformed(what, head))


def surplus(head: bytes, status: int, *, is_head: bool) -> Mismatch:
    """Return the fault of bytes after the end of the response that begins with ``head``."""
    return Mismatch(error=ErrorClass.MALFORMED, why=after_the_end(head, status, is_head=is_head))


def too_long_body(size: int) -> Mismatch:
    """Return the fault of a body of ``size`` bytes or more, far more than expected."""
    return Mismatch(
        error=ErrorClass.WRONG_BODY, why=f"the body has {size} bytes or more, far more than expected"
    )


def _words(exc: OSError) -> str:
    return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc)


_END = b"\r\n\r\n"
_VERSION = b"HTTP/"
_TLS_RECORDS = (b"\x14\x03", b"\x15\x03", b"\x16\x03")
_SETTINGS, _GOAWAY = 4, 7
TLS = "the server speaks TLS (https), which the generator does not: give the address of a port without TLS"
_HTTP2 = "the server speaks HTTP/2; the load generator speaks HTTP/1.1, which most servers support as well"


def malformed(what: str, head: bytes) -> str:
    """Return why a response that begins with ``head`` cannot be read; ``what`` is the parser's message."""
    if not head.startswith(_VERSION[: len(head)]):
        return other_protocol(head) or f"the response does not begin with HTTP/, but with {excerpt(head)}"
    return other_protocol(head) or f"{what}; the response begins with {excerpt(head)}"


def other_protocol(head: bytes) -> str:
    """Return a message if ``head`` looks like TLS or HTTP/2; else an empty string."""
    if head.startswith(_TLS_RECORDS):
        return TLS
    return _HTTP2 if _is_http2(head) else ""


def after_the_end(head: bytes, status: int, *, is_head: bool) -> str:
    """Return why the bytes after the end of a response that begins with ``head`` are wrong."""
    if is_head or status in {204, 304}:
        count = _after_headers(head)
        whose = "a response to HEAD" if is_head else f"a {status}"
        if count:
            return (
                f"{whose} has no body, but {count} bytes followed; the response begins with {excerpt(head)}"
            )
    return f"bytes came after the end of the response; the response begins with {excerpt(head)}"


def too_long_head() -> str:
    """Return the message for headers that are longer than allowed."""
    return f"the headers are longer than {MAX_HEAD} bytes"


def changed_protocol() -> str:
    """Return the message for a protocol upgrade that was not requested."""
    return "the server changed to another protocol"


def _is_http2(head: bytes) -> bool:
    """Tell whether ``head`` is a SETTINGS or GOAWAY frame of the whole connection, or the HTTP/2 preface."""
    if head.startswith((b"PRI * HTTP/2", b"HTTP/2")):
        return True
    return len(head) >= 9 and head[3] in {_SETTINGS, _GOAWAY} and head[5:9] == bytes(4) and head[0] == 0


def _after_headers(head: bytes) -> int:
    """Return how many bytes follow the headers, skipping interim responses."""
    while _END in head:
        first, _, head = head.partition(_END)
        if first.split(b" ", 2)[1:2] and first.split(b" ", 2)[1].startswith(b"1"):
            continue
        return len(head)
    return 0
