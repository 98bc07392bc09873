"""The address that requests go to."""

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from pytest_webbench.analysis.text import mask_url
from pytest_webbench.model.errors import LoadError

__all__ = ["PATH", "Target"]

PATH = re.compile(r"/[!-~]*")
"""A path that is valid in a request."""

_HINT = "give an address such as http://127.0.0.1:8000"
_UNSAFE = re.compile(r"[^a-z0-9_.:-]")
_TLS = (
    "https is not supported: the generator speaks HTTP/1.1 without TLS",
    "measure the server without TLS, such as the port behind the proxy that ends TLS, by http://",
)
_UNIX = (
    "Unix sockets are not supported: the generator connects by TCP",
    "bind the server to 127.0.0.1 as well, and give that address",
)
_HTTP2 = (
    "HTTP/2 is not supported: the generator speaks HTTP/1.1",
    "most servers speak HTTP/1.1 on the same port: give the address as http://",
)
_SCHEMES = {
    "https": _TLS,
    "unix": _UNIX,
    "http+unix": _UNIX,
    "https+unix": _UNIX,
    "h2": _HTTP2,
    "h2c": _HTTP2,
    "http2": _HTTP2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go: ``prefix`` precedes each path, and is empty or begins with a slash.

    ``authorization`` is the header value made of the name and password in the address.
    """

    host: str
    port: int
    prefix: str = ""
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, base_url: str) -> "Target":
        """Parse ``base_url``, such as ``http://127.0.0.1:8000/api``.

        Raises :class:`LoadError` if it is not a plain ``http://`` address; the message contains no password.
        """
        try:
            parts = urlsplit(base_url)
        except ValueError as exc:
            raise _unreadable(base_url, f"cannot be read: {exc}") from None
        scheme = base_url.partition(":")[0].lower()
        if scheme in _SCHEMES:
            message, hint = _SCHEMES[scheme]
            raise LoadError(f"{message} ({mask_url(base_url)}).", hint=hint)
        host, port = _host_and_port(base_url, parts)
        if parts.query or parts.fragment:
            raise LoadError(
                f"The address {mask_url(base_url)!r} holds more than host, port and path.",
                hint="a base address has no query and no fragment: they belong in the requests",
            )
        prefix = parts.path.rstrip("/")
        if not _is_host(host) or (prefix and not PATH.fullmatch(prefix)):
            raise _unreadable(base_url, "holds characters that must be encoded")
        return cls(host=host, port=port, prefix=prefix, authorization=_basic(parts))

    @property
    def authority(self) -> str:
        """Host and port, as in a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without name and password."""
        return f"http://{self.authority}{self.prefix}"

    def unknown(self, exc: OSError) -> LoadError:
        """Return the error to raise if the lookup of the host ended with ``exc``."""
        return LoadError(f"The host {self.host!r} has no address: {exc}.")

    @property
    def name(self) -> str:
        """Host and port in a form that suits the id of a test and the patterns that select tests.

        An IPv6 address, whose brackets and colons have a meaning there, is written out in full, with dots:
        ``ip6-0.0.0.0.0.0.0.1:8000``.
        """
        name = _UNSAFE.sub("-", _without_colons(self.host).lower())
        return name if self.port == 80 else f"{name}:{self.port}"


def _host_and_port(base_url: str, parts: SplitResult) -> tuple[str, int]:
    try:
        port = 80 if parts.port is None else parts.port
    except ValueError as exc:  # its message may quote a password
        why = "its port is not a number from 1 to 65535" if "Port" in str(exc) else "it cannot be read"
        raise _unreadable(base_url, f"cannot be read: {why}") from None
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise _unreadable(base_url, "is not of the form http://host:port")
    return parts.hostname, port


def _is_host(host: str) -> bool:
    """Tell whether a resolver accepts ``host``."""
    try:
        return bool(host.encode("idna")) and host.isascii() and not re.search(r"[\s\x00-\x20\x7f]", host)
    except UnicodeError:
        return False


def _unreadable(base_url: str, what: str) -> LoadError:
    return LoadError(f"The address {mask_url(base_url)!r} {what}.", hint=_HINT)


def _basic(parts: SplitResult) -> str | None:
    """Return the header value for the name and password of an address, percent-decoded; ``None`` without."""
    if parts.username is None and parts.password is None:
        return None
    pair = unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def _without_colons(host: str) -> str:
    if ":" not in host:
        return host
    address, _, zone = host.partition("%")
    try:
        groups = ipaddress.IPv6Address(address).exploded.split(":")
    except ValueError:
        return host.replace(":", "-")
    return "ip6-" + ".".join(f"{int(group, 16):x}" for group in groups) + (f"-{zone}" if zone else "")
