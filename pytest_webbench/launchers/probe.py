"""Single requests outside of any timing: is the server up, does it answer rightly?"""

import httpx

from pytest_webbench.values.exchange import Request

__all__ = ["open_client", "send"]


def open_client(base_url: str, *, timeout_s: float) -> httpx.Client:
    """A client whose way to the server is direct: without the proxies and certificates of the environment."""
    return httpx.Client(base_url=base_url, trust_env=False, verify=False, timeout=timeout_s)  # noqa: S501


def send(client: httpx.Client, request: Request) -> httpx.Response:
    """The answer to ``request``, sent with the headers that the load engine would send it with.

    Raises :class:`httpx.HTTPError` if there is none.
    """
    headers = list(request.headers)
    if request.body is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    content = request.body.encode() if request.body is not None else None
    return client.request(request.method, request.path, content=content, headers=headers)
