"""Which process of a server on this machine holds which connection, from ``/proc`` (Linux)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_webbench.host.meters.process_tree import ancestors, process_tree
from pytest_webbench.model.load import Held

__all__ = ["LISTEN", "TcpSocket", "held_by", "held_connections", "sockets_of", "tcp_sockets"]

ESTABLISHED, LISTEN = "01", "0A"


class TcpSocket(NamedTuple):
    """A row of the kernel's table of TCP sockets."""

    address: str
    """In hexadecimal words of the machine's byte order."""
    port: int
    peer_port: int
    state: str
    inode: str


def tcp_sockets(table: str, *, pid: int | str = "self", containing: str = "") -> Iterator[TcpSocket]:
    """Yield the rows of ``table`` (``tcp`` or ``tcp6``) that contain the text ``containing``.

    The table is that of the network of the process ``pid``. Raises :class:`OSError` if there is none.
    """
    for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
        if containing in line:
            _, local, remote, state, *_, inode = line.split()[:10]
            address, _, port = local.partition(":")
            yield TcpSocket(address, int(port, 16), int(remote.rpartition(":")[2], 16), state, inode)


def held_connections(pid: int, port: int) -> Held | None:
    """Return the connections to TCP ``port`` of the process ``pid`` and its descendants; ``None`` if unseen.

    A process accepts connections if it has a socket that listens on the port and none of its descendants
    has one: Gunicorn's first process holds it only for its workers. A process that holds connections accepts
    them, too; its forks count as helpers, as long as they hold none. A connection that waits in the kernel
    to be accepted has no holder yet.
    """
    try:
        return held_by(process_tree(pid), port)
    except OSError:  # not Linux, another user's process, or it has ended
        return None


def held_by(parents: Mapping[int, int], port: int) -> Held | None:
    """Return the connections to TCP ``port`` of processes, given with their ``parents``; ``None`` if unseen.

    Raises :class:`OSError` if one of them is not accessible.
    """
    if not parents:
        return None
    listening, connected = _sockets(next(iter(parents)), port)
    owned = {each: sockets_of(each) for each in parents}
    able = {each for each, inodes in owned.items() if inodes & listening}
    busy = {each for each in able if not owned[each].isdisjoint(connected)}
    takers = able - {ancestor for each in able for ancestor in ancestors(each, parents)}
    takers = busy | {each for each in takers if busy.isdisjoint(ancestors(each, parents))}
    holders = {inode: each for each in takers for inode in owned[each]}
    if not takers:
        return None
    by_port = {client: holders[inode] for inode, client in connected.items() if inode in holders}
    return Held(processes=tuple(sorted(takers)), by_port=by_port)


def _sockets(pid: int, port: int) -> tuple[set[str], dict[str, int]]:
    """Return the inodes of the sockets that listen on ``port``, and the client port of each connection.

    Not by :meth:`psutil.Process.net_connections`, which takes tens of milliseconds where thousands of
    closed connections linger, and this is asked several times before each load.
    """
    for table in ("tcp", "tcp6"):  # each takes the kernel milliseconds; connections are where the listener is
        listening: set[str] = set()
        connected: dict[str, int] = {}
        for each in tcp_sockets(table, pid=pid, containing=f":{port:04X}"):
            if each.port == port and each.state == LISTEN:
                listening.add(each.inode)
            elif each.port == port and each.state == ESTABLISHED:
                connected[each.inode] = each.peer_port
        if listening:
            break
    return listening, connected


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of a process's sockets. Raises :class:`OSError` if they are not accessible."""
    return set(_inodes(pid))


def _inodes(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
