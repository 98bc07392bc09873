"""The resource usage of a container's processes, from its control group, version 1 or 2."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.stack import Accounts

__all__ = ["CgroupMeter", "MemoryPeak", "folder_reader", "folders_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    cpu_s: float | None
    throttled_s: float | None
    oom_kills: int | None


class CgroupMeter:
    """Reads the accounts before and after a load.

    The peak of memory is the kernel's high-water mark of all memory charged to the group, including its page
    cache. Where the mark cannot be reset, the peak is unknown for the load alone and left out.
    """

    def __init__(self, read: Accounts, peak: "MemoryPeak | None" = None) -> None:
        self._read = read
        self._peak = peak
        self._before: _Account | None = None

    def begin(self) -> None:
        """Note the accounts and reset the peak."""
        if self._peak is not None:
            self._peak.set_back()
        self._before = _account(self._read)

    def end(self) -> Readings:
        """Return the usage since :meth:`begin`."""
        after, before = _account(self._read), self._before
        assert before is not None
        return Readings(
            cpu_s=_difference(after.cpu_s, before.cpu_s),
            peak_rss_bytes=self._peak.read_bytes() if self._peak is not None else None,
            throttled_s=_difference(after.throttled_s, before.throttled_s),
            oom_kills=None
            if after.oom_kills is None or before.oom_kills is None
            else after.oom_kills - before.oom_kills,
        )


def _account(read: Accounts) -> _Account:
    stat = _table(read("cpu.stat"))
    cpu_s: float | None
    usage_ns = read("cpuacct.usage")
    if usage_ns is not None:  # version 1: nanoseconds
        cpu_s = int(usage_ns) / 1e9
        throttled_s = stat["throttled_time"] / 1e9 if "throttled_time" in stat else None
        oom = _table(read("memory.oom_control"))
    else:  # version 2: microseconds
        cpu_s = stat["usage_usec"] / 1e6 if "usage_usec" in stat else None
        throttled_s = stat["throttled_usec"] / 1e6 if "throttled_usec" in stat else None
        oom = _table(read("memory.events"))
    return _Account(cpu_s=cpu_s, throttled_s=throttled_s, oom_kills=oom.get("oom_kill"))


def _table(text: str | None) -> Mapping[str, int]:
    """Return lines of a name and a number."""
    pairs = [line.split() for line in (text or "").splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def folder_reader(folders: Mapping[str, Path]) -> Accounts:
    """Return a reader of accounts from the folders of a control group on this machine.

    ``folders`` maps a controller (``cpu``, ``cpuacct``, ``memory``) to its folder: three of them in
    version 1, the same one in version 2.
    """

    def read(name: str) -> str | None:
        folder = folders.get(name.split(".", maxsplit=1)[0])
        try:
            return folder.joinpath(name).read_text().strip() if folder else None
        except OSError:
            return None

    return read


def folders_of(
    pid: int, *, proc: Path = Path("/proc"), root: Path = Path("/sys/fs/cgroup")
) -> dict[str, Path]:
    """Return the folders of the control group of process ``pid``, by controller; empty if it is not here."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return {}
    found: dict[str, Path] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        relative = path.lstrip("/")
        if not controllers:  # version 2; a hybrid machine keeps it beside version 1
            unified = root / "unified" if (root / "unified").is_dir() else root
            found.update({name: found.get(name, unified / relative) for name in ("cpu", "memory")})
            continue
        for name in controllers.split(","):
            folder = root / name / relative
            joined = root / controllers / relative
            found[name] = folder if folder.is_dir() else joined
    return found


class MemoryPeak:
    """The high-water mark of a control group's memory on this machine, which can be reset.

    Version 1 keeps one mark for all; version 2 (Linux 6.12 and newer) one for each open file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def set_back(self) -> None:
        """Reset the mark to the current usage, if the kernel permits."""
        self.close()
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            try:
                self._file = (self._folder / name).open("r+")
                self._file.write("0")
                self._file.flush()
            except OSError:
                self.close()
            else:
                return

    def read_bytes(self) -> int | None:
        """Return the mark and stop watching it; ``None`` if it could not be reset."""
        if self._file is None:
            return None
        try:
            self._file.seek(0)
            return int(self._file.read())
        except OSError:  # the group is gone
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
