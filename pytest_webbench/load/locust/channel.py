"""One kept-alive HTTP/1.1 connection of a Locust user: a gevent socket, and geventhttpclient's parser.

Locust's own sessions are not used, nor the ``HTTPClient`` beneath them: it sends a request again when a
connection is closed without an answer, and opens another connection in place of one that was closed,
without a word of either. Here nothing is sent twice, and every loss is counted.
"""

import errno
import os
from time import perf_counter_ns
from typing import NamedTuple

from gevent import socket
from geventhttpclient.response import HTTPParseError, HTTPResponse

from pytest_webbench.analysis.responses import Fault, excerpt, judge
from pytest_webbench.load.http1.bounds import MAX_HEAD, MAX_RESPONSE
from pytest_webbench.load.http1.head import coding_of
from pytest_webbench.load.http1.words import after_the_end, changed_protocol, malformed, too_long_head
from pytest_webbench.load.native.connection import Question, Questions
from pytest_webbench.load.native.users import connect_fault
from pytest_webbench.load.tally import Tally
from pytest_webbench.model.load import ErrorClass

__all__ = ["Address", "Channel", "Ending", "connect"]

_PIECE = 64 * 2**10
_SWITCHING_PROTOCOLS = 101


class Address(NamedTuple):
    """Where to connect to."""

    family: int
    host: str
    port: int


class Ending(NamedTuple):
    """How a request ended: ``None`` for a right answer; the moments are of ``perf_counter_ns``."""

    fault: Fault | None
    first_ns: int
    end_ns: int
    answered: bool = False
    """Whether an answer came, right or wrong."""
    keep: bool = False
    """Whether the connection can be asked again."""


def connect(addresses: list[Address], timeout_s: float) -> socket.socket | Fault:
    """A connection to the first of ``addresses`` that answers, or why there is none.

    The others are forgotten then. ``timeout_s`` bounds all attempts together.
    """
    deadline_ns = perf_counter_ns() + int(timeout_s * 1e9)
    fault = _late(timeout_s)
    for address in list(addresses):
        left_s = (deadline_ns - perf_counter_ns()) / 1e9
        if left_s <= 0:
            return _late(timeout_s)
        try:
            sock = _connect(address, left_s)
        except TimeoutError:
            fault = _late(timeout_s)
        except OSError as exc:
            fault = connect_fault(exc)
        else:
            addresses[:] = [address]
            return sock
    return fault


def _connect(address: Address, timeout_s: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_s)
        sock.connect((address.host, address.port))
        _refuse_itself(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _refuse_itself(sock: socket.socket) -> None:
    """Where no server listens, the kernel may call from the very port that is called: no connection."""
    if sock.getsockname() == sock.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "connected to itself")


def _late(timeout_s: float) -> Fault:
    return Fault(error=ErrorClass.CONNECT_TIMEOUT, why=f"no connection within {timeout_s:g} s")


class _Answer(HTTPResponse):
    """An answer while it comes. Its headers are not kept: llhttp, which parses it, heeds them."""

    def __init__(self, question: Question) -> None:
        super().__init__(method=question.exchange.request.method)
        self.question = question
        self.size = 0
        self.beginning = b""
        self.headed = False
        self.done = False
        self.keep = False
        self.surplus = False
        self.body = bytearray()
        self.body_size = 0

    def take(self, data: bytes) -> Fault | None:
        """Go on with ``data``; what is wrong with the answer so far."""
        room = len(data) if self.headed else MAX_HEAD - self.size
        self.size += len(data)
        if not self.headed:
            self.beginning += data[: MAX_HEAD - len(self.beginning)]
        try:
            if room:  # an empty piece is the end of the connection
                self.feed(data[:room])
            if len(data) > room:
                if not self.headed:
                    return self.malformed(too_long_head())
                self.feed(data[room:])
        except HTTPParseError as exc:
            if not self.done:
                return self.malformed(self._words_of(exc))
            self.surplus = True
        if self.surplus:
            why = after_the_end(self.beginning, self.get_code(), is_head=self.question.is_head)
            return Fault(error=ErrorClass.MALFORMED, why=why)
        if not self.done and self.size > MAX_RESPONSE:
            return self.too_long()
        return None

    def take_end(self) -> bool:
        """The connection ended: whether that is the end of the answer, too."""
        try:
            self.feed(b"")
        except HTTPParseError:
            return False
        return self.done

    def judge(self, questions: Questions, whole: bytes | None) -> Fault | None:
        """What is wrong with the answer, now that it is complete."""
        version = self.get_http_version()
        if version not in {"HTTP/1.0", "HTTP/1.1"}:
            return self.malformed(f"it is {version}")
        coding = coding_of(self.beginning)
        body = bytes(self.body)
        return questions.judge(
            self.question, self.get_code(), body, size=self.body_size, coding=coding, whole=whole
        )

    def malformed(self, what: str) -> Fault:
        """That what came is not HTTP/1.1."""
        return Fault(error=ErrorClass.MALFORMED, why=malformed(what, self.beginning))

    def _words_of(self, error: HTTPParseError) -> str:
        """Why it cannot be read; the parser stops where the protocol changes."""
        if self.get_code() == _SWITCHING_PROTOCOLS:
            return changed_protocol()
        return str(error.args[0]) if error.args else "no HTTP"

    def too_long(self) -> Fault:
        """That there is far more of it than there may be."""
        answer = self.question.exchange.answer
        if self.get_code() != answer.status:
            return judge(answer, self.get_code(), bytes(self.body)) or self.malformed("too long")
        why = f"the body has {self.body_size} bytes or more, far more than expected"
        return Fault(error=ErrorClass.WRONG_BODY, why=why)

    # What the parser calls.

    def _on_message_begin(self) -> None:
        self.surplus = self.done

    def _on_status(self, msg: str) -> None:
        pass

    def _on_header_field(self, string: str) -> None:
        pass

    def _on_header_value(self, string: str) -> None:
        pass

    def _on_headers_complete(self) -> bool:
        self.headed = self.get_code() >= 200
        return self.question.is_head  # has no body, whatever the headers say

    def _on_body(self, buf: bytes | bytearray) -> None:
        if self.body_size < self.question.kept:
            self.body += buf
        self.body_size += len(buf)

    def _on_message_complete(self) -> None:
        if self.headed:
            self.done = True
            self.keep = self.should_keep_alive()


class Channel:
    """A connection that is asked one request at a time."""

    def __init__(self, sock: socket.socket, questions: Questions, tally: Tally) -> None:
        self._socket = sock
        self._questions = questions
        self._tally = tally
        self._served = False
        tally.connections_opened += 1

    def fileno(self) -> int:
        """Its file descriptor."""
        return int(self._socket.fileno())

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.close()

    def look(self) -> Fault | None:
        """Why no request can be sent on it, if that shows before one is sent."""
        self._socket.settimeout(0.0)
        try:
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return None
        except OSError as exc:
            return self._loss(exc, 0)
        if not data:
            why = "the connection was closed before the request was sent"
            return Fault(error=ErrorClass.RESET, why=why)
        self._tally.bytes_received += len(data)
        why = f"bytes came before the request was sent: {excerpt(data)}"
        return Fault(error=ErrorClass.MALFORMED, why=why)

    def ask(self, question: Question, sent_ns: int, timeout_ns: int) -> Ending:
        """Send ``question``, wait for the answer until ``timeout_ns`` after ``sent_ns``, and judge it."""
        answer: _Answer | None = None
        size = first_ns = 0
        deadline_ns = sent_ns + timeout_ns
        try:
            self._socket.settimeout(timeout_ns / 1e9)
            self._socket.sendall(question.wire)
            while True:
                data = self._receive(deadline_ns)
                now = perf_counter_ns()
                if answer is None:
                    first_ns = now
                    if data == question.right_bytes:
                        self._tally.bytes_received += len(data)
                        self._served = True
                        return Ending(None, now, now, answered=True, keep=True)
                    answer = _Answer(question)
                if not data:
                    return self._ended(answer, first_ns, now)
                size += len(data)
                self._tally.bytes_received += len(data)
                if fault := answer.take(data):
                    return Ending(fault, first_ns, now)
                if answer.done:
                    return self._answered(answer, first_ns, now, data if size == len(data) else None)
        except TimeoutError:
            fault = _timeout(size, sent_ns)
        except OSError as exc:
            fault = self._loss(exc, size)
        return Ending(fault, first_ns, perf_counter_ns())

    def _receive(self, deadline_ns: int) -> bytes:
        """What came, when something came. Raises :class:`TimeoutError` at the deadline."""
        while True:
            left_s = (deadline_ns - perf_counter_ns()) / 1e9
            self._socket.settimeout(max(left_s, 1e-6))
            try:
                return bytes(self._socket.recv(_PIECE))
            except TimeoutError:
                if perf_counter_ns() >= deadline_ns:  # timers of gevent may be early
                    raise

    def _answered(self, answer: _Answer, first_ns: int, now: int, whole: bytes | None) -> Ending:
        """The answer is complete; ``whole`` holds it if it came in one piece."""
        self._served = True
        fault = answer.judge(self._questions, whole if answer.keep else None)
        return Ending(fault, first_ns, now, answered=True, keep=answer.keep)

    def _ended(self, answer: _Answer, first_ns: int, now: int) -> Ending:
        """The server has closed the connection."""
        if answer.size and answer.take_end():
            return self._answered(answer, first_ns, now, None)
        return Ending(self._loss(None, answer.size), first_ns, now)

    def _loss(self, exc: OSError | None, size: int) -> Fault:
        """What it means that the connection ended, by ``exc`` or (``None``) in good order."""
        if size:
            why = f"the connection ended after {size} bytes of the answer"
            return Fault(error=ErrorClass.TRUNCATED, why=why)
        if exc is not None and not isinstance(exc, BrokenPipeError):
            cause = os.strerror(exc.errno) if exc.errno else str(exc)
            return Fault(error=ErrorClass.RESET, why=f"the connection was cut ({cause})")
        if self._served:
            why = "the connection was closed without an answer, after it had served before"
            return Fault(error=ErrorClass.STALE_CONNECTION, why=why)
        return Fault(error=ErrorClass.RESET, why="the connection was closed without an answer")


def _timeout(size: int, sent_ns: int) -> Fault:
    waited = f"{(perf_counter_ns() - sent_ns) / 1e9:.3g} s"
    why = f"{size} bytes of the answer, but not all, came in {waited}" if size else f"no answer in {waited}"
    return Fault(error=ErrorClass.RESPONSE_TIMEOUT, why=why)
