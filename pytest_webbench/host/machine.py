"""The machine that pytest runs on: what it is, and how busy it is."""

import os
import platform
import time
from contextlib import suppress
from pathlib import Path

import psutil

from pytest_webbench.model.measurement import Machine, MachineUsage

__all__ = ["MachineMeter", "describe_machine"]

CPUINFO = Path("/proc/cpuinfo")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
HYPERVISOR = Path("/sys/hypervisor/type")
VENDOR = Path("/sys/class/dmi/id/sys_vendor")
VIRTUAL_VENDORS = ("qemu", "vmware", "xen", "amazon ec2", "google", "microsoft corporation", "innotek")


def describe_machine() -> Machine:
    """This machine."""
    return Machine(
        processor=_processor(),
        cores=_usable_cores(),
        memory_bytes=int(psutil.virtual_memory().total),
        system=f"{platform.system()} {platform.release()}".strip(),
        governor=_first_line(GOVERNOR) or None,
        virtualised=_virtualised(),
        python=platform.python_version(),
    )


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _processor() -> str:
    """The name that the processor gives itself; where it gives none, that of its kind."""
    return _of_cpuinfo("model name") or platform.processor() or platform.machine()


def _virtualised() -> str | None:
    """What says that this is a virtual machine; ``None`` if nothing does, which proves nothing."""
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
    """Says what the whole machine did from :meth:`begin`, or its making, to :meth:`end`.

    The kernel counts in hundredths of a second: sums over many loads say more than a single one.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """From now on it counts."""
        self._began_s, self._own_s = time.monotonic(), time.process_time()
        self._began = _processor_times()

    def end(self) -> MachineUsage:
        """What was used since."""
        busy_s, steal_s = _processor_times()
        return MachineUsage(
            elapsed_s=time.monotonic() - self._began_s,
            busy_s=_difference(busy_s, self._began[0]),
            steal_s=_difference(steal_s, self._began[1]),
            own_s=time.process_time() - self._own_s,
        )


def _processor_times() -> tuple[float | None, float | None]:
    """Seconds that all processors worked, and were kept from working; ``None`` where it is not counted."""
    try:
        times = psutil.cpu_times()._asdict()
    except (OSError, RuntimeError):
        return None, None
    # ``guest`` and ``guest_nice`` are in ``user`` and ``nice`` already.
    kinds = ("user", "nice", "system", "irq", "softirq")
    return sum(times.get(kind, 0.0) for kind in kinds), times.get("steal")


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else max(0.0, now - before)
