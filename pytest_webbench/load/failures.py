"""What it means that a request got no complete response: decided once, for the check and all engines.

Each says how far the request had come, and what ended it (:class:`Cause`); here that becomes the class for
counting, and the words for a person.
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
    """An error of the connection, such as a reset."""
    ENDED = auto()
    """The connection was closed in order, or refused."""
    EXHAUSTED = auto()
    """The generator's machine has no ports, files or memory left."""
    UNREADABLE = auto()
    """What came is not HTTP/1.1."""


def error_class(cause: Cause, *, connected: bool, begun: bool, served: bool) -> ErrorClass:
    """How a request is counted that ``cause`` ended.

    It had a connection if ``connected``, that had served a request before if ``served``, and the response had
    begun to come if ``begun``.
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
    """A request counted as ``error``, of which no more is known than the ``words`` of another program."""
    return Mismatch(error=error, why=f"{_IN_SHORT[error]} ({words})")


def connect_failure(exc: OSError, *, timeout_s: float) -> Mismatch:
    """What it means that a connect ended with ``exc``; a :class:`TimeoutError` came after ``timeout_s``."""
    if isinstance(exc, TimeoutError):
        return Mismatch(error=ErrorClass.CONNECT_TIMEOUT, why=f"no connection within {timeout_s:g} s")
    cause = Cause.EXHAUSTED if exc.errno in _EXHAUSTED else Cause.ENDED
    error = error_class(cause, connected=False, begun=False, served=False)
    what = "the generator cannot connect" if cause is Cause.EXHAUSTED else "no connection"
    return Mismatch(error=error, why=f"{what}: {_words(exc)}")


def refuse_itself(own_end: object, other_end: object) -> None:
    """Raise :class:`ConnectionRefusedError` if the two ends of a connection are one.

    Where no server listens, the kernel may call from the very port that is called, and TCP then connects the
    socket to itself.
    """
    if own_end == other_end:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")


def loss(received: int, exc: BaseException | None, *, served: bool) -> Mismatch:
    """What it means that the connection ended, by ``exc`` or (``None``) in good order.

    ``received`` bytes of the response had come; the connection had served a request before if ``served``.
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
    """That the response was not there in time, of which ``received`` bytes had come."""
    came = f"{received} bytes of the response, but not all, came" if received else "no response came"
    return Mismatch(error=ErrorClass.RESPONSE_TIMEOUT, why=f"{came} within {waited_ns / 1e9:.3g} s")


def closed_at_rest() -> Mismatch:
    """That the server closed the connection while no request was under way, and one was to be sent."""
    return Mismatch(error=ErrorClass.RESET, why="the connection was closed before the request was sent")


def sent_unasked(data: bytes) -> Mismatch:
    """That the server sent ``data`` while no request was under way."""
    return Mismatch(
        error=ErrorClass.MALFORMED, why=f"bytes came before the request was sent: {excerpt(data)}"
    )


def not_http(what: str, head: bytes) -> Mismatch:
    """That a response that begins with ``head`` cannot be read, for what the parser says."""
    return Mismatch(error=ErrorClass.MALFORMED, why=malformed(what, head))


def surplus(head: bytes, status: int, *, is_head: bool) -> Mismatch:
    """That bytes came after the end of the response that begins with ``head``."""
    return Mismatch(error=ErrorClass.MALFORMED, why=after_the_end(head, status, is_head=is_head))


def too_long_body(size: int) -> Mismatch:
    """That a body has ``size`` bytes, or more, far more than the right one."""
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
    """Why a response that begins with ``head`` cannot be read; ``what`` are the words of the parser."""
    if not head.startswith(_VERSION[: len(head)]):
        return other_protocol(head) or f"the response does not begin with HTTP/, but with {excerpt(head)}"
    return other_protocol(head) or f"{what}; the response begins with {excerpt(head)}"


def other_protocol(head: bytes) -> str:
    """That a server speaks TLS or HTTP/2, if what came begins like that; else nothing."""
    if head.startswith(_TLS_RECORDS):
        return TLS
    return _HTTP2 if _is_http2(head) else ""


def after_the_end(head: bytes, status: int, *, is_head: bool) -> str:
    """Why bytes that came after the end of a response are wrong, of which ``head`` is the beginning."""
    if is_head or status in {204, 304}:
        count = _after_headers(head)
        whose = "a response to HEAD" if is_head else f"a {status}"
        if count:
            return (
                f"{whose} has no body, but {count} bytes followed; the response begins with {excerpt(head)}"
            )
    return f"bytes came after the end of the response; the response begins with {excerpt(head)}"


def too_long_head() -> str:
    """That the headers do not end."""
    return f"the headers are longer than {MAX_HEAD} bytes"


def changed_protocol() -> str:
    """That the server responded with an upgrade, which was not requested."""
    return "the server changed to another protocol"


def _is_http2(head: bytes) -> bool:
    """Whether ``head`` is a frame of SETTINGS or GOAWAY of the whole connection, or the preface of HTTP/2."""
    if head.startswith((b"PRI * HTTP/2", b"HTTP/2")):
        return True
    return len(head) >= 9 and head[3] in {_SETTINGS, _GOAWAY} and head[5:9] == bytes(4) and head[0] == 0


def _after_headers(head: bytes) -> int:
    """How many bytes follow the headers, with those of interim responses left out."""
    while _END in head:
        first, _, head = head.partition(_END)
        if first.split(b" ", 2)[1:2] and first.split(b" ", 2)[1].startswith(b"1"):
            continue
        return len(head)
    return 0
