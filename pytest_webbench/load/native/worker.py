"""The process that makes the load: reads jobs from its standard input, writes results to its output.

Run as ``python -m pytest_webbench.load.native.worker`` by
:class:`~pytest_webbench.load.native.engine.NativeEngine`; ends when its input ends. It is a separate
process so that pytest and its plugins, whatever threads they run, do not slow the load, and so that a load
can be ended at any moment.
"""

import asyncio
import os
import signal
from collections.abc import Sequence

import uvloop

from pytest_webbench.host.own_process import end_with, raise_open_files
from pytest_webbench.load.frames import (
    LENGTH,
    PORT,
    START_SIGNAL,
    Failure,
    Ready,
    pack_reply,
    reply_parts,
    unpack_job,
)
from pytest_webbench.load.native.client import StartSignal, run_load
from pytest_webbench.model.load import LoadResult

__all__ = ["main"]

_STDIN = 0


def main(_: Sequence[str] = ()) -> None:
    """Serve loads, one after another, until standard input ends."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    end_with(parent)
    raise_open_files()
    replies = _take_stdout()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while (payload := _read_frame()) is not None:
            reply = runner.run(_carry_out(payload, replies))
            for part in reply_parts(reply):
                _write(replies, LENGTH.pack(len(part)))
                _write(replies, part)


async def _carry_out(payload: bytes, replies: int) -> LoadResult | Failure:
    """Return the result of the job in ``payload``, or why there is none."""
    starter = _Starter(replies)
    try:
        job = unpack_job(payload)
        return await run_load(job.load, job.base_url, starter.wait)
    except Exception as exc:
        return Failure.of(exc, "load generator")
    finally:
        starter.close()


class _Starter:
    """Reports that the users are connected, and waits for the parent's start message.

    The parent sends nothing else during a load: further readable input means end of file, that is, the parent
    is gone.
    """

    def __init__(self, replies: int) -> None:
        self._replies = replies
        self._loop = asyncio.get_running_loop()
        self._said = b""
        self._word: asyncio.Future[StartSignal] = self._loop.create_future()
        self._loop.add_reader(_STDIN, self._read)

    async def wait(self, ports: Sequence[int]) -> StartSignal:
        """Return what to do now that the connections from ``ports`` are established."""
        _write(self._replies, pack_reply(Ready(ports=tuple(ports))))
        word = await self._word
        self._said, self._word = b"", self._loop.create_future()
        return word

    def close(self) -> None:
        """Leave standard input to its next reader."""
        self._loop.remove_reader(_STDIN)
        os.set_blocking(_STDIN, True)  # libuv has made it non-blocking

    def _read(self) -> None:
        missing = self._missing
        data = os.read(_STDIN, missing) if missing else b""
        if not data:
            os._exit(1)
        self._said += data
        if not self._missing:
            start_ns, _ = START_SIGNAL.unpack_from(self._said)
            ports = tuple(port for (port,) in PORT.iter_unpack(self._said[START_SIGNAL.size :]))
            self._word.set_result(StartSignal(start_ns=start_ns or None, connect_again=ports))

    @property
    def _missing(self) -> int:
        """How many bytes of the parent's message are still missing."""
        size = START_SIGNAL.size
        if len(self._said) >= size:
            size += START_SIGNAL.unpack_from(self._said)[1] * PORT.size
        return size - len(self._said)


def _take_stdout() -> int:
    """Return a descriptor of standard output for replies only; all other output goes to stderr."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def _read_frame() -> bytes | None:
    """Return the next frame of standard input, or ``None`` at its end."""
    length = _read(LENGTH.size)
    return None if length is None else _read(LENGTH.unpack(length)[0])


def _read(size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = os.read(_STDIN, min(size - len(data), 2**20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def _write(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
