"""A worker of the native engine, as seen by the process that starts it."""

import os
import selectors
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from pytest_webbench.load.frames import (
    LENGTH,
    PORT,
    START_SIGNAL,
    Failure,
    LoadJob,
    Ready,
    frame,
    pack_job,
    unpack_head,
)
from pytest_webbench.load.generator import GeneratorProcess
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import LoadResult

__all__ = ["WorkerProcess"]

_MODULE = "pytest_webbench.load.native.worker"


class WorkerProcess:
    """A process that runs :mod:`pytest_webbench.load.native.worker`."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._deadline = 0.0
        self._left = 0
        self._next: Ready | LoadResult | Failure | None = None
        self._process = GeneratorProcess(_MODULE, piped=True)
        self._orders, self._replies = self._process.stdin, self._process.stdout
        os.set_blocking(self._orders.fileno(), False)
        os.set_blocking(self._replies.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lives(self) -> bool:
        """Tell whether it can take a job."""
        return self._process.exit_code is None

    def begin(self, job: LoadJob, longest_s: float) -> None:
        """Have it connect its users for ``job``; no slice may take longer than ``longest_s`` seconds."""
        self._longest_s = longest_s
        self._left = job.load.turns + (job.load.warm_up is not None)
        self._next = None
        self._extend()
        with self._fate():
            self._send(frame(pack_job(job)))

    @property
    def busy(self) -> bool:
        """Whether it has a job whose result has not been fetched."""
        return self._left > 0

    def await_ready(self) -> Ready | Failure:
        """Wait until its users are connected; return why if they cannot be."""
        self._extend()
        reply = self._take_reply()
        assert isinstance(reply, Ready | Failure)
        return reply

    def connect_again(self, ports: Sequence[int]) -> None:
        """Have it reopen the connections from ``ports``, and those that the server has closed.

        Then it reports again that it is ready.
        """
        with self._fate():
            self._send(START_SIGNAL.pack(0, len(ports)) + b"".join(map(PORT.pack, ports)))

    def start(self, moment_ns: int) -> None:
        """Have the load start at ``moment_ns`` of :func:`time.perf_counter_ns`."""
        with self._fate():
            self._send(START_SIGNAL.pack(moment_ns, 0))

    def await_turn(self) -> Failure | None:
        """Wait until the slice is over; return why if there was none."""
        reply = self._take_reply()
        self._left -= 1
        if isinstance(reply, Failure):
            return reply
        self._next = reply
        return None

    def await_result(self) -> LoadResult:
        """Return its result of all slices, once the last one is over."""
        result, self._next = self._next, None
        assert isinstance(result, LoadResult)
        return result

    def _take_reply(self) -> Ready | LoadResult | Failure:
        """Return the next reply, with its samples read straight into their arrays."""
        reply, self._next = self._next, None
        if reply is not None:
            return reply
        with self._fate():
            received, samples = unpack_head(bytes(self._receive_frame()))
            for values in samples:
                self._receive(LENGTH.size)
                self._receive_into(memoryview(values).cast("B"))
        if isinstance(received, Failure):
            self._left = 0
        return received

    def _extend(self) -> None:
        """Restart the clock of the time it may take."""
        self._deadline = time.monotonic() + self._longest_s

    @contextmanager
    def _fate(self) -> Iterator[None]:
        """Kill a worker that died or takes too long, and raise a :class:`LoadError` that says so."""
        try:
            yield
        except (BrokenPipeError, EOFError) as exc:
            self.kill()
            code = self._process.exit_code
            raise LoadError(
                f"The load worker ended in the middle of a load (exit code {code}).",
                evidence=self._process.last_words,
            ) from exc
        except TimeoutError as exc:
            self.kill()
            raise LoadError(
                f"The load worker was not done after {self._longest_s:.0f} s.",
                evidence=self._process.last_words,
            ) from exc

    def kill(self) -> None:
        """Kill the process and close its files. Safe to call again."""
        self._process.kill()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait(self._orders, selectors.EVENT_WRITE)
            view = view[os.write(self._orders.fileno(), view) :]

    def _receive_frame(self) -> bytearray:
        return self._receive(LENGTH.unpack(self._receive(LENGTH.size))[0])

    def _receive(self, size: int) -> bytearray:
        data = bytearray(size)
        self._receive_into(memoryview(data))
        return data

    def _receive_into(self, room: memoryview) -> None:
        while room:
            self._wait(self._replies, selectors.EVENT_READ)
            count = os.readv(self._replies.fileno(), [room])
            if not count:
                raise EOFError
            room = room[count:]

    def _wait(self, stream: IO[bytes], event: int) -> None:
        if stream.closed:  # the engine was closed
            raise EOFError
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)
            if not selector.select(max(0.0, self._deadline - time.monotonic())):
                raise TimeoutError
