"""Who listens on a port of this machine."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_webbench.meters.processes import process_tree

__all__ = ["Holder", "foreign_holder", "ports_of"]

_LISTEN = "0A"
_OURS_WOULD_GET_IT = frozenset(
    {
        "0100007F",  # 127.0.0.1, as the kernel writes it on a little-endian machine
        "7F000001",
        "00000000",
        "0" * 32,  # ::, which takes IPv4 as well
        "0000000000000000FFFF00000100007F",
        "0000000000000000FFFF000000000000",
    }
)
"""The local addresses at which a connection to 127.0.0.1 may arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that listens; without its arguments, which may have secrets in them.

    ``pid`` is ``None`` for one of another user, and ``program`` empty.
    """

    pid: int | None
    program: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "a process of another user"
        return f"process {self.pid} ({self.program})" if self.program else f"process {self.pid}"


def foreign_holder(pid: int, port: int) -> Holder | None:
    """Who listens on ``port`` of 127.0.0.1, alone or as well, and is no process of the tree of ``pid``.

    This process and those above the tree may share sockets with it. ``None`` if nobody does, as far as can be seen: sockets of a tree of another user cannot be told from
    those of others. Where there is no ``/proc`` (macOS), only whether the tree listens at all is seen.
    """
    if sys.platform != "linux":
        return None if port in ports_of(pid) else _any_holder(port)
    found = _holder(pid, port)
    # Between two looks a process of the tree may have ended, with its socket: only what stays is believed.
    return _holder(pid, port) if found is not None and found.pid is None else found


def _holder(pid: int, port: int) -> Holder | None:
    listening = {inode for at, inode in _listening() if at == port}
    if not listening:
        return None
    tree = process_tree(pid)
    held = {each: _sockets_of(each) for each in tree}
    known = {os.getpid(), *_parents(pid)}  # a socket that was bound for the server may be open there still
    for other in _processes():
        if other not in tree and other not in known and (_sockets_of(other) or set()) & listening:
            return Holder(pid=other, program=_program(other))
    left = listening - {inode for sockets in held.values() for inode in sockets or ()}
    if not left or None in held.values():
        return None
    found = next((each for each in known if (_sockets_of(each) or set()) & left), None)
    return Holder(pid=found, program=_program(found) if found else "")


def _parents(pid: int) -> Iterator[int]:
    """The processes above ``pid``."""
    try:
        yield from (each.pid for each in psutil.Process(pid).parents())
    except psutil.Error:
        return


def ports_of(pid: int) -> tuple[int, ...]:
    """The ports of this machine on which the process ``pid`` and its descendants listen for TCP."""
    if sys.platform != "linux":
        return tuple(sorted(_ports_by_psutil(process_tree(pid))))
    sockets: set[str] = set()
    for each in process_tree(pid):
        sockets |= _sockets_of(each) or set()
    return tuple(sorted({at for at, inode in _listening() if inode in sockets}))


def _listening() -> list[tuple[int, str]]:
    """The port and the inode of each socket that listens where a connection to 127.0.0.1 arrives."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for line in lines:
            _, local, _, state, *_, inode = line.split()[:10]
            address, _, port = local.partition(":")
            if state == _LISTEN and address in _OURS_WOULD_GET_IT:
                found.append((int(port, 16), inode))
    return found


def _sockets_of(pid: int) -> set[str] | None:
    """The inodes of the sockets that a process holds; ``None`` if it does not let us see."""
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(link.readlink())
            except FileNotFoundError:  # closed meanwhile
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except FileNotFoundError:  # it has ended
        return set()
    except OSError:
        return None
    return found


def _processes() -> Iterable[int]:
    return (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _ports_by_psutil(pids: Iterable[int]) -> set[int]:
    found = set()
    for pid in pids:
        try:
            lines = psutil.Process(pid).net_connections("inet")
        except psutil.Error:
            continue
        found |= {each.laddr.port for each in lines if each.status == psutil.CONN_LISTEN}
    return found


def _any_holder(port: int) -> Holder | None:
    for each in psutil.process_iter():
        if port in _ports_by_psutil([each.pid]):
            return Holder(pid=each.pid, program=each.name())
    return None
