"""CPU time and memory of a process and all its descendants, from the kernel's accounts."""

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from pytest_webbench.model.measurement import Readings

__all__ = ["ProcessTreeMeter", "ancestors", "peak_bytes", "process_tree"]

_CPUCLOCK_SCHED = 2  # linux/include/uapi: the clock of a process that counts its threads' nanoseconds


class ProcessTreeMeter:
    """Meters the process ``pid`` and its descendants.

    CPU time is read in nanoseconds from the clock of each process on Linux (``clock_getcpuclockid``,
    which includes ended threads), elsewhere in hundredths of a second. The peak of the
    resident set is the kernel's own high-water mark, reset at the beginning; it is ``None`` where the
    kernel does not permit that (not Linux, or another user's process).
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._cpu_s: dict[int, float] = {}
        self._reaped_s = 0.0
        self._peaks_set_back = False

    def begin(self) -> None:
        """Note the CPU time of each process and reset the peaks of memory."""
        self._cpu_s = _cpu_of_each(self._root.pid)
        self._reaped_s = self._cpu_of_reaped()
        set_back = [_set_back_peak(pid) for pid in self._cpu_s]
        self._peaks_set_back = all(set_back)

    def end(self) -> Readings:
        """Return the usage since :meth:`begin`."""
        now = _cpu_of_each(self._root.pid)
        used_s = sum(cpu_s - self._cpu_s.get(pid, 0.0) for pid, cpu_s in now.items())
        replaced = now.keys() != self._cpu_s.keys()
        if replaced:  # the usage of an ended process is in its parent's account of children
            ended = [cpu_s for pid, cpu_s in self._cpu_s.items() if pid not in now]
            used_s += max(0.0, self._cpu_of_reaped() - self._reaped_s - sum(ended))
        peaks = [peak_bytes(pid) for pid in now] if self._peaks_set_back else [None]
        known = [peak for peak in peaks if peak is not None]
        return Readings(
            cpu_s=used_s if now else None,
            peak_rss_bytes=sum(known) if len(known) == len(peaks) else None,
            replaced=replaced,
        )

    def _cpu_of_reaped(self) -> float:
        try:
            times = self._root.cpu_times()
        except psutil.Error:
            return 0.0
        return float(getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0))


def _cpu_of_each(root: int) -> dict[int, float]:
    """Return the CPU time so far of ``root`` and its descendants."""
    return {pid: cpu_s for pid in process_tree(root) if (cpu_s := _cpu_seconds(pid)) is not None}


def _cpu_seconds(pid: int) -> float | None:
    """Return user and system time of the process ``pid`` so far; ``None`` if it has ended."""
    try:
        if sys.platform == "linux":
            return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED) / 1e9
        times = psutil.Process(pid).cpu_times()
    except (OSError, psutil.Error):
        return None
    return float(times.user + times.system)


def _set_back_peak(pid: int) -> bool:
    """Reset the high-water mark of the resident set to its current size (proc(5), clear_refs)."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_bytes(pid: int) -> int | None:
    """Return the peak resident set of the process ``pid`` in bytes; ``None`` if it cannot be read.

    The value of ``getrusage`` may be the peak of the process that started this one.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def process_tree(pid: int) -> dict[int, int]:
    """Return the process ``pid`` and all its descendants, each with its parent; empty if it has ended.

    The parent of ``pid`` itself is given as 0. Linux keeps the children of each thread, if it was built so;
    elsewhere all processes of the machine are searched, which takes some milliseconds.
    """
    tree: dict[int, int] = {}
    found = [(pid, 0)]
    try:
        while found:
            one, parent = found.pop()
            tree[one] = parent
            found += [(child, one) for child in _children(one)]
    except (psutil.Error, OSError):
        return {}
    return tree


def ancestors(pid: int, tree: Mapping[int, int]) -> Iterator[int]:
    """Yield the parent of the process ``pid``, its parent, and so on, as far as the ``tree`` goes."""
    while (pid := tree.get(pid, 0)) in tree:
        yield pid


def _children(pid: int) -> Iterator[int]:
    tasks = Path(f"/proc/{pid}/task")
    if not Path(tasks, str(pid), "children").exists():
        yield from (child.pid for child in psutil.Process(pid).children())
        return
    for task in tasks.iterdir():
        try:
            yield from map(int, (task / "children").read_text().split())
        except OSError:  # the thread has ended meanwhile
            continue
