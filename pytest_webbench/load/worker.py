"""The process that makes the load: reads orders from its standard input, writes results to its output.

Run as ``python -m pytest_webbench.load.worker`` by :class:`~pytest_webbench.load.native.NativeEngine`,
and ends when its input ends. It has a process of its own so that pytest and its plugins, whatever
threads they run, do not slow the load, and so that a load can be ended at any moment.
"""

import asyncio
import ctypes
import os
import signal
import sys
import traceback
from contextlib import suppress

import uvloop

from pytest_webbench.errors import LoadError
from pytest_webbench.load.client import run_load
from pytest_webbench.load.frames import LENGTH, Failure, frame, pack_reply, unpack_order
from pytest_webbench.values.load import LoadResult

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1
_STDIN = 0


def main() -> None:
    """Serve loads, one after another, until standard input ends."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _die_with(parent)
    _raise_open_files()
    replies = _take_stdout()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while (payload := _read_frame()) is not None:
            reply = runner.run(_carry_out(payload))
            _write(replies, frame(pack_reply(reply)))


async def _carry_out(payload: bytes) -> LoadResult | Failure:
    """The result of the order in ``payload``, or why there is none."""
    loop = asyncio.get_running_loop()
    loop.add_reader(_STDIN, _abandon)
    try:
        order = unpack_order(payload)
        return await run_load(order.load, order.base_url)
    except LoadError as exc:
        return Failure(message=exc.message, evidence=exc.evidence, hint=exc.hint)
    except Exception:
        return Failure(message="The load generator failed.", evidence=traceback.format_exc())
    finally:
        loop.remove_reader(_STDIN)
        os.set_blocking(_STDIN, True)  # libuv has made it non-blocking


def _abandon() -> None:
    """The parent sends nothing during a load, so that what can be read then is the end: it is gone."""
    os._exit(1)


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent, where it can (Linux); else it reads the end."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _raise_open_files() -> None:
    """Allow as many connections as the system permits."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - there is none on Windows

        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _take_stdout() -> int:
    """A descriptor of standard output for replies alone; whatever else is printed goes to stderr."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def _read_frame() -> bytes | None:
    """The next frame of standard input, or ``None`` at its end."""
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


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
