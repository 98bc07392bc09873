"""What it means that a server sent something else than a response of HTTP/1.1."""

from pytest_webbench.analysis.responses import excerpt
from pytest_webbench.load.http1.bounds import MAX_HEAD

__all__ = ["TLS", "after_the_end", "changed_protocol", "malformed", "other_protocol", "too_long_head"]

_END = b"\r\n\r\n"
_VERSION = b"HTTP/"
_TLS_RECORDS = (b"\x14\x03", b"\x15\x03", b"\x16\x03")
_SETTINGS, _GOAWAY = 4, 7
TLS = "the server speaks TLS (https), which the generator does not: give the address of a port without TLS"
_HTTP2 = "the server answers in HTTP/2: the generator speaks HTTP/1.1, which most servers can speak, too"


def malformed(what: str, head: bytes) -> str:
    """Why a response that begins with ``head`` cannot be read; ``what`` are the words of the parser."""
    if not head.startswith(_VERSION[: len(head)]):
        return other_protocol(head) or f"the response does not begin with HTTP/, but with {excerpt(head)}"
    return other_protocol(head) or f"{what}; the answer begins with {excerpt(head)}"


def other_protocol(head: bytes) -> str:
    """That a server speaks TLS or HTTP/2, if what came begins like that; else nothing."""
    if head.startswith(_TLS_RECORDS):
        return TLS
    return _HTTP2 if _is_http2(head) else ""


def after_the_end(head: bytes, status: int, *, is_head: bool) -> str:
    """Why bytes that came after the end of a response are wrong, of which ``head`` is the beginning."""
    if is_head or status in {204, 304}:
        count = _after_headers(head)
        whose = "an answer to HEAD" if is_head else f"a {status}"
        if count:
            return f"{whose} has no body, but {count} bytes followed; the answer begins with {excerpt(head)}"
    return f"bytes came after the end of the answer; the answer begins with {excerpt(head)}"


def too_long_head() -> str:
    """That the headers do not end."""
    return f"the headers are longer than {MAX_HEAD} bytes"


def changed_protocol() -> str:
    """That the server has answered with an upgrade, which nobody asked for."""
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
