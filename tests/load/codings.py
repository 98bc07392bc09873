"""Responses with a Content-Encoding, and which of them are right, by any engine."""

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress

from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Load, LoadResult

from .loads import make_load
from .servers import Peer, Server, answer

__all__ = ["check_codings"]

EXPECTED = {"text": "a" * 5000}
BODY = json.dumps(EXPECTED).encode()
OTHER = json.dumps({"text": "b" * 5000}).encode()


def packed(coding: str, body: bytes) -> bytes:
    return answer(body, headers=(f"Content-Encoding: {coding}", "Content-Type: application/json"))


RIGHT = {
    "/gzip": packed("gzip", gzip.compress(BODY)),
    "/deflate": packed("deflate", zlib.compress(BODY)),
    "/plain": answer(BODY),
}
WRONG = {
    "/other": packed("gzip", gzip.compress(OTHER)),
    "/unpacked": answer(gzip.compress(BODY)),  # says nothing of what it is
}


def check_codings(run: Callable[[Load, str], LoadResult]) -> None:
    """An engine whose ``run`` is given unpacks what is right, and finds what is wrong."""
    responses = {**RIGHT, **WRONG}
    exchanges = [
        Exchange(request=Request(path=path), answer=Answer(rule=BodyRule.JSON, json=EXPECTED))
        for path in responses
    ]

    def respond(server: Server, peer: Peer, number: int) -> None:
        with suppress(OSError):
            peer.send(responses[peer.path])

    with Server(respond) as server:
        result = run(make_load(*exchanges, users=2, requests=6 * len(exchanges)), server.url)
    assert (result.ok, result.errors) == (6 * len(RIGHT), {"wrong_body": 6 * len(WRONG)})
