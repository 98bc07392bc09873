"""What k6 says of a request that failed, as a fault of this package."""

from dataclasses import dataclass

from pytest_webbench.analysis.responses import Fault, judge
from pytest_webbench.load.http1.words import other_protocol
from pytest_webbench.model.http import Answer
from pytest_webbench.model.load import ErrorClass

__all__ = ["Loss", "answer_fault", "loss_fault"]

_TIMEOUTS = {1050, 1211}
_RESET = 1220
_ENDS = {1200, 1201, 1202, _RESET}
_END_WORDS = ("EOF", "closed")
_EXHAUSTED_WORDS = (
    "too many open files",
    "cannot assign requested address",
    "can't assign requested address",
    "no buffer space available",
    "cannot allocate memory",
)
_WHY = {
    ErrorClass.CONNECT_REFUSED: "no connection",
    ErrorClass.CONNECT_TIMEOUT: "no connection within the timeout",
    ErrorClass.CLIENT_EXHAUSTED: "the generator cannot connect",
    ErrorClass.RESET: "the connection ended without an answer",
    ErrorClass.STALE_CONNECTION: "the connection ended without an answer, after it had served before",
    ErrorClass.RESPONSE_TIMEOUT: "no whole answer within the timeout",
    ErrorClass.TRUNCATED: "the connection ended in the middle of the answer",
    ErrorClass.MALFORMED: "the answer cannot be read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A request without a whole answer.

    ``code`` is one of the `error codes of k6
    <https://grafana.com/docs/k6/latest/javascript-api/error-codes/>`_, ``error`` its words. The request had a
    connection if ``connected``, and that was made for it if ``is_new``; the answer had begun to come if
    ``begun``.
    """

    code: int
    error: str
    connected: bool
    is_new: bool
    begun: bool


def loss_fault(loss: Loss) -> Fault:
    """The fault that ``loss`` is."""
    error = _class_of(loss)
    if error is ErrorClass.MALFORMED and (why := _other_protocol(loss.error)):
        return Fault(error=error, why=why)
    return Fault(error=error, why=f"{_WHY[error]} ({loss.error})")


def answer_fault(answer: Answer, status: int, body: str | None) -> Fault:
    """What is wrong with an answer that the script found wrong; ``body`` may not be known."""
    fault = judge(answer, status, (body or "").encode("utf-8", "replace"))
    if fault is not None and (body is not None or status != answer.status):
        return fault
    return Fault(error=ErrorClass.WRONG_BODY, why="the body is not the one expected")


def _class_of(loss: Loss) -> ErrorClass:
    if not loss.connected:
        return _class_of_connect(loss)
    if loss.code in _TIMEOUTS:
        return ErrorClass.RESPONSE_TIMEOUT
    ended = loss.code in _ENDS or any(word in loss.error for word in _END_WORDS)
    if loss.begun:
        return ErrorClass.TRUNCATED if ended else ErrorClass.MALFORMED
    if loss.is_new or loss.code == _RESET:
        return ErrorClass.RESET
    return ErrorClass.STALE_CONNECTION


def _class_of_connect(loss: Loss) -> ErrorClass:
    if any(words in loss.error for words in _EXHAUSTED_WORDS):
        return ErrorClass.CLIENT_EXHAUSTED
    return ErrorClass.CONNECT_TIMEOUT if loss.code in _TIMEOUTS else ErrorClass.CONNECT_REFUSED


def _other_protocol(words: str) -> str:
    """What the server speaks instead of HTTP/1.1, by what Go quotes of it; empty if that is unknown."""
    _, quoted, rest = words.partition('malformed HTTP response "')
    begun = rest.rpartition('"')[0].encode("latin-1", "replace").decode("unicode_escape", "replace")
    return other_protocol(begun.encode("latin-1", "replace")) if quoted else ""
