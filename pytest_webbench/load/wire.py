"""The address that a load goes to, and its requests as the bytes that are sent there."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_webbench.errors import LoadError
from pytest_webbench.values.exchange import Request

__all__ = ["Target", "encode"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(r"/[!-~]*")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go: ``prefix`` stands before each path, and is empty or begins with a slash."""

    host: str
    port: int
    prefix: str = ""

    @classmethod
    def parse(cls, base_url: str) -> "Target":
        """The target that ``base_url`` names, such as ``http://127.0.0.1:8000/api``.

        Raises :class:`LoadError` if it is no plain http:// address.
        """
        try:
            parts = urlsplit(base_url)
            port = 80 if parts.port is None else parts.port
        except ValueError as exc:
            raise LoadError(f"The address {base_url!r} cannot be read: {exc}.", hint=_HINT) from exc
        if parts.scheme != "http" or not parts.hostname or port == 0:
            raise LoadError(f"The address {base_url!r} is not of the form http://host:port.", hint=_HINT)
        if parts.username is not None or parts.query or parts.fragment:
            raise LoadError(f"The address {base_url!r} holds more than host, port and path.", hint=_HINT)
        prefix = parts.path.rstrip("/")
        if not parts.hostname.isascii() or (prefix and not _PATH.fullmatch(prefix)):
            raise LoadError(f"The address {base_url!r} holds characters that must be encoded.", hint=_HINT)
        return cls(host=parts.hostname, port=port, prefix=prefix)

    @property
    def authority(self) -> str:
        """Host and port as a Host header gives them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


def encode(request: Request, target: Target) -> bytes:
    """The HTTP/1.1 message that asks ``request`` of ``target``.

    Headers given by the request stand; Host, Accept, Content-Length and, for a body, Content-Type
    are added where they are missing. There is no Connection header: HTTP/1.1 keeps connections by
    default. Raises :class:`LoadError` for what cannot be sent as it stands.
    """
    _check(request)
    body = None if request.body is None else request.body.encode()
    given = {name.lower() for name, _ in request.headers}
    headers = [
        (name, value) for name, value in _defaults(request.method, body, target) if name.lower() not in given
    ]
    lines = [f"{request.method} {target.prefix}{request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in (*headers, *request.headers)]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def _defaults(method: str, body: bytes | None, target: Target) -> list[tuple[str, str]]:
    """The headers that a request has unless it says otherwise."""
    headers = [("Host", target.authority), ("Accept", "*/*")]
    if body is not None:
        headers.append(("Content-Type", "application/json"))
    if body is not None or method in {"POST", "PUT", "PATCH"}:
        headers.append(("Content-Length", str(len(body or b""))))
    return headers


def _check(request: Request) -> None:
    """Refuse what would not arrive as the one request that was meant."""
    if not _TOKEN.fullmatch(request.method) or not _PATH.fullmatch(request.path):
        raise LoadError(
            f"The request {request.method!r} {request.path!r} cannot be sent as it stands.",
            hint="write the method in ASCII letters, and the path from its slash on, percent-encoded",
        )
    if _SURROGATE.search(request.body or ""):
        raise LoadError(f"The body of {request.method} {request.path} holds half a surrogate pair.")
    for name, value in request.headers:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise LoadError(f"The header {name!r}: {value!r} cannot be sent as it stands.")
        if name.lower() in {"content-length", "transfer-encoding"}:
            raise LoadError(f"The header {name!r} is made by the load engine.", hint="leave it out")


_HINT = "give an address such as http://127.0.0.1:8000"
