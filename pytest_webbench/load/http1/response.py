"""Reads a response, not timed."""

from contextlib import suppress
from dataclasses import dataclass

import httptools

from pytest_webbench.load.failures import after_the_end, changed_protocol, malformed, too_long_head
from pytest_webbench.load.http1.coding import CodingError, decode, excerpt_of
from pytest_webbench.load.http1.wire import MAX_HEAD, MAX_RESPONSE

__all__ = ["Head", "MalformedError", "Response", "ResponseReader", "coding_of"]


class MalformedError(Exception):
    """The bytes received are not an HTTP/1.1 response; the message is for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response: ``body`` as it was sent, up to the number of its ``size`` bytes that was to be kept.

    ``complete`` is false if it exceeds the size limit of responses.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    size: int = 0
    complete: bool = True

    @property
    def coding(self) -> str:
        """The value of its Content-Encoding; empty without."""
        return ",".join(value for name, value in self.headers if name.lower() == "content-encoding")

    @property
    def readable(self) -> bytes:
        """The beginning of the body in readable form."""
        return excerpt_of(self.body, self.coding)

    def decoded(self, most: int = MAX_RESPONSE) -> bytes:
        """Return the body without its Content-Encoding.

        Raises :class:`~pytest_webbench.load.http1.coding.CodingError` if it is too long or cannot be decoded.
        """
        if self.size > len(self.body) or not self.complete:
            raise CodingError(f"the body has {self.size} bytes or more, too many to be read")
        return decode(self.body, self.coding, most=most) if self.coding and self.body else self.body


class ResponseReader:
    """Takes the bytes of a connection until a response is complete, within the bounds of all responses.

    At least ``keep`` bytes of the body are kept.
    """

    def __init__(self, *, is_head: bool, keep: int) -> None:
        self._is_head = is_head
        self._keep = keep
        self._parser = httptools.HttpResponseParser(self)
        self._begun = b""
        self._headed = self._surplus = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []
        self._kept = 0
        self._body_size = 0
        self.received = 0
        """How many bytes have arrived."""
        self.done = False
        """Whether the response is complete or exceeds the size limit."""
        self.keeps = True
        """Whether the server keeps the connection open; assumed for a response to HEAD."""

    def feed(self, data: bytes) -> None:
        """Parse ``data``. Raises :class:`MalformedError`."""
        room = len(data) if self._headed else MAX_HEAD - self.received
        self.received += len(data)
        self._begun += data[: max(0, MAX_HEAD - len(self._begun))]
        try:
            self._parser.feed_data(data[:room])
            if len(data) > room:
                if not self._headed:
                    raise MalformedError(malformed(too_long_head(), self._begun))
                self._parser.feed_data(data[room:])
        except httptools.HttpParserUpgrade:
            why = changed_protocol()
            raise MalformedError(malformed(why, self._begun)) from None
        except httptools.HttpParserError as exc:
            self._surplus = self._surplus or self.done
            if not self._surplus:
                raise MalformedError(malformed(str(exc), self._begun)) from None
        if self._surplus:
            raise MalformedError(after_the_end(self._begun, self._status, is_head=self._is_head))
        if self.done:
            self._check_version()
        self.done = self.done or self.received > MAX_RESPONSE

    def feed_end(self) -> bool:
        """Handle the end of the connection; return whether it is the end of the response, too."""
        if self._headed and not self.done and not Head(self._begun).has_length:
            self._check_version()
            self.done = self._parser.should_keep_alive() is False
        return self.done

    def response(self) -> Response:
        """Return the response, once it is :attr:`done`."""
        return Response(
            status=self._status,
            headers=tuple(self._headers),
            body=b"".join(self._parts),
            size=self._body_size,
            complete=self.received <= MAX_RESPONSE,
        )

    def _check_version(self) -> None:
        version = self._parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise MalformedError(malformed(f"it is HTTP/{version}", self._begun))

    # Called by the parser.

    def on_message_begin(self) -> None:
        """Start a response."""
        self._surplus = self._surplus or self.done
        if not self.done:
            self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header, or a trailer of a chunked body."""
        if not self._headed:
            self._headers.append((name.decode("latin-1"), value.decode("utf-8", "replace")))

    def on_headers_complete(self) -> None:
        """Handle the end of the headers; interim responses are skipped."""
        status = self._parser.get_status_code()
        if self.done or 100 <= status < 200:
            return
        self._status = status
        self._headed = True
        self.keeps = self._is_head or self._parser.should_keep_alive()
        self.done = self._is_head  # the parser would wait for the body that the headers announce

    def on_chunk_header(self) -> None:
        """Handle the start of a chunk."""
        self._surplus = self._surplus or self.done

    def on_body(self, piece: bytes) -> None:
        """Handle a piece of a body."""
        if self.done:
            self._surplus = True
            return
        if self._kept < self._keep:
            self._parts.append(piece)
            self._kept += len(piece)
        self._body_size += len(piece)

    def on_message_complete(self) -> None:
        """Handle the end of a response."""
        self.done = self.done or self._headed


class Head:
    """The end of a response according to its headers, parsed only when needed: when the connection ends.

    A connection's own parser has no callback for headers, which would cost two objects and a call per header
    of each response. ``head`` holds the beginning of the response, with interim responses before it.
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
        """Start a response; any earlier one was interim."""
        self._headers.clear()
        self._coding = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Handle a header."""
        self._headers[name.lower()] = value.lower()
        if name.lower() == b"content-encoding":
            self._coding += b"," + value if self._coding else value

    @property
    def has_length(self) -> bool:
        """Whether the response has its own end, and not that of the connection."""
        coding = self._headers.get(b"transfer-encoding", b"")
        return b"content-length" in self._headers or coding.endswith(b"chunked")

    @property
    def keep(self) -> bool:
        """Whether the server keeps the connection open, if the response has no body."""
        tokens = {token.strip() for token in self._headers.get(b"connection", b"").split(b",")}
        return b"keep-alive" in tokens if self._version == "1.0" else b"close" not in tokens

    @property
    def coding(self) -> str:
        """The value of its Content-Encoding; empty without."""
        return self._coding.decode("latin-1")


def coding_of(head: bytes) -> str:
    """Return the Content-Encoding in ``head``; most have none, and are not parsed."""
    return Head(head).coding if b"content-encoding" in head.lower() else ""
