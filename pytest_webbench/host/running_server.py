"""A server that was already running on this machine: which process holds which connection (Linux)."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pytest_webbench.host.connections import LISTEN, held_by, sockets_of, tcp_sockets
from pytest_webbench.host.meters.process_tree import process_tree
from pytest_webbench.model.load import Held

__all__ = ["RunningServer"]

_FORWARDERS = frozenset(
    {
        "docker-proxy",
        "rootlessport",
        "rootlesskit",
        "slirp4netns",
        "pasta",
        "gvproxy",
        "ssh",
        "sshd",
        "kubectl",
    }
)
"""Processes that accept connections for others: what they hold says nothing about the server behind them."""


class RunningServer:
    """The server that listens at ``host`` and ``port``; nothing is inspected until needed.

    Only servers on this machine are visible, outside of containers with their own network, and only if this
    process may inspect theirs: as the same user, or as root.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._roots: tuple[int, ...] = ()

    def connections(self) -> Held | None:
        """Return which process holds which connection; ``None`` where that cannot be seen.

        All processes of the machine are searched once, and again if those found are gone.
        """
        held = self._held()
        if held is None:
            self._roots = _roots(self._host, self._port)
            held = self._held()
        return held

    def _held(self) -> Held | None:
        parents: dict[int, int] = {}
        for root in self._roots:
            parents |= process_tree(root)
        try:
            return held_by(parents, self._port) if parents else None
        except OSError:  # one has ended meanwhile, or belongs to another user
            return None


def _roots(host: str, port: int) -> tuple[int, ...]:
    """Return the first processes of the server; none if not all of those that listen can be seen."""
    try:
        wanted = _own_addresses(host)
        listening = set(_listening(wanted, port)) if wanted else set()
        owners = _owners(listening)
    except OSError:  # not Linux
        return ()
    seen = {inode for inodes in owners.values() for inode in inodes}
    if not listening or seen != listening or any(_name(pid) in _FORWARDERS for pid in owners):
        return ()
    return tuple(sorted(pid for pid in owners if _parent(pid) not in owners))


def _own_addresses(host: str) -> set[str]:
    """Return the addresses of ``host`` in the kernel's format; none if one is not of this machine."""
    found = set()
    for family, _, _, _, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((address[0], 0))
            except OSError:
                return set()
        packed = socket.inet_pton(family, str(address[0]))
        found.add(_words(packed))
        if family == socket.AF_INET:
            found.add(_words(bytes(10) + b"\xff\xff" + packed))
    return found


def _words(packed: bytes) -> str:
    """Return an address in hexadecimal words of the machine's byte order, as the tables have it."""
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, 'little'):08X}" for word in words)


def _listening(wanted: set[str], port: int) -> Iterator[str]:
    """Yield the inodes of the sockets at which a connection to ``port`` of a wanted address may arrive."""
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a machine without IPv6
            for each in tcp_sockets(table):
                arrives = each.address in wanted or not int(each.address, 16)
                if each.state == LISTEN and each.port == port and arrives:
                    yield each.inode


def _owners(listening: set[str]) -> dict[int, set[str]]:
    """Return the processes that have any of the sockets, as far as they can be seen, and which they have."""
    owners = {}
    for folder in Path("/proc").iterdir() if listening else ():
        if folder.name.isdecimal():
            pid = int(folder.name)
            with suppress(OSError):  # it has ended, or belongs to another user
                if own := sockets_of(pid) & listening:
                    owners[pid] = own
    return owners


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
