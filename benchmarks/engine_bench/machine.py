"""The machine's description, and the assignment of its cores."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_webbench.model.errors import WebbenchError

__all__ = ["describe_machine", "pinned_to", "two_cores"]


def two_cores() -> tuple[int, int]:
    """Return a core for the server and another one for the generator, of those this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise WebbenchError(
            "This comparison needs two cores: one for the server, one for the generator.",
            evidence=f"this process may use {len(cores)}",
        )
    return cores[0], cores[-1]


@contextmanager
def pinned_to(core: int) -> Iterator[None]:
    """Keep this process on ``core``; processes started meanwhile stay there for good."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def describe_machine() -> str:
    """Return processor, number of cores, kernel, Python, and the load average of the last minute."""
    system = f"{platform.system()} {platform.release()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {system}, {python}, load before {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
