"""What a lost connection means, for all engines."""

import errno
import os

import pytest

from pytest_webbench.load import failures
from pytest_webbench.load.failures import Cause, error_class
from pytest_webbench.load.k6.faults import Loss, loss_fault
from pytest_webbench.model.load import ErrorClass


@pytest.mark.parametrize(
    ("cause", "connected", "begun", "served", "error"),
    [
        (Cause.ENDED, False, False, False, ErrorClass.CONNECT_REFUSED),
        (Cause.TIMED_OUT, False, False, False, ErrorClass.CONNECT_TIMEOUT),
        (Cause.EXHAUSTED, False, False, False, ErrorClass.CLIENT_EXHAUSTED),
        (Cause.TIMED_OUT, True, False, True, ErrorClass.RESPONSE_TIMEOUT),
        (Cause.TIMED_OUT, True, True, True, ErrorClass.RESPONSE_TIMEOUT),
        (Cause.ENDED, True, False, False, ErrorClass.RESET),
        (Cause.ENDED, True, False, True, ErrorClass.STALE_CONNECTION),
        (Cause.CUT, True, False, True, ErrorClass.RESET),
        (Cause.CUT, True, True, True, ErrorClass.TRUNCATED),
        (Cause.ENDED, True, True, False, ErrorClass.TRUNCATED),
        (Cause.UNREADABLE, True, True, False, ErrorClass.MALFORMED),
    ],
)
def test_how_a_lost_request_is_counted(
    cause: Cause, *, connected: bool, begun: bool, served: bool, error: ErrorClass
) -> None:
    assert error_class(cause, connected=connected, begun=begun, served=served) is error


def test_an_error_of_the_system_and_the_code_of_k6_for_it_are_counted_alike() -> None:
    for number, code, words in (
        (errno.ECONNREFUSED, 1212, "connection refused"),
        (errno.EMFILE, 1210, "socket: too many open files"),
        (errno.EADDRNOTAVAIL, 1210, "cannot assign requested address"),
    ):
        ours = failures.connect_failure(OSError(number, os.strerror(number)), timeout_s=1)
        theirs = loss_fault(Loss(code=code, error=words, connected=False, is_new=True, begun=False))
        assert ours.error is theirs.error
    for received, served in ((0, False), (0, True), (7, True)):
        ours = failures.loss(received, ConnectionResetError(errno.ECONNRESET, "reset"), served=served)
        lost = Loss(code=1220, error="reset", connected=True, is_new=not served, begun=received > 0)
        assert ours.error is loss_fault(lost).error


def test_a_connection_of_a_socket_with_itself_is_none() -> None:
    with pytest.raises(ConnectionRefusedError):
        failures.refuse_itself(("127.0.0.1", 5), ("127.0.0.1", 5))
    failures.refuse_itself(("127.0.0.1", 5), ("127.0.0.1", 6))
