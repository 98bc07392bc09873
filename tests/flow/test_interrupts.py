"""Ctrl-C and SIGTERM: that impatience does not break a clean-up off."""

import os
import signal
from collections.abc import Iterator

import pytest

from pytest_webbench.interrupts import Interrupts

NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def _installed() -> Iterator[None]:
    interrupts = Interrupts()
    interrupts.install()
    yield
    interrupts.remove()


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("number", NUMBERS)
def test_the_second_signal_waits_for_the_clean_up_and_the_third_does_not(number: signal.Signals) -> None:
    cleaned_up = []

    def end_in_the_midst() -> None:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            cleaned_up.append(True)

    with pytest.raises(KeyboardInterrupt, match=number.name):
        end_in_the_midst()
    assert cleaned_up
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_handlers_that_were_there_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    interrupts = Interrupts()
    interrupts.install()
    assert signal.getsignal(number) != before
    interrupts.remove()
    assert signal.getsignal(number) == before
