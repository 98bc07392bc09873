"""Decides whether an HTTP response is the expected one, with its Content-Encoding removed."""

from json import dumps
from typing import Self

from pytest_webbench.analysis.responses import Mismatch, judge
from pytest_webbench.load import failures
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.coding import CodingError, decode, excerpt_of
from pytest_webbench.load.http1.response import Response
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange
from pytest_webbench.model.load import ErrorClass, Load

__all__ = ["PreparedRequest", "PreparedRequests", "bytes_to_keep", "judge_response", "judge_whole"]


def bytes_to_keep(answer: Answer) -> int:
    """Return how many bytes of a body to keep for judging.

    An expected body has no more, unless it is padded.
    """
    if answer.rule is BodyRule.TEXT:
        return 2**10 + len(answer.text.encode())
    if answer.rule is not BodyRule.JSON:
        return 2**10
    return 2**20 + 16 * len(dumps(answer.json, default=repr))


def judge_whole(answer: Answer, response: Response) -> Mismatch | None:
    """Return what is wrong with ``response``, kept up to :func:`bytes_to_keep`.

    ``None`` if it is as expected.
    """
    if response.status == answer.status and not response.complete:
        return failures.too_long_body(response.size)
    return judge_response(
        answer,
        response.status,
        response.body,
        size=response.size,
        most=bytes_to_keep(answer),
        coding=response.coding,
    )


def judge_response(
    answer: Answer, status: int, body: bytes, *, size: int, most: int, coding: str
) -> Mismatch | None:
    """Return what is wrong with a response, compared with ``answer``; ``None`` if it is as expected.

    Its body has ``size`` bytes, of which ``body`` was kept; an expected body has no more than
    ``most``, both as sent and without its ``coding``.
    """
    if status != answer.status:
        return judge(answer, status, excerpt_of(body, coding))
    if answer.rule is BodyRule.ANY:
        return None
    if size > most:
        return failures.too_long_body(size)
    if coding and body:
        try:
            body = decode(body, coding, most=most)
        except CodingError as exc:
            return Mismatch(error=ErrorClass.WRONG_BODY, why=str(exc))
    return judge(answer, status, body)


_REMEMBERED = 32 * 2**20
"""The total bytes of expected responses to remember."""


class PreparedRequest:
    """A prepared exchange: its request as bytes, and what is known of its expected response.

    ``right_body`` is the last body that was judged successful, as it came with the Content-Encoding
    ``right_coding``, and ``right_bytes`` the last complete successful response with its headers: a response
    equal to it is successful, too.
    """

    __slots__ = ("exchange", "is_head", "kept", "right_body", "right_bytes", "right_coding", "wire")

    def __init__(self, exchange: Exchange, wire: bytes) -> None:
        self.exchange = exchange
        self.wire = wire
        self.is_head = exchange.request.method == "HEAD"
        self.kept = bytes_to_keep(exchange.answer)
        self.right_body: bytes | None = None
        self.right_coding = ""
        self.right_bytes: bytes | None = None


class PreparedRequests:
    """The prepared requests of a load, and the memory of their successful responses."""

    def __init__(self, prepared_requests: list[PreparedRequest]) -> None:
        self.all = prepared_requests
        self.room = _REMEMBERED

    @classmethod
    def of(cls, load: Load, target: Target) -> Self:
        """Prepare the requests of ``load``.

        Raises :class:`LoadError` if it is invalid or one cannot be encoded.
        """
        if load.users < 1 or not load.exchanges or not load.timeout_s > 0:
            raise LoadError("A load needs at least one user, one exchange, and a timeout above 0.")
        return cls([PreparedRequest(one, encode(one.request, target)) for one in load.exchanges])

    def judge(
        self,
        prepared: PreparedRequest,
        status: int,
        body: bytes,
        *,
        size: int,
        coding: str,
        whole: bytes | None,
    ) -> Mismatch | None:
        """Return what is wrong with a response; a successful one is remembered.

        Its body has ``size`` bytes, of which ``body`` was kept; ``whole`` holds the response if it came in
        one piece.
        """
        expected = prepared.exchange.answer
        is_known = body == prepared.right_body and coding == prepared.right_coding and size == len(body)
        if not (is_known and status == expected.status):
            fault = judge_response(expected, status, body, size=size, most=prepared.kept, coding=coding)
            if fault is not None:
                return fault
        self._remember(prepared, body, coding, whole)
        return None

    def _remember(self, prepared: PreparedRequest, body: bytes, coding: str, answer: bytes | None) -> None:
        """Remember a successful body, and the whole response if it came in one piece, while there is room."""
        cost = len(body) + len(answer or b"")
        freed = len(prepared.right_body or b"") + len(prepared.right_bytes or b"")
        if cost - freed <= self.room:
            self.room -= cost - freed
            prepared.right_body = body
            prepared.right_coding = coding
            prepared.right_bytes = answer
