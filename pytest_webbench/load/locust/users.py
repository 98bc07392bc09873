"""Locust's users. Their client sends each request once, and reads responses as the check does.

Locust's own client silently resends a request when a connection was closed without a response. This one
sends the bytes that the check sends, once, on its user's only connection.
"""

from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns
from typing import Any

import gevent
from gevent import socket
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPParseError, HTTPSocketPoolResponse
from locust import FastHttpUser, task
from locust.env import Environment
from locust.exception import StopUser

from pytest_webbench.analysis.responses import Mismatch
from pytest_webbench.load import failures
from pytest_webbench.load.http1.judging import PreparedRequest, judge_whole
from pytest_webbench.load.http1.response import MalformedError, ResponseReader
from pytest_webbench.load.locust.accounts import Accounts
from pytest_webbench.model.load import ErrorClass

__all__ = ["LoadEnvironment", "WebbenchUser"]

_PIECE = 64 * 2**10
_APART_S = 0.002
_APART_IN_ALL_S = 1.0
_FIRST_BACK_OFF_S = 0.001
_LONGEST_BACK_OFF_S = 0.1


class LoadEnvironment(Environment):
    """Locust's environment, with the accounts of the load that its users take part in."""

    accounts: Accounts


class RequestError(Exception):
    """Why a request failed; Locust's statistics group failures by its text."""

    def __init__(self, fault: Mismatch) -> None:
        super().__init__(fault.error.value)
        self.fault = fault


class WebbenchUser(FastHttpUser):
    """Connects, waits for the start, and sends requests until none is left."""

    environment: LoadEnvironment

    def __init__(self, environment: LoadEnvironment) -> None:
        self._accounts = accounts = environment.accounts
        self._http = _Client(accounts)
        self._failures = 0
        self.host = accounts.target.url
        self.client_pool = _OneClient(self._http)
        super().__init__(environment)
        agent: Any = self.client.client
        agent.cookiejar = None
        agent.redirect_response_codes = frozenset()
        agent.valid_response_codes = range(1000)  # the load decides which status is expected

    def on_start(self) -> None:
        """Connect, each user a moment after the previous one.

        A burst may all go to one worker of a server.
        """
        accounts = self._accounts
        gevent.sleep(accounts.enter() * min(_APART_S, _APART_IN_ALL_S / accounts.load.users))
        with suppress(OSError):  # the first request will fail and be counted
            self._http.connect()
        accounts.ready()
        accounts.started.wait()

    def on_stop(self) -> None:
        """Close the connection."""
        self._http.close()

    def wait_time(self) -> float:
        """Return seconds until the next request: more with each connection in a row that gave no response."""
        if not self._failures:
            return 0.0
        return min(_FIRST_BACK_OFF_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_BACK_OFF_S)

    @task
    def ask(self) -> None:
        """Send the next request and have its response checked."""
        taken = self._accounts.take()
        if taken is None:
            raise StopUser
        number, prepared, due_ns = taken
        http = self._http
        http.prepared = prepared
        method, context = prepared.exchange.request.method, {"number": number}
        with self.client.request(
            method, self._accounts.target.url, stream=True, catch_response=True, context=context
        ) as response:
            error = getattr(response, "error", None)
            with suppress(OSError, HTTPParseError):
                error or response.read()
                http.finish()
            fault, responded = http.check(error)
            end_ns = http.socket.end_ns if http.socket and not fault else perf_counter_ns()
            self._failures = 0 if responded else self._failures + 1
            response.request_meta["response_time"] = (end_ns - http.sent_ns) / 1e6
            first_ns = http.socket.first_ns if http.socket else http.sent_ns
            response.request_meta["context"]["times"] = (http.sent_ns, first_ns, end_ns, due_ns)
            if fault is None:
                response.success()
            else:
                response.failure(RequestError(fault))


class _Socket(socket.socket):
    """A socket that records the outcome and times of the request under way, and times out at its deadline."""

    served = False
    """Whether a complete response has arrived on it."""
    sent_ns = first_ns = end_ns = 0
    fault: Mismatch | None = None
    reader: ResponseReader

    def begin(self, prepared: PreparedRequest, timeout_s: float) -> None:
        """Send the request, whose response must arrive within ``timeout_s``."""
        self.reader = ResponseReader(is_head=prepared.is_head, keep=prepared.kept)
        self.first_ns, self.fault = 0, None
        self.sent_ns = perf_counter_ns()
        self._deadline_ns = self.sent_ns + int(timeout_s * 1e9)
        self._until_deadline(super().sendall, prepared.wire)

    def recv(self, size: int, *_: Any) -> bytes:
        """Return the next bytes, which the reader has seen. Raises :class:`HTTPParseError` after the last."""
        if self.reader.done:  # it found the end, or exceeded the size limit
            raise HTTPParseError
        data: bytes = self._until_deadline(super().recv, size)
        self.end_ns = perf_counter_ns()
        self.first_ns = self.first_ns or self.end_ns
        try:
            if data:
                self.reader.feed(data)
            elif not self.reader.feed_end():
                self.fault = failures.loss(self.reader.received, None, served=self.served)
        except MalformedError as exc:
            self.fault = Mismatch(error=ErrorClass.MALFORMED, why=str(exc))
            raise HTTPParseError from exc
        return data

    def _until_deadline(self, act: Callable[..., Any], argument: object) -> Any:
        while True:
            self.settimeout(max((self._deadline_ns - perf_counter_ns()) / 1e9, 1e-6))
            try:
                return act(argument)
            except TimeoutError:
                now = perf_counter_ns()
                if now >= self._deadline_ns:  # gevent's timers may be early
                    self.fault = failures.timeout(self.reader.received, now - self.sent_ns)
                    raise
            except OSError as exc:
                self.fault = failures.loss(self.reader.received, exc, served=self.served)
                raise


class _Connection(ConnectionPool):
    """The only connection of a user, reopened when it is lost."""

    def __init__(self, accounts: Accounts) -> None:
        target, timeout_s = accounts.target, accounts.load.timeout_s
        super().__init__(target.host, target.port, target.host, target.port, 1, connection_timeout=timeout_s)
        self._tally = accounts.tally

    def _create_tcp_socket(self, *kind: Any) -> _Socket:
        return _Socket(*kind)

    def after_connect(self, sock: Any) -> None:
        """Count the connection. Raises :class:`ConnectionRefusedError` if both its ends are the same."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failures.refuse_itself(sock.getsockname(), sock.getpeername())
        self._tally.connections_opened += 1


class _OneClient(HTTPClientPool):
    """Hands out the only client of a user."""

    def __init__(self, client: "_Client") -> None:
        super().__init__()
        self._client = client

    def get_client(self, url: object) -> "_Client":  # noqa: ARG002
        return self._client


class _Client(HTTPClient):
    """Sends the bytes of ``prepared`` for any request asked of it, exactly once."""

    prepared: PreparedRequest
    socket: _Socket | None = None
    """The socket of the request under way; ``None`` while not connected."""
    sent_ns = 0

    def __init__(self, accounts: Accounts) -> None:
        super().__init__(accounts.target.host, accounts.target.port)
        self._accounts = accounts
        self._connection_pool = _Connection(accounts)

    def connect(self) -> None:
        """Open the connection. Raises :class:`OSError`."""
        self._connection_pool.return_socket(self._connection_pool.get_socket())

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        super().close()
        self._connection_pool = _Connection(self._accounts)

    def request(self, method: str, *_: Any, **__: Any) -> HTTPSocketPoolResponse:
        """Send the prepared request: part of :class:`HTTPClient`."""
        self.socket, self.sent_ns = None, perf_counter_ns()
        sock: Any = self._connection_pool.get_socket()
        self.socket = sock
        try:
            sock.begin(self.prepared, self._accounts.load.timeout_s)
        except BaseException:
            self._connection_pool.release_socket(sock)
            raise
        finally:
            self.sent_ns = sock.sent_ns
        return HTTPSocketPoolResponse(sock, self._connection_pool, block_size=_PIECE, method=method)

    def finish(self) -> None:
        """Read the rest of the response: Locust's client takes one as complete after an interim response."""
        while self.socket and not self.socket.fault and not self.socket.reader.done:
            self.socket.recv(_PIECE)

    def check(self, error: Any) -> tuple[Mismatch | None, bool]:
        """Return what is wrong with the response, and whether there is one.

        ``error`` is that of Locust's client.
        """
        cause = getattr(error, "original", None) or error  # Locust's client wraps it
        sock = self.socket
        if sock is None:
            self.close()
            return failures.connect_failure(cause, timeout_s=self._accounts.load.timeout_s), False
        reader = sock.reader
        self._accounts.tally.bytes_received += reader.received
        if sock.fault is not None or not reader.done:
            self.close()
            return sock.fault or failures.not_http(str(cause), b""), False
        sock.served = True
        if not reader.keeps:  # Locust's client does not know it after an interim response
            self.close()
        response, prepared = reader.response(), self.prepared
        if not response.complete:
            return judge_whole(prepared.exchange.answer, response), True
        return self._accounts.prepared_requests.judge(
            prepared, response.status, response.body, size=response.size, coding=response.coding, whole=None
        ), True
