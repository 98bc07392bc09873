"""A container engine: how to find it, connect to it, and bound its calls."""

import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pytest_webbench.model.errors import EngineError

if TYPE_CHECKING:
    import docker

__all__ = [
    "CALL_TIMEOUT_S",
    "ENGINE_FAULTS",
    "Engine",
    "bound_calls",
    "brought_to_its_end",
    "connect",
    "said",
    "within",
]

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10.0
"""How long finding an engine that responds may take in all."""
ANSWER_TIMEOUT_S = 4
"""How long an engine may take to respond to a call of its own; finding it takes a few calls."""
CALL_TIMEOUT_S = 120
"""How long a call may take once the engine has responded, from its sending to its last byte."""
LOOPBACK = "127.0.0.1"
_DEFAULT_SOCKET = "/var/run/docker.sock"
_SOCKET = "TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE"


def _faults() -> tuple[type[Exception], ...]:
    import docker.errors  # noqa: PLC0415
    import requests.exceptions  # noqa: PLC0415

    # OSError: sockets that vanish; TypeError: a response that is not a JSON object.
    return (docker.errors.DockerException, requests.exceptions.RequestException, OSError, TypeError)


ENGINE_FAULTS = _faults
"""The exceptions with which a failing engine shows itself; a function, because their import is slow."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that responds.

    ``shares_network`` says whether a container on the engine's host network is on ours, too: a local
    Linux engine that runs as root. ``host`` is where published ports are reached, ``bind`` the address
    that they are published on (``None``: all of the engine's).
    """

    client: "docker.DockerClient"
    name: str
    host: str
    bind: str | None
    shares_network: bool
    architecture: str = "x86_64"

    def close(self) -> None:
        """Close the connections to the engine."""
        with suppress(*_faults()):
            self.client.close()


def connect() -> Engine:
    """Return the engine that testcontainers would use: its properties, ``DOCKER_HOST``, or Docker's context.

    Raises :class:`~pytest_webbench.model.errors.EngineError` with the reason, within ten seconds.
    """
    try:
        client, info, product = within(CONNECT_TIMEOUT_S, _introduce)
    except _faults() as error:
        raise EngineError(
            f"no container engine answers: {said(error)}",
            hint="start the engine, set DOCKER_HOST, or use --webbench-launcher=process",
        ) from None
    client.api.timeout = CALL_TIMEOUT_S
    bound_calls(client)
    if info.get("OSType", "linux") != "linux":
        raise EngineError(f"the container engine runs {info['OSType']} containers; Linux ones are needed")
    host, local = _host_of(client.api.base_url)
    return Engine(
        client=client,
        name=f"{product} {info.get('ServerVersion', '')}".strip(),
        host=host,
        bind=LOOPBACK if host == LOOPBACK else None,
        architecture=str(info.get("Architecture", "x86_64")),
        shares_network=local and sys.platform == "linux" and not _is_apart(info),
    )


def _introduce() -> "tuple[docker.DockerClient, dict[str, Any], str]":
    """Return an engine, its own description, and its product name."""
    client = _client()
    return client, client.info(), _product(client)


def bound_calls(client: "docker.DockerClient") -> None:
    """Bound the total time of each call: the library restarts the timeout with each byte received.

    Streams are not bounded here: a build, the output of a command.
    """
    api: Any = client.api
    send = api.send

    def bounded_send(request: Any, **settings: Any) -> Any:
        return within(CALL_TIMEOUT_S, lambda: send(request, **settings))

    api.send = bounded_send


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """Return or raise the result of ``call``; :class:`TimeoutError` if it takes longer than ``timeout_s``.

    Then its thread is abandoned, which does not keep this process from exiting.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # passed on to the waiting caller
            outcome.set_exception(error)

    threading.Thread(target=run, name="webbench-engine", daemon=True).start()
    try:
        return outcome.result(timeout_s)
    except TimeoutError:
        if outcome.done():  # raised by the call itself
            raise
        raise TimeoutError(f"timed out: not done within {timeout_s:g} s") from None


def _client() -> "docker.DockerClient":
    # On import testcontainers asks the engine for its socket, for a minute if it does not respond, unless
    # the variable is set. It serves the reaper only, which is not used.
    had_socket = _SOCKET in os.environ
    os.environ.setdefault(_SOCKET, _DEFAULT_SOCKET)
    try:
        from testcontainers.core.docker_client import DockerClient, get_docker_host  # noqa: PLC0415
    finally:
        if not had_socket:
            del os.environ[_SOCKET]
    _ping(get_docker_host() or f"unix://{_DEFAULT_SOCKET}")
    client: docker.DockerClient = DockerClient(timeout=ANSWER_TIMEOUT_S).client
    return client


def _ping(address: str) -> None:
    """Ping the engine, with our own socket.

    The client library leaves its sockets open if nothing responds, of which pytest warns later. Raises
    :class:`OSError`; addresses that are neither a local socket nor plain TCP are left to the library.
    """
    parts = urlsplit(address)
    target: str | tuple[str, int]
    if parts.scheme == "unix":
        line, target = socket.socket(socket.AF_UNIX), parts.path
    elif parts.scheme in ("tcp", "http") and not os.environ.get("DOCKER_TLS_VERIFY"):
        line, target = socket.socket(), (parts.hostname or LOOPBACK, parts.port or 2375)
    else:
        return
    with line:
        line.settimeout(ANSWER_TIMEOUT_S)
        line.connect(target)
        line.sendall(b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
        if not line.recv(1):
            raise ConnectionError("it closes connections without an answer")


def _host_of(base_url: str) -> tuple[str, bool]:
    """Return where the engine's published ports are, and whether it is reached through a local socket."""
    parts = urlsplit(base_url)
    if parts.scheme.startswith("http+") and parts.hostname != "ssh":
        return LOOPBACK, True
    host = parts.hostname or LOOPBACK
    return (LOOPBACK, False) if host == "localhost" else (host, False)


def _is_apart(info: dict[str, Any]) -> bool:
    """Return whether the engine's host network is not the one of this machine, though its socket is here."""
    options = " ".join(info.get("SecurityOptions") or [])
    return "rootless" in options or "Docker Desktop" in info.get("OperatingSystem", "")


def _product(client: "docker.DockerClient") -> str:
    components = client.version().get("Components") or []
    return "Podman" if any("podman" in each.get("Name", "").lower() for each in components) else "Docker"


def brought_to_its_end(call: Callable[[], T]) -> T:
    """Return the result of ``call``. An interrupt meanwhile is raised when it has returned.

    An engine carries on with a request whether anybody waits or not: a container that is just being
    created would only appear after the search for containers to remove.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(int).result()  # from here on its thread is known, and will be joined in any case
        return pool.submit(call).result()


def said(error: Exception) -> str:
    """Return the message of an engine's error in one line, without the layers around it."""
    explanation = getattr(error, "explanation", None)
    text = explanation if isinstance(explanation, str) and explanation else str(error)
    lines = text.strip().splitlines() or [type(error).__name__]
    line = lines[0]
    if "Read timed out" in line or "timed out" in line:
        return "it does not respond (timed out)"
    for sign in ("No such file or directory", "Connection refused", "Permission denied"):
        if sign in line:
            return sign.lower()
    return line if len(line) <= 200 else f"{line[:197]}..."
