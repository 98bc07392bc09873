"""The headers of an answer, where they say how the connection goes on."""

from contextlib import suppress

import httptools

__all__ = ["Head", "coding_of"]


class Head:
    """What the headers of an answer say of its end, read when that matters: when the connection ends.

    The parser of a connection is not asked for headers, because that would make two objects and a
    call for each header of each answer. ``head`` holds the beginning of the answer, with interim
    answers before it.
    """

    def __init__(self, head: bytes) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._coding = b""
        self._version = ""
        self._parser = httptools.HttpResponseParser(self)
        with suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._parser.feed_data(head)
        self._version = self._parser.get_http_version()
        del self._parser

    def on_message_begin(self) -> None:
        """An answer begins; that before was an interim one."""
        self._headers.clear()
        self._coding = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came."""
        self._headers[name.lower()] = value.lower()
        if name.lower() == b"content-encoding":
            self._coding += b"," + value if self._coding else value

    @property
    def has_length(self) -> bool:
        """Whether the answer has an end of its own, and not that of the connection."""
        coding = self._headers.get(b"transfer-encoding", b"")
        return b"content-length" in self._headers or coding.endswith(b"chunked")

    @property
    def keep(self) -> bool:
        """Whether the server keeps the connection, if the answer has no body."""
        tokens = {token.strip() for token in self._headers.get(b"connection", b"").split(b",")}
        return b"keep-alive" in tokens if self._version == "1.0" else b"close" not in tokens

    @property
    def coding(self) -> str:
        """The value of its Content-Encoding; empty without."""
        return self._coding.decode("latin-1")


def coding_of(head: bytes) -> str:
    """The Content-Encoding that ``head`` has, which mostly has none and is not parsed then."""
    return Head(head).coding if b"content-encoding" in head.lower() else ""
