"""Whether it is the server that was launched which listens on its port."""

from pathlib import Path

from pytest_webbench.errors import StartError
from pytest_webbench.meters.listening import foreign_holder, ports_of

__all__ = ["PORT_ATTEMPTS", "PortTakenError", "explain_silence", "refuse_other_servers"]

PORT_ATTEMPTS = 3
"""On how many ports a stack is started before it is given up, where others take them."""


class PortTakenError(StartError):
    """Another process has the port; on another port it may go well."""


def refuse_other_servers(name: str, pid: int, port: int, home: Path | None = None) -> None:
    """Raise if somebody listens on ``port`` of this machine who is not of the tree of ``pid``.

    ``home`` is the home folder of the launch, by which what it started is known again. Raises
    :class:`PortTakenError`, and :class:`~pytest_webbench.errors.StartError` for a server that has put
    itself into the background.
    """
    holder = foreign_holder(pid, port)
    if holder is None:
        return
    if holder.pid is not None and home is not None and _is_home_of(holder.pid, home):
        raise StartError(
            f"{name} has put itself into the background: {holder} listens on its port, and is no descendant "
            "of the process that was started",
            hint="start it in the foreground: leave out --daemon and the like",
        )
    raise PortTakenError(
        f"another server has the port of {name}: {holder} listens on port {port}",
        hint="end that one, or let the command take the socket that it is given: {bind} or {fd}",
    )


def explain_silence(name: str, pid: int, port: int, log: str) -> None:
    """Raise :class:`~pytest_webbench.errors.StartError` if the server listens elsewhere than it should."""
    ports = ports_of(pid)
    if ports and port not in ports:
        shown = " and ".join(map(str, ports))
        raise StartError(
            f"{name} listens on port {shown}, not on the one that it was given ({port})",
            evidence=log,
            hint="let its command use {bind}, {fd} or {port}",
        )


def _is_home_of(pid: int, home: Path) -> bool:
    try:
        return f"HOME={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
