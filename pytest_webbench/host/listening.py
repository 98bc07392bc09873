"""The processes that listen on a port of this machine."""

import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_webbench.host.connections import LISTEN, TcpSocket, sockets_of, tcp_sockets
from pytest_webbench.host.meters.process_tree import process_tree

__all__ = ["Holder", "foreign_holder", "ports_of"]

TAKE_S = 1.0
"""How long a process may take to accept a connection, where that reveals which one serves."""
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
    """A process that listens; without its arguments, which may contain secrets.

    ``pid`` is ``None`` for one of another user, and ``program`` empty.
    """

    pid: int | None
    program: str = ""

    def __str__(self) -> str:
        if self.pid is None:
            return "a process of another user"
        return f"process {self.pid} ({self.program})" if self.program else f"process {self.pid}"


def foreign_holder(pid: int, port: int) -> Holder | None:
    """Return a process that listens on ``port`` of 127.0.0.1 and is not in the tree of ``pid``, if any.

    A process that inherited the socket of the tree (a helper in the background) counts only if it accepts a
    test connection. This process and the ancestors of the tree may have it open, too.
    ``None`` if there is none, as far as can be seen: the sockets of a tree of another user look like
    those of others. Where there is no ``/proc`` (macOS), only whether the tree listens at all is known.
    """
    if sys.platform != "linux":
        return None if port in ports_of(pid) else _any_holder(port)
    found = _holder(pid, port)
    # A process of the tree may end between two checks, with its socket: only a lasting holder counts.
    return _holder(pid, port) if found is not None and found.pid is None else found


def _holder(pid: int, port: int) -> Holder | None:
    listening = {inode for at, inode in _listening() if at == port}
    if not listening:
        return None
    tree = process_tree(pid)
    held = {each: _sockets_of(each) for each in tree}
    owned = {inode for sockets in held.values() for inode in sockets or ()}
    known = {os.getpid(), *_parents(pid)}
    sharing = []
    for other in _processes():
        sockets = (_sockets_of(other) or set()) & listening if other not in tree else set()
        if sockets - owned:
            return Holder(pid=other, program=_program(other))
        if sockets and other not in known:
            sharing.append(other)
    if sharing:
        taker = _taker(port, sharing)
        return Holder(pid=taker, program=_program(taker)) if taker else None
    return None if listening <= owned or None in held.values() else Holder(pid=None)


def _taker(port: int, candidates: Iterable[int]) -> int | None:
    """Return which of the processes takes a new connection; ``None`` if none does within :data:`TAKE_S`."""
    with socket.socket() as client:
        client.settimeout(TAKE_S)
        try:
            client.connect(("127.0.0.1", port))
        except OSError:
            return None
        here = client.getsockname()[1]
        deadline = time.monotonic() + TAKE_S
        while time.monotonic() < deadline:
            ours = (each for each in _connections() if (each.port, each.peer_port) == (port, here))
            inode = next((each.inode for each in ours), "0")
            if inode != "0":  # it has no holder until it is accepted
                return next((each for each in candidates if inode in (_sockets_of(each) or set())), None)
            time.sleep(0.005)
    return None


def _parents(pid: int) -> Iterator[int]:
    """Yield the processes above ``pid``."""
    try:
        yield from (each.pid for each in psutil.Process(pid).parents())
    except psutil.Error:
        return


def ports_of(pid: int) -> tuple[int, ...]:
    """Return the ports of this machine on which the process ``pid`` and its descendants listen for TCP."""
    if sys.platform != "linux":
        return tuple(sorted(_ports_by_psutil(process_tree(pid))))
    sockets: set[str] = set()
    for each in process_tree(pid):
        sockets |= _sockets_of(each) or set()
    return tuple(sorted({at for at, inode in _listening() if inode in sockets}))


def _listening() -> list[tuple[int, str]]:
    """Return the port and the inode of each socket that listens where a connection to 127.0.0.1 arrives."""
    return [(each.port, each.inode) for each in _connections() if each.state == LISTEN]


def _connections() -> Iterator[TcpSocket]:
    """Yield the sockets where a connection to 127.0.0.1 arrives."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):  # a kernel without IPv6
            yield from (each for each in tcp_sockets(table) if each.address in _OURS_WOULD_GET_IT)


def _sockets_of(pid: int) -> set[str] | None:
    """Return the inodes of the sockets that a process holds; ``None`` if it does not let us see."""
    try:
        return sockets_of(pid)
    except FileNotFoundError:  # it has ended
        return set()
    except OSError:
        return None


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
