"""The memory that the native engine uses while it carries out one large load."""

import os
from dataclasses import dataclass

import psutil

from engine_bench.generators import native_load
from engine_bench.server import Server
from pytest_webbench.host.meters.process_tree import ProcessTreeMeter, peak_bytes
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import Amount

__all__ = ["Memory", "measure_memory"]

WARM_UP_REQUESTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Resident memory of the generator's process, and of this one, which receives its result.

    The peaks are the kernel's own high-water marks: a sampler could miss one. They need not have occurred at
    the same moment, so that the total was at most their sum.
    """

    requests: int
    rate: float
    generator_before_bytes: int
    generator_peak_bytes: int
    parent_before_bytes: int
    parent_peak_bytes: int

    @property
    def bytes_per_request(self) -> float:
        """The growth of the generator per request."""
        return (self.generator_peak_bytes - self.generator_before_bytes) / self.requests


def measure_memory(server: Server, *, requests: int, connections: int) -> Memory:
    """Send ``requests`` requests and read the memory of both processes.

    Raises :class:`~pytest_webbench.model.errors.LoadError` if one of them fails.
    """
    engine = NativeEngine()
    try:
        warm_up = Amount(requests=WARM_UP_REQUESTS)
        engine.run(native_load(server.page, connections=connections, amount=warm_up), server.page.base_url)
        assert engine.pid is not None
        meter = ProcessTreeMeter(engine.pid)
        before, parent_before = _rss_bytes(engine.pid), _rss_bytes(os.getpid())
        meter.begin()
        load = native_load(server.page, connections=connections, amount=Amount(requests=requests))
        result = engine.run(load, server.page.base_url)
        peak = meter.end().peak_rss_bytes
    finally:
        engine.close()
    if result.ok != requests or peak is None:
        raise LoadError(
            f"{result.ok} of {requests} requests were right.", evidence="\n".join(result.examples)
        )
    return Memory(
        requests=requests,
        rate=result.ok / result.elapsed_s,
        generator_before_bytes=before,
        generator_peak_bytes=peak,
        parent_before_bytes=parent_before,
        parent_peak_bytes=peak_bytes(os.getpid()) or 0,
    )


def _rss_bytes(pid: int) -> int:
    return int(psutil.Process(pid).memory_info().rss)
