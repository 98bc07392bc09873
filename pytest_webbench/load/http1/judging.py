"""Whether a response that came over HTTP is the right one, its Content-Encoding undone."""

from json import dumps

from pytest_webbench.analysis.responses import Mismatch, judge
from pytest_webbench.load import failures
from pytest_webbench.load.http1.coding import CodingError, decode, excerpt_of
from pytest_webbench.load.http1.response import Response
from pytest_webbench.model.http import Answer, BodyRule
from pytest_webbench.model.load import ErrorClass

__all__ = ["bytes_to_keep", "judge_response", "judge_whole"]


def bytes_to_keep(answer: Answer) -> int:
    """How many bytes of a body are kept for judging; a right one has no more, unless it is padded."""
    if answer.rule is BodyRule.TEXT:
        return 2**10 + len(answer.text.encode())
    if answer.rule is not BodyRule.JSON:
        return 2**10
    return 2**20 + 16 * len(dumps(answer.json, default=repr))


def judge_whole(answer: Answer, response: Response) -> Mismatch | None:
    """What is wrong with ``response``, of which :func:`bytes_to_keep` were kept; ``None`` if it is right."""
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
    """``None`` if a response is what ``answer`` asks for, else what is wrong with it.

    Its body has ``size`` bytes, of which ``body`` are those that were kept; a right one has no more than
    ``most``, as sent and without its ``coding``.
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
