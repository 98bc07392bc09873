"""This machine: its description, its processors' usage, and the lock held by one measurement at a time."""

import fcntl
import json
import os
import platform
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.measurement import Machine, MachineUsage

__all__ = ["PLACE", "MachineLock", "MachineMeter", "describe_machine", "usable_cores"]

CPUINFO = Path("/proc/cpuinfo")


GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


HYPERVISOR = Path("/sys/hypervisor/type")


VENDOR = Path("/sys/class/dmi/id/sys_vendor")


VIRTUAL_VENDORS = ("qemu", "vmware", "xen", "amazon ec2", "google", "microsoft corporation", "innotek")


def describe_machine() -> Machine:
    """Describe this machine."""
    return Machine(
        processor=_processor(),
        cores=usable_cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        system=f"{platform.system()} {platform.release()}".strip(),
        governor=_first_line(GOVERNOR) or None,
        virtualised=_virtualised(),
        python=platform.python_version(),
    )


def usable_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """Return the processor's model name, or its architecture."""
    return _of_cpuinfo("model name") or platform.processor() or platform.machine()


def _virtualised() -> str | None:
    """Return a sign that this is a virtual machine; ``None`` if there is none, which proves nothing."""
    hypervisor = _first_line(HYPERVISOR)
    if hypervisor:
        return hypervisor
    vendor = _first_line(VENDOR)
    if vendor.lower().startswith(VIRTUAL_VENDORS):
        return vendor
    return "a hypervisor" if "hypervisor" in _of_cpuinfo("flags").split() else None


def _of_cpuinfo(key: str) -> str:
    with suppress(OSError):
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return ""


def _first_line(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
    return ""


class MachineMeter:
    """Measures the usage of the whole machine from :meth:`begin`, or its creation, to :meth:`end`.

    The kernel counts in hundredths of a second: sums over many loads say more than a single one.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start counting."""
        self._began_s, self._own_s = time.monotonic(), time.process_time()
        self._began = _processor_times()

    def end(self) -> MachineUsage:
        """Return the usage since :meth:`begin`."""
        busy_s, steal_s = _processor_times()
        return MachineUsage(
            elapsed_s=time.monotonic() - self._began_s,
            busy_s=_difference(busy_s, self._began[0]),
            steal_s=_difference(steal_s, self._began[1]),
            own_s=time.process_time() - self._own_s,
        )


def _processor_times() -> tuple[float | None, float | None]:
    """Return the busy and the stolen time of all processors, in seconds; ``None`` if not counted."""
    try:
        times = psutil.cpu_times()._asdict()
    except (OSError, RuntimeError):
        return None, None
    # ``guest`` and ``guest_nice`` are in ``user`` and ``nice`` already.
    kinds = ("user", "nice", "system", "irq", "softirq")
    return sum(times.get(kind, 0.0) for kind in kinds), times.get("steal")


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else max(0.0, now - before)


PLACE = "WEBBENCH_LOCK_DIR"
"""The environment variable that names another folder for the lock."""


_FOLDER = Path("/tmp")  # noqa: S108 - the one place that all runs of a user share, whatever their environment


class MachineLock:
    """The lock that each run holds while it measures, for all runs of a user on a machine.

    The kernel releases it however the run ends. The file's content tells people who holds it.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._has_tried = False

    def take(self, folder: Path, *, wait: bool, say: Callable[[str], None]) -> bool:
        """Take the lock for the run in ``folder``; with ``wait``, wait for another run to end.

        Returns whether this was the first call. Raises :class:`~pytest_webbench.model.errors.UsageError`
        naming the other run. If the lock cannot be created, the run continues with a message.
        """
        if self._has_tried:
            return False
        self._has_tried = True
        path = Path(os.environ.get(PLACE) or _FOLDER) / f"pytest-webbench-{os.getuid()}.lock"
        try:
            descriptor = _open(path)
        except OSError as error:
            say(f"whether another run measures on this machine is not known: {path}: {error.strerror}")
            return True
        try:
            _lock(descriptor, wait=wait, say=say)
            os.ftruncate(descriptor, 0)
            about = {"pid": os.getpid(), "started": time.time(), "folder": str(folder)}
            os.pwrite(descriptor, json.dumps(about).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Release the lock. Safe to call again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int:
    """Open the file, creating it if needed; raises :class:`OSError` if it belongs to another user."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    about = os.fstat(descriptor)
    if about.st_uid != os.getuid() or not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise PermissionError(0, "it is not a file of this user")
    return descriptor


def _lock(descriptor: int, *, wait: bool, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = _describe(descriptor)
        if not wait:
            raise UsageError(
                f"another run is measuring on this machine, and two would distort each other's results: "
                f"{other}",
                hint="wait for its end with --webbench-wait, or end it",
            ) from None
        say(f"waiting for the run that measures on this machine: {other}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _describe(descriptor: int) -> str:
    """Describe the holder of the lock from the file, which may not be written yet."""
    about: dict[str, Any] = {}
    with suppress(ValueError):
        about = json.loads(os.pread(descriptor, 1 << 16, 0))
    try:
        since = datetime.fromtimestamp(about["started"]).astimezone()
        return f"process {about['pid']}, since {since:%Y-%m-%d %H:%M:%S}, in {about['folder']}"
    except (KeyError, TypeError, ValueError, OverflowError):
        return "a process that has only just begun"
