"""Closing despite Ctrl-C."""

import pytest

from pytest_webbench.host.closing import close_despite_interrupt


class Resource:
    """Takes several calls to close: all but the last raise ``error``."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.closed = False

    def close(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self.closed = True


def test_an_undisturbed_close_happens_once() -> None:
    resource = Resource()
    close_despite_interrupt(resource.close)
    assert resource.calls == 1


def test_an_interrupted_close_is_completed_before_the_interrupt_is_raised() -> None:
    resource = Resource(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        close_despite_interrupt(resource.close)
    assert resource.closed


def test_a_second_interrupt_ends_the_attempt() -> None:
    resource = Resource(KeyboardInterrupt(), KeyboardInterrupt("again"))
    with pytest.raises(KeyboardInterrupt, match="again"):
        close_despite_interrupt(resource.close)
    assert resource.calls == 2


def test_an_error_of_the_close_itself_is_raised_and_not_retried() -> None:
    resource = Resource(OSError("disk"))
    with pytest.raises(OSError, match="disk"):
        close_despite_interrupt(resource.close)
    assert resource.calls == 1
