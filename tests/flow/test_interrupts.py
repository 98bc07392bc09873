"""Ctrl-C and SIGTERM: that impatience does not break a clean-up off."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from pytest_webbench.interrupts import Interrupts
from pytest_webbench.values.load import Load
from tests.flow.conftest import RunWebbench

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


@pytest.mark.parametrize("number", NUMBERS)
def test_an_interrupt_that_is_lost_on_its_way_ends_the_run_all_the_same(
    run: RunWebbench, number: signal.Signals
) -> None:
    """It is raised wherever Python stands, and lost where that is a finaliser."""
    loads = 0

    def send(load: Load, stack: str) -> None:
        nonlocal loads
        loads += 1
        if loads == 3:
            with suppress(KeyboardInterrupt):
                os.kill(os.getpid(), number)

    outcome = run("--webbench-stack=flask-sqlite3", "--webbench-rounds=50", before_run=send)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert loads == 4  # the second trial, with its warm-up, is brought to its end
    assert len(outcome.lines_of_trials()) == 2
    events = outcome.doubles.launcher.events
    assert events.count("start flask-sqlite3") == events.count("end flask-sqlite3") == 1
