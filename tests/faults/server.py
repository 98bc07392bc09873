"""A server in one of many moods: right, wrong, slow, hostile or dying.

``python server.py MOOD[,name=value...] --fd N`` serves on the socket that it inherits. A mood spoils
``/ping`` alone, from the fourth one on: the first three are those of the check before timing.
``from=N`` moves the first spoilt one, ``every=N`` spares those in between, and ``from=0`` spoils all paths.
"""

import asyncio
import os
import resource
import signal
import socket
import sys
import time
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

BODY = b'{"n": 1}'
FULL_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BLOCK = 64 * 1024


def response(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


GOOD = response(BODY)


def bomb(unpacked_gib: int = 10) -> bytes:
    """A gzip body a thousandth of what it unpacks to: the same block of zeros again and again."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(bytes(2**20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + block * (unpacked_gib * 1024) + b"\x03\0" + bytes(8)


class Connection(asyncio.Protocol):
    """One connection of a client; what it gets depends on the mood."""

    pings = 0
    """Of all connections together."""

    def __init__(self, mood: "Mood", options: dict[str, str]) -> None:
        self._mood = mood
        self.options = options
        self._first = int(options.get("from", 4))
        self._every = int(options.get("every", 1))
        self._received = b""
        self._writable = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._serve(head.split(b" ", 2)[1])

    def _serve(self, path: bytes) -> None:
        number = 0
        if path.startswith(b"/ping"):
            Connection.pings += 1
            number = Connection.pings
        spoilt = number >= self._first and (number - self._first) % self._every == 0
        if spoilt if number else self._first == 0:
            self._mood(self)
        else:
            self.write(GOOD)

    # What moods do with it.

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def write_and_close(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()

    def reset(self) -> None:
        linger = (1).to_bytes(4, sys.byteorder) + (0).to_bytes(4, sys.byteorder)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()

    def pour(self, piece: bytes) -> None:
        """Send ``piece`` again and again, as fast as it is read, until the connection ends."""
        self._do(self._pour(piece * max(1, BLOCK // len(piece))))

    async def _pour(self, block: bytes) -> None:
        while not self.transport.is_closing():
            await self._writable.wait()
            self.transport.write(block)
            await asyncio.sleep(0)

    def drip(self, data: bytes) -> None:
        """Send a byte each ``s`` seconds, 0.5 by default."""
        self._do(self._drip(data))

    async def _drip(self, data: bytes) -> None:
        for byte in data:
            if self.transport.is_closing():
                return
            self.transport.write(bytes([byte]))
            await asyncio.sleep(float(self.options.get("s", 0.5)))

    def later(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(float(self.options["s"]), self.transport.write, data)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


Mood = Callable[[Connection], None]


def start_then(head: bytes, piece: bytes) -> Mood:
    """Begin a response that never ends."""

    def mood(connection: Connection) -> None:
        connection.write(head)
        connection.pour(piece)

    return mood


def just(data: bytes) -> Mood:
    """Send ``data``, and keep the connection."""
    return lambda connection: connection.write(data)


def last(data: bytes) -> Mood:
    """Send ``data``, and close the connection."""
    return lambda connection: connection.write_and_close(data)


def busy(connection: Connection) -> None:
    """One request at a time, ``s`` seconds each."""
    time.sleep(float(connection.options["s"]))
    connection.write(GOOD)


def drip_body(connection: Connection) -> None:
    connection.write(GOOD[: -len(BODY)])
    connection.drip(BODY * 1000)


def exhaust(_: Connection) -> None:
    """Take memory until none is had."""
    held = [os.urandom(2**20) for _ in range(4096)]
    raise SystemExit(f"got {len(held)} MiB")


def gzip_bomb(connection: Connection) -> None:
    connection.write(response(bomb(), "200 OK", "Content-Encoding: gzip"))


TERMINAL = "\x1b[2J\x1b[31mRED\x1b]0;title\x07"
SCRIPT = f"</script><script>alert(1)</script><img src=x onerror=alert(1)>{TERMINAL}".encode()
CHUNKED = FULL_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

MOODS: dict[str, Mood] = {
    "good": just(GOOD),
    "busy": busy,
    "slow": lambda connection: connection.later(GOOD),
    "mute": lambda connection: None,
    # Wrong.
    "wrong": just(response(b'{"n": 2}')),
    "error": just(response(BODY, "500 Oops")),
    "redirect": just(response(b"", "302 Found", "Location: http://127.0.0.1:1/elsewhere")),
    "script": just(response(SCRIPT, f"500 {SCRIPT.decode()}")),
    "deep": just(response(b"[" * 500_000)),
    "long-number": just(response(b'{"n": ' + b"9" * 1_000_000 + b"}")),
    "not-text": just(response(b"\x00\xff\xfe" * 20)),
    # Broken off.
    "truncated": last(GOOD[:-4]),
    "reset": lambda connection: connection.reset(),
    "closing": last(GOOD),
    "hung-up": last(b""),
    "death": lambda connection: os._exit(3),
    "killed": lambda connection: os.kill(os.getpid(), signal.SIGKILL),
    "exhausted": exhaust,
    # Without end.
    "endless-head": start_then(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
    "endless-header": start_then(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "huge": start_then(FULL_HEAD + b"Content-Length: 10737418240\r\n\r\n", b"x"),
    "endless-chunks": start_then(CHUNKED, b"10000\r\n" + b"x" * 0x10000 + b"\r\n"),
    "until-close": start_then(FULL_HEAD + b"\r\n", b"x"),
    "endless-hints": start_then(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "bomb": gzip_bomb,
    "drip": lambda connection: connection.drip(GOOD),
    "drip-head": lambda connection: connection.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: aaaaaaaa\r\n" * 1000),
    "drip-body": drip_body,
    # Not HTTP/1.1 as it should be.
    "bad-chunk": just(CHUNKED + b"ZZ\r\nabc\r\n0\r\n\r\n"),
    "vast-chunk": just(CHUNKED + b"F" * 17 + b"\r\nabc\r\n0\r\n\r\n"),
    "length-and-chunks": just(
        FULL_HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "two-lengths": just(FULL_HEAD + b"Content-Length: 8\r\nContent-Length: 3\r\n\r\n" + BODY),
    "negative-length": just(FULL_HEAD + b"Content-Length: -1\r\n\r\n" + BODY),
    "no-head": last(BODY),
    "http2": just(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18)),
    "garbage": just(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 8),
    "twice": just(GOOD + GOOD),
    "body-of-204": just(b"HTTP/1.1 204 No Content\r\n\r\nwrong"),
    "upgrade": just(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    "old": last(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + BODY),
    "old-kept": just(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 8\r\n\r\n" + BODY),
}


def begin(mood: str, options: dict[str, str]) -> None:
    """What a mood does before it serves."""
    match mood:
        case "import-error":
            import no_such_module_at_all  # type: ignore[import-not-found] # noqa: F401
        case "exit":
            sys.exit("fatal: cannot read the configuration")
        case "never-listens":
            time.sleep(300)
        case "ignores-term":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        case "daemon":
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
        case "late":
            time.sleep(float(options["s"]))


async def serve(connect: Callable[[], Connection], how: str, where: int) -> None:
    """Serve until the process ends."""
    loop = asyncio.get_running_loop()
    if how == "--fd":
        listener = socket.socket(fileno=where)
        listener.listen(1024)
        listener.setblocking(False)
        server = await loop.create_server(connect, sock=listener)
    else:
        server = await loop.create_server(connect, "127.0.0.1", where)
    await server.serve_forever()


def main() -> None:
    spec, how, where = sys.argv[1:4]
    mood, *given = spec.split(",")
    options = dict(each.split("=", 1) for each in given)
    if "memory" in options:
        resource.setrlimit(resource.RLIMIT_AS, (int(options["memory"]),) * 2)
    begin(mood, options)
    act = MOODS.get(mood, MOODS["good"])
    asyncio.run(serve(lambda: Connection(act, options), how, int(where)))


if __name__ == "__main__":
    main()
