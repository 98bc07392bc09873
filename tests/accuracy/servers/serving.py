"""What the servers have in common: connections, requests without a body, and the account at the end."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any, cast

import uvloop

__all__ = ["Peer", "answer", "serve"]

HEAD_END = b"\r\n\r\n"


def answer(body: bytes, status: int = 200) -> bytes:
    """An HTTP response."""
    return f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Peer(asyncio.Protocol):
    """A connection, on which the client sends one request after the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        if self._pending.endswith(HEAD_END):
            self._pending = b""
            self.requested()

    def requested(self) -> None:
        """A request has been read."""
        raise NotImplementedError


def serve(peer: Callable[[], Peer], account: Callable[[], Any]) -> None:
    """Print the port, serve until standard input ends, and print ``account()`` as JSON."""
    uvloop.run(_serve(peer))
    print(json.dumps(account()), flush=True)


async def _serve(peer: Callable[[], Peer]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(peer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)  # nothing is ever written there
    await ended.wait()
    server.close()
