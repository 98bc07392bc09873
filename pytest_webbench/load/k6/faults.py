"""Translates k6's report of a failed request into a fault of this package."""

from dataclasses import dataclass

from pytest_webbench.analysis.responses import Mismatch, judge
from pytest_webbench.load.failures import Cause, error_class, in_short, other_protocol
from pytest_webbench.model.http import Answer
from pytest_webbench.model.load import ErrorClass

__all__ = ["Loss", "answer_fault", "loss_fault"]

_TIMEOUTS = {1050, 1211}
_RESET = 1220
_ENDS = {1200, 1201, 1202}
_END_WORDS = ("EOF", "closed")
_EXHAUSTED_WORDS = (
    "too many open files",
    "cannot assign requested address",
    "can't assign requested address",
    "no buffer space available",
    "cannot allocate memory",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A request without a complete response.

    ``code`` is one of the `error codes of k6
    <https://grafana.com/docs/k6/latest/javascript-api/error-codes/>`_, ``error`` its message. ``connected``:
    the request had a connection; ``is_new``: that was opened for it; ``begun``: part of the response had
    arrived.
    """

    code: int
    error: str
    connected: bool
    is_new: bool
    begun: bool


def loss_fault(loss: Loss) -> Mismatch:
    """Return the fault that ``loss`` amounts to."""
    error = _class_of(loss)
    if error is ErrorClass.MALFORMED and (why := _other_protocol(loss.error)):
        return Mismatch(error=error, why=why)
    return in_short(error, loss.error)


def answer_fault(answer: Answer, status: int, body: str | None) -> Mismatch:
    """Return what is wrong with a response that the script rejected; ``body`` may be unknown."""
    fault = judge(answer, status, (body or "").encode("utf-8", "replace"))
    if fault is not None and (body is not None or status != answer.status):
        return fault
    return Mismatch(error=ErrorClass.WRONG_BODY, why="the body is not the one expected")


def _class_of(loss: Loss) -> ErrorClass:
    return error_class(_cause(loss), connected=loss.connected, begun=loss.begun, served=not loss.is_new)


def _cause(loss: Loss) -> Cause:
    if not loss.connected and any(words in loss.error for words in _EXHAUSTED_WORDS):
        return Cause.EXHAUSTED
    if loss.code in _TIMEOUTS:
        return Cause.TIMED_OUT
    if loss.code == _RESET:
        return Cause.CUT
    ended = loss.code in _ENDS or any(word in loss.error for word in _END_WORDS)
    return Cause.ENDED if ended else Cause.UNREADABLE


def _other_protocol(words: str) -> str:
    """Return the protocol that the server speaks instead of HTTP/1.1, from Go's message; empty if unknown."""
    _, quoted, rest = words.partition('malformed HTTP response "')
    begun = rest.rpartition('"')[0].encode("latin-1", "replace").decode("unicode_escape", "replace")
    return other_protocol(begun.encode("latin-1", "replace")) if quoted else ""
