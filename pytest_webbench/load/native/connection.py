"""A user's kept-alive HTTP/1.1 connection: sends a request, times and checks the response, and repeats."""

import asyncio
from os import write
from time import perf_counter_ns
from typing import Protocol, cast

import httptools

from pytest_webbench.analysis.responses import Mismatch, judge
from pytest_webbench.load import failures
from pytest_webbench.load.failures import changed_protocol, too_long_head
from pytest_webbench.load.http1.judging import PreparedRequests
from pytest_webbench.load.http1.response import Head, coding_of
from pytest_webbench.load.http1.wire import MAX_HEAD, MAX_RESPONSE
from pytest_webbench.load.tally import Tally

__all__ = ["Connection", "Owner"]

_ENDS = ("sockname", "peername")


class Owner(Protocol):
    """The owner of a connection, notified of its beginning and its end."""

    def connection_opened(self) -> None:
        """Handle an established connection."""

    def connection_rested(self, now: int) -> None:
        """Handle a connection with nothing left to send; it stays open."""

    def connection_ended(self, now: int, *, served: bool, failed: bool) -> None:
        """Handle a connection that sends no more: the server closed it, or it failed."""

    def connection_closed(self) -> None:
        """Handle a connection that no longer holds a socket."""


class Connection(asyncio.Protocol):
    """Takes requests from the tally and carries out each, for as long as the connection works.

    The work of a request is done in two callbacks: :meth:`data_received` gets the end of a response,
    and from there :meth:`ask` hands the next request to the kernel, without waiting for another pass of the
    event loop.
    """

    __slots__ = (
        "_add_latency",
        "_add_ttfb",
        "_all",
        "_body_size",
        "_buffered",
        "_count",
        "_descriptor",
        "_done",
        "_ended",
        "_first_ns",
        "_head",
        "_headed",
        "_keep",
        "_number",
        "_owner",
        "_parser",
        "_parts",
        "_prepared",
        "_prepared_requests",
        "_received",
        "_served",
        "_size",
        "_status",
        "_surplus",
        "_tally",
        "_transport",
        "gone",
        "sent_ns",
    )

    def __init__(self, prepared_requests: PreparedRequests, tally: Tally, owner: Owner) -> None:
        self._transport: asyncio.Transport | None = None
        self._descriptor = -1
        self._prepared_requests = prepared_requests
        self._all = prepared_requests.all
        self._count = len(prepared_requests.all)
        self._tally = tally
        self._add_latency = tally.latency_ns.append
        self._add_ttfb = tally.ttfb_ns.append
        self._owner = owner
        self._parser = httptools.HttpResponseParser(self)
        self._served = False
        self._ended = False
        self._buffered = False
        self._received = 0
        self._number = 0
        self._prepared = prepared_requests.all[0]
        self._first_ns = 0
        self.sent_ns = 0
        """When the request under way was sent; 0 if there is none."""
        self.gone: Mismatch | None = None
        """Why no more requests can be sent, if that was found while none was under way."""
        self._expect_answer()

    def _expect_answer(self) -> None:
        """Forget the previous response: the next one begins."""
        self._head = b""
        self._headed = False
        self._status = 0
        self._keep = True
        self._parts: list[bytes] = []
        self._body_size = 0
        self._size = 0
        self._done = False
        self._surplus = False

    # Called by the owner of the connection.

    def ask(self, now: int) -> None:
        """Take the next request and send it; end if none is left."""
        tally = self._tally
        number = tally.sent
        if number >= tally.limit:
            self.sent_ns = 0
            self._owner.connection_rested(now)
            return
        tally.sent = number + 1
        self._number = number
        self._prepared = prepared = self._all[number % self._count]
        wire = prepared.wire
        self._first_ns = 0
        self.sent_ns = perf_counter_ns()
        if self._buffered and self._write_behind(wire):
            return
        try:
            # Not transport.write: uvloop would send at the end of this pass of the loop, after the
            # responses of the other users have been handled, and all of that would be latency.
            sent = write(self._descriptor, wire)
        except BlockingIOError:
            sent = 0
        except OSError as exc:
            self._fail(self._loss(exc), perf_counter_ns())
            return
        if sent != len(wire) and self._transport is not None:
            self._buffered = True
            self._transport.write(wire[sent:])

    def _write_behind(self, wire: bytes) -> bool:
        """Send ``wire`` after the rest of the previous request, if the server has not read all of that."""
        if self._transport is None or not self._transport.get_write_buffer_size():
            return False
        self._transport.write(wire)
        return True

    def refuse_itself(self) -> None:
        """Raise :class:`ConnectionRefusedError` if both ends of the connection are the same."""
        if self._transport is not None:
            failures.refuse_itself(*(self._transport.get_extra_info(end) for end in _ENDS))

    def abandon(self) -> None:
        """Give up the connect; uvloop does not notify a connection that was already established."""
        if self._transport is not None:
            self.connection_lost(None)

    @property
    def served(self) -> bool:
        """Whether a response has arrived on it."""
        return self._served

    @property
    def port(self) -> int | None:
        """Its local port; ``None`` if it is closed."""
        return None if self._transport is None else int(self._transport.get_extra_info("sockname")[1])

    def time_out(self, now: int) -> None:
        """Time out the request under way."""
        self._fail(failures.timeout(self._size if self._first_ns else 0, now - self.sent_ns), now)

    def stop(self, now: int) -> None:
        """Close the connection; a request under way counts as in flight."""
        if self.sent_ns:
            self._tally.leave_open(self._number, now - self.sent_ns)
        self._close()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport of the new connection."""
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop does not inherit from it
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._owner.connection_opened()

    def data_received(self, data: bytes) -> None:
        """Handle bytes of a response."""
        now = perf_counter_ns()
        self._received += len(data)
        if not self._first_ns:
            sent_ns = self.sent_ns
            if not sent_ns:
                self.gone = self.gone or failures.sent_unasked(data)
                return
            if data == self._prepared.right_bytes:
                self._count_right(now - sent_ns, now - sent_ns)
                self._served = True
                self.ask(now)
                return
            self._first_ns = now
        self._parse(data, now)

    def eof_received(self) -> None:
        """Handle the end of the server's data."""
        self._peer_closed(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the closing of the socket."""
        self._peer_closed(exc)
        if self._transport is not None:
            self._transport = None
            self._owner.connection_closed()

    # Called by the parser. These only detect what goes wrong late in a piece of data; the
    # response is handled when the whole piece has been parsed.

    def on_message_begin(self) -> None:
        """Start a response."""
        if self._done:
            self._surplus = True

    def on_headers_complete(self) -> None:
        """Handle the end of the headers."""
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self._status = status
        self._keep = self._parser.should_keep_alive()
        self._headed = True
        if self._prepared.is_head:
            self._done = True  # the parser would wait for the body that the headers announce

    def on_chunk_header(self) -> None:
        """Handle the start of a chunk."""
        if self._done:
            self._surplus = True

    def on_body(self, piece: bytes) -> None:
        """Handle a piece of a body."""
        if self._done:
            self._surplus = True
            return
        if self._body_size < self._prepared.kept:
            self._parts.append(piece)
        self._body_size += len(piece)

    def on_message_complete(self) -> None:
        """Handle the end of a response."""
        if self._headed:
            self._done = True

    # A response, from its first piece to its check.

    def _parse(self, data: bytes, now: int) -> None:
        """Parse more of the response under way."""
        self._size += len(data)
        try:
            if not self._headed and self._size > MAX_HEAD:
                data = self._parse_head(data)
            elif not self._headed:
                self._head += data
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(self._malformed(changed_protocol()), now)
        except httptools.HttpParserError as exc:
            self._fail(self._after_the_end() if self._done else self._malformed(str(exc)), now)
        else:
            if self._surplus:
                self._fail(self._after_the_end(), now)
            elif self._done:
                self._answered(now, data if self._size == len(data) else None)
            elif self._size > (MAX_RESPONSE if self._headed else MAX_HEAD):
                self._fail(self._too_long(), now)

    def _parse_head(self, data: bytes) -> bytes:
        """Parse as much of ``data`` as may still be headers, and return the rest."""
        room = MAX_HEAD - (self._size - len(data))
        self._head += data[:room]
        self._parser.feed_data(data[:room])
        if not self._headed:
            raise httptools.HttpParserError(too_long_head())
        return data[room:]

    def _answered(self, now: int, whole: bytes | None) -> None:
        """Handle a complete response; ``whole`` holds it if it came in one piece."""
        keep = self._keep
        if not keep:
            version = self._parser.get_http_version()
            if version not in {"1.0", "1.1"}:
                self._fail(self._malformed(f"it is HTTP/{version}"), now)
                return
        if self._prepared.is_head:
            keep = Head(self._head).keep
            self._parser = httptools.HttpResponseParser(self)
        fault = self._judge(whole if keep else None)
        if fault is None:
            self._count_right(now - self.sent_ns, self._first_ns - self.sent_ns)
        else:
            self._tally.fail(self._number, self._prepared.exchange.request, fault, now - self.sent_ns)
        self._served = True
        if keep:
            self._expect_answer()
            self.ask(now)
        else:
            self._end(now, failed=False)

    def _count_right(self, took_ns: int, ttfb_ns: int) -> None:
        """Count a successful response."""
        try:
            self._add_latency(took_ns)
            self._add_ttfb(ttfb_ns)
        except OverflowError:  # the first of the two has raised it: it is not the shorter one
            self._tally.add_long(took_ns, ttfb_ns)

    def _judge(self, whole: bytes | None) -> Mismatch | None:
        """Return what is wrong with the response; a successful one is remembered."""
        prepared = self._prepared
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        coding = coding_of(self._head)
        return self._prepared_requests.judge(
            prepared, self._status, body, size=self._body_size, coding=coding, whole=whole
        )

    # The ends of a request and of the connection.

    def _peer_closed(self, exc: Exception | None) -> None:
        """Handle a connection that the server has closed, or that was cut."""
        if self._ended:
            return
        now = perf_counter_ns()
        if not self.sent_ns:
            self.gone = self.gone or failures.closed_at_rest()
            self._close()
        elif exc is None and self._headed and not self._keep and not Head(self._head).has_length:
            self._answered(now, None)
        else:
            self._fail(self._loss(exc), now)

    def _fail(self, fault: Mismatch, now: int) -> None:
        """End the request under way with ``fault``, and the connection with it."""
        self._tally.fail(self._number, self._prepared.exchange.request, fault, now - self.sent_ns)
        self._end(now, failed=True)

    def _end(self, now: int, *, failed: bool) -> None:
        self._close()
        self._owner.connection_ended(now, served=self._served, failed=failed)

    def _close(self) -> None:
        if self._ended:
            return
        self._ended = True
        self.sent_ns = 0
        self._tally.bytes_received += self._received
        # The parser holds this connection: without the collector the two would live on together.
        del self._parser
        if self._transport is not None:
            self._transport.abort()

    # How failures are classified.

    def _loss(self, exc: Exception | None) -> Mismatch:
        return failures.loss(self._size if self._first_ns else 0, exc, served=self._served)

    def _malformed(self, what: str) -> Mismatch:
        return failures.not_http(what, self._head)

    def _after_the_end(self) -> Mismatch:
        return failures.surplus(self._head, self._status, is_head=self._prepared.is_head)

    def _too_long(self) -> Mismatch:
        if not self._headed:
            return self._malformed(too_long_head())
        prepared = self._prepared
        if self._status != prepared.exchange.answer.status:
            body = b"".join(self._parts)
            return judge(prepared.exchange.answer, self._status, body) or self._malformed("too long")
        return failures.too_long_body(self._body_size)
