"""Locust's users, and Locust's HTTP client with what a measurement needs: each request is sent once.

Locust's own client sends a request again when a connection was closed without a response, and tells nobody.
Here it sends the bytes that the check sent, once, on the one connection of its user.
"""

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

from pytest_webbench.analysis.responses import Mismatch, judge
from pytest_webbench.load import failures
from pytest_webbench.load.failures import changed_protocol, too_long_head
from pytest_webbench.load.http1.judging import PreparedRequest
from pytest_webbench.load.http1.response import coding_of
from pytest_webbench.load.http1.wire import MAX_HEAD, MAX_RESPONSE
from pytest_webbench.load.locust.accounts import Accounts

__all__ = ["LoadEnvironment", "WebbenchUser"]

_PIECE = 64 * 2**10
_APART_S = 0.002
_APART_IN_ALL_S = 1.0
_FIRST_BACK_OFF_S = 0.001
_LONGEST_BACK_OFF_S = 0.1


class LoadEnvironment(Environment):
    """Locust's environment, and the accounts of the load that its users take part in."""

    accounts: Accounts


class RequestError(Exception):
    """Why a request failed; Locust's statistics group failures by what this prints."""

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
        agent.valid_response_codes = range(1000)  # which are right is not for Locust to say

    def on_start(self) -> None:
        """Connect, each user a moment after the one before: a burst may go to one worker of a server."""
        accounts = self._accounts
        gevent.sleep(accounts.enter() * min(_APART_S, _APART_IN_ALL_S / accounts.load.users))
        with suppress(OSError):  # the first request will tell
            self._http.connect()
        accounts.ready()
        accounts.started.wait()

    def on_stop(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def wait_time(self) -> float:
        """Seconds until the next request: more with each connection in a row that gave no response."""
        if not self._failures:
            return 0.0
        return min(_FIRST_BACK_OFF_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_BACK_OFF_S)

    @task
    def ask(self) -> None:
        """Send the next request, and have the response judged."""
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
            fault = self._fault(response, prepared)
            end_ns = http.end_ns if fault is None else perf_counter_ns()
            response.request_meta["response_time"] = (end_ns - http.sent_ns) / 1e6
            response.request_meta["context"]["times"] = (http.sent_ns, http.first_ns, end_ns, due_ns)
            if fault is None:
                response.success()
            else:
                response.failure(RequestError(fault))

    def _fault(self, response: Any, prepared: PreparedRequest) -> Mismatch | None:
        """What is wrong with the response, or why there is none."""
        body, error = b"", getattr(response, "error", None)
        try:
            body = body if error else response.read()
        except (OSError, HTTPParseError) as exc:
            error = exc
        fault = self._http.failure(error, response)
        if fault is not None:
            self._http.close()
            self._failures += 1
            return fault
        self._failures = 0
        coding = coding_of(self._http.head)
        return self._accounts.prepared_requests.judge(
            prepared, response.status_code, body, size=len(body), coding=coding, whole=None
        )


class _TooLongError(OSError):
    """More bytes came than a response may have."""


class _Socket(socket.socket):
    """A socket that notes what came of the request under way, and when, and gives up at its deadline."""

    served = False
    """Whether a whole response has come on it."""
    sent_ns = first_ns = end_ns = received = 0
    most = MAX_HEAD
    head = b""
    lost: OSError | None = None
    ended = False

    def begin(self, wire: bytes, timeout_s: float) -> None:
        """Send the request ``wire``, whose response has to be here within ``timeout_s``."""
        self.received = self.first_ns = 0
        self.head, self.most = b"", MAX_HEAD
        self.settimeout(timeout_s)
        self.sent_ns = perf_counter_ns()
        self._deadline_ns = self.sent_ns + int(timeout_s * 1e9)
        self.sendall(wire)

    def recv(self, size: int, *_: Any) -> bytes:
        """Part of the socket that it is."""
        room = self.most - self.received
        if room <= 0:
            raise _TooLongError(f"{self.received} bytes")
        data = self._recv(min(size, room))
        self.end_ns = perf_counter_ns()
        self.first_ns = self.first_ns or self.end_ns
        self.received += len(data)
        self.head += data[: MAX_HEAD - len(self.head)]
        self.ended = not data
        return data

    def _recv(self, size: int) -> bytes:
        while True:
            self.settimeout(max((self._deadline_ns - perf_counter_ns()) / 1e9, 1e-6))
            try:
                return super().recv(size)
            except TimeoutError:
                if perf_counter_ns() >= self._deadline_ns:  # timers of gevent may be early
                    raise
            except OSError as exc:
                self.lost = exc
                raise


class _Connection(ConnectionPool):
    """The one connection of a user, opened again when it is gone."""

    def __init__(self, accounts: Accounts) -> None:
        target, timeout_s = accounts.target, accounts.load.timeout_s
        super().__init__(target.host, target.port, target.host, target.port, 1, connection_timeout=timeout_s)
        self._tally = accounts.tally

    def _create_tcp_socket(self, *kind: Any) -> _Socket:
        return _Socket(*kind)

    def after_connect(self, sock: Any) -> None:
        """Count the connection. Raises :class:`ConnectionRefusedError` if its two ends are one."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failures.refuse_itself(sock.getsockname(), sock.getpeername())
        self._tally.connections_opened += 1


class _Response(HTTPSocketPoolResponse):
    """A response that notices when bytes follow that do not belong to it."""

    final = surplus = False

    def feed(self, data: str | bytes) -> None:
        """Part of the response that it is."""
        try:
            super().feed(data)
        except HTTPParseError:
            if not self.final:
                raise
            self.surplus = self.headers_complete = self.message_complete = True

    def _on_message_begin(self) -> None:
        self.surplus = self.final
        super()._on_message_begin()

    def _on_message_complete(self) -> None:
        self.final = self.get_code() >= 200
        super()._on_message_complete()


class _OneClient(HTTPClientPool):
    """Hands out the one client of a user."""

    def __init__(self, client: "_Client") -> None:
        super().__init__()
        self._client = client

    def get_client(self, url: object) -> "_Client":  # noqa: ARG002
        return self._client


class _Client(HTTPClient):
    """Sends the bytes of ``prepared`` when it is asked for anything, and sends them once.

    ``sent_ns``, ``first_ns`` and ``end_ns`` say when, by :func:`time.perf_counter_ns`, and ``head`` is the
    beginning of what came.
    """

    prepared: PreparedRequest

    def __init__(self, accounts: Accounts) -> None:
        super().__init__(accounts.target.host, accounts.target.port)
        self._accounts = accounts
        self._connection_pool = _Connection(accounts)
        self._socket: Any = None
        self.sent_ns = 0

    first_ns = property(lambda self: self._socket.first_ns if self._socket else self.sent_ns)
    end_ns = property(lambda self: self._socket.end_ns)
    head = property(lambda self: self._socket.head)

    def connect(self) -> None:
        """Open the connection. Raises :class:`OSError`."""
        self._connection_pool.return_socket(self._connection_pool.get_socket())

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        super().close()
        self._connection_pool = _Connection(self._accounts)

    def request(self, method: str, *_: Any, **__: Any) -> _Response:
        """Part of :class:`HTTPClient`."""
        self._socket, self.sent_ns = None, perf_counter_ns()
        sock: Any = self._connection_pool.get_socket()
        self._socket = sock
        try:
            sock.begin(self.prepared.wire, self._accounts.load.timeout_s)
        except BaseException:
            self._connection_pool.release_socket(sock)
            raise
        finally:
            self.sent_ns = sock.sent_ns
        response = _Response(sock, self._connection_pool, block_size=_PIECE, method=method)
        response._sent_request = ""
        sock.most = MAX_RESPONSE
        return response

    def failure(self, error: BaseException | None, response: Any) -> Mismatch | None:
        """What it means that a request ended with ``error``; ``None`` if ``response`` is one of HTTP/1.1."""
        sock: _Socket | None = self._socket
        cause: Any = getattr(error, "original", None) or error  # Locust's client wraps it
        if sock is None:
            return failures.connect_failure(cause, timeout_s=self._accounts.load.timeout_s)
        self._accounts.tally.bytes_received += sock.received
        if cause is not None:
            return self._loss(sock, cause, response.status_code)
        received = response._response
        if received.surplus or received._trailing_data_dropped:
            return failures.surplus(sock.head, response.status_code, is_head=self.prepared.is_head)
        if received.version not in {"HTTP/1.0", "HTTP/1.1"}:
            return failures.not_http(f"it is {received.version}", sock.head)
        sock.served = True
        return None

    def _loss(self, sock: _Socket, cause: BaseException, status: int) -> Mismatch:
        if isinstance(cause, _TooLongError) and sock.most == MAX_HEAD:
            return failures.not_http(too_long_head(), sock.head)
        if isinstance(cause, _TooLongError):
            answer = self.prepared.exchange.answer
            wrong = judge(answer, status, b"") if status != answer.status else None
            return wrong or failures.too_long_body(sock.received)
        if isinstance(cause, TimeoutError):
            return failures.timeout(sock.received, perf_counter_ns() - sock.sent_ns)
        if sock.ended or isinstance(sock.lost or cause, OSError):
            return failures.loss(sock.received, sock.lost or cause, served=sock.served)
        is_upgrade = sock.head[8:13] == b" 101 "
        return failures.not_http(
            changed_protocol() if is_upgrade else str((*cause.args, "no HTTP")[0]), sock.head
        )
