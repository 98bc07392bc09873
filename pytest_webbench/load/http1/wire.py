"""HTTP/1.1 on the wire, for the check and the load: requests as bytes, and the size limits of responses."""

import re

from pytest_webbench.analysis.text import mask_path
from pytest_webbench.load.http1.address import PATH, Target
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Request

__all__ = ["MAX_HEAD", "MAX_RESPONSE", "USER_AGENT", "default_headers", "encode"]

USER_AGENT = "pytest-webbench"
"""The User-Agent of requests: without a version, so that a release does not change their bytes."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def encode(request: Request, target: Target) -> bytes:
    """Return ``request``, to ``target``, as an HTTP/1.1 message.

    Headers of the request itself win; :func:`default_headers` and Content-Length are added
    where they are missing. There is no Connection header: HTTP/1.1 keeps connections by default.
    Raises :class:`LoadError` if the request cannot be sent as it stands.
    """
    _check(request)
    body = None if request.body is None else request.body.encode()
    headers = [*default_headers(request, target), *request.headers]
    if body is not None or request.method in {"POST", "PUT", "PATCH"}:
        headers.insert(len(headers) - len(request.headers), ("Content-Length", str(len(body or b""))))
    lines = [f"{request.method} {target.prefix}{request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def default_headers(request: Request, target: Target) -> list[tuple[str, str]]:
    """Return the headers of ``request`` unless it has its own; Content-Length is not among them."""
    headers = [("Host", target.authority), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    if target.authorization is not None:
        headers.append(("Authorization", target.authorization))
    if request.body is not None:
        headers.append(("Content-Type", "application/json"))
    given = {name.lower() for name, _ in request.headers}
    return [(name, value) for name, value in headers if name.lower() not in given]


def _check(request: Request) -> None:
    """Raise :class:`LoadError` if the request would not arrive as exactly the one request intended."""
    if not _TOKEN.fullmatch(request.method) or not PATH.fullmatch(request.path):
        raise LoadError(
            f"The request {request.method!r} {mask_path(request.path)!r} cannot be sent as it stands.",
            hint="write the method in ASCII letters, and the path from its slash on, percent-encoded",
        )
    where = f"{request.method} {mask_path(request.path)}"
    if isinstance(request.body, bytes | bytearray | memoryview):
        raise LoadError(
            f"The body of {where} is bytes, which is not supported: a body is text, sent as UTF-8.",
            hint="give it as str, and binary data in Base64 if the application can read that",
        )
    if _SURROGATE.search(request.body or ""):
        raise LoadError(f"The body of {where} holds half a surrogate pair.")
    for name, value in request.headers:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise LoadError(
                f"The header {name!r} of {where} cannot be sent as it stands.",
                hint="a name has ASCII letters, digits and hyphens, a value is one line of printable text",
            )
        if name.lower() in {"content-length", "transfer-encoding"}:
            raise LoadError(
                f"The header {name!r} of {where} is made by the load engine.", hint="leave it out"
            )


MAX_HEAD = 64 * 2**10
"""The size limit of a response's headers in bytes, with any interim responses before it."""
MAX_RESPONSE = 64 * 2**20
"""The size limit of a response in bytes, as sent, and of its decoded body."""
