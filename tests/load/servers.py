"""Servers on loopback sockets that misbehave on purpose, and count what they did."""

import json
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

__all__ = ["Handler", "Peer", "Server", "answer", "closed_port", "json_answer"]

HEADER_END = b"\r\n\r\n"


def answer(
    body: bytes = b"", status: int = 200, headers: tuple[str, ...] = (), *, version: str = "1.1"
) -> bytes:
    """An HTTP response with a Content-Length."""
    lines = [f"HTTP/{version} {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def json_answer(value: Any, status: int = 200) -> bytes:
    return answer(json.dumps(value).encode(), status, ("Content-Type: application/json",))


def closed_port() -> str:
    """The address of a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Peer:
    """The server's end of a connection; ``request`` is what was read last, ``served`` how often."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.request = b""
        self.served = 0
        self.open = True
        self._pending = b""

    @property
    def path(self) -> str:
        return self.request.split(b" ", 2)[1].decode()

    @property
    def body(self) -> bytes:
        return self.request.partition(HEADER_END)[2]

    def read_request(self) -> bool:
        """Read the next request with its body; false at the end of the connection."""
        while HEADER_END not in self._pending:
            if not self._read_more():
                return False
        head, _, rest = self._pending.partition(HEADER_END)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(rest) < length:
            self._pending = b""
            if not self._read_more():
                return False
            rest += self._pending
        self.request = head + HEADER_END + rest[:length]
        self._pending = rest[length:]
        return True

    def _read_more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except OSError:
            return False
        self._pending += data
        return bool(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        """End the connection in good order."""
        self.open = False
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def reset(self) -> None:
        """Cut the connection, so that the client gets a RST."""
        self.open = False
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def hold(self) -> None:
        """Send no more responses until the client goes."""
        with suppress(OSError):
            while self.socket.recv(65536):
                pass
        self.close()


Handler = Callable[["Server", Peer, int], None]
"""Deals with one request of a peer; the number counts the requests of the server, from 0."""


class Server:
    """Listens on a loopback port and gives each connection a thread.

    ``handler`` gets each request. ``greeting`` gets each new connection before a request is read.
    ``did`` is the server's own account: handlers count in it.
    """

    def __init__(self, handler: Handler, greeting: Callable[[Peer], None] | None = None) -> None:
        self._handler = handler
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        host, port = self._listener.getsockname()
        self.url = f"http://{host}:{port}"
        self._lock = threading.Lock()
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._wake_reader, self._wake_writer = socket.socketpair()
        self.did: Counter[str] = Counter()
        self.connections = 0
        self.requests = 0
        self.stopping = threading.Event()

    def count(self, what: str) -> int:
        """Count ``what`` up; return how often it was counted before."""
        with self._lock:
            before = self.did[what]
            self.did[what] = before + 1
            return before

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._accept_no_more()
        for peer in self._peers:
            with suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._listener.close()

    def refuse(self) -> None:
        """Refuse connections from now on."""
        self._listener.shutdown(socket.SHUT_RDWR)

    def wait(self, timeout_s: float = 60) -> None:
        """Wait until the client has closed every connection and all that it sent has been counted."""
        self._accept_no_more()
        for thread in self._threads[1:]:
            thread.join(timeout_s)
            assert not thread.is_alive()

    def _accept_no_more(self) -> None:
        """Wait until the connections that have been made are accepted."""
        self._wake_writer.close()
        self._threads[0].join()

    def _accept(self) -> None:
        with self._wake_reader:
            while self._wake_reader not in select.select([self._listener, self._wake_reader], [], [])[0]:
                self._accept_one()
        self._listener.setblocking(False)
        while self._accept_one():
            pass

    def _accept_one(self) -> bool:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # none is waiting, or the server refuses connections
            return False
        sock.setblocking(True)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(sock)
        thread = threading.Thread(target=self._serve, args=(peer,))
        self.connections += 1
        self._peers.append(peer)
        self._threads.append(thread)
        thread.start()
        return True

    def _serve(self, peer: Peer) -> None:
        with suppress(OSError):
            if self._greeting is not None:
                self._greeting(peer)
            while peer.open and peer.read_request():
                with self._lock:
                    number = self.requests
                    self.requests += 1
                self._handler(self, peer, number)
                peer.served += 1
        if peer.open:
            peer.close()
