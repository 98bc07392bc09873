"""A server that stands still for a second, which an open loop shows, and a closed loop hides."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_webbench.analysis.statistics import percentiles
from pytest_webbench.model.load import Load, LoadResult

from .measuring import make_load, run
from .noise import attempted
from .running import Program

STALL_S = 1.0
RATE = 200
REQUESTS = 1000
BOUND_S = 0.05

pytestmark = pytest.mark.skipif(not hasattr(os, "waitid"), reason="nothing tells that a process has stopped")


@contextmanager
def continued(server: Program) -> Iterator[None]:
    """Continue ``server`` a while after it has stopped."""

    def wait_and_continue() -> None:
        if server.await_stop():
            time.sleep(STALL_S)  # how long it stands still, to the microsecond, is in its account
            server.send(signal.SIGCONT)

    thread = threading.Thread(target=wait_and_continue)
    thread.start()
    try:
        yield
    except BaseException:
        server.send(signal.SIGKILL)
        raise
    finally:
        thread.join()


def run_with_stall(load: Load, stop_at: int) -> tuple[LoadResult, float]:
    """The result of ``load``, and for how many seconds the server stood still at request ``stop_at``."""
    with Program("stalling", stop_at) as server, continued(server):
        result = run(load, server.url)
        stalled_s = server.account()["stalled_ns"] / 1e9
    assert stalled_s >= STALL_S
    assert (result.ok, result.errors) == (load.amount.requests, {})
    return result, stalled_s


def test_an_open_loop_shows_how_long_everybody_would_have_waited() -> None:
    """Who comes x after the stop waits for what is left of it: the stall less x.

    So of all requests a share of (stall - w) * rate / requests waits for w or longer, and the percentile p is
    the w at which that share is 1 - p. Here a fifth of the requests come during the stall.
    """
    shares = (0.9, 0.95, 0.99)

    def measure() -> tuple[object, object]:
        load = make_load(users=50, requests=REQUESTS, rate=RATE)
        result, stalled_s = run_with_stall(load, stop_at=300)
        predicted_s = [stalled_s - (1 - share) * REQUESTS / RATE for share in shares]
        seen_s = [value / 1e9 for value in percentiles([result.latency_ns], shares)]
        return seen_s, pytest.approx(predicted_s, abs=BOUND_S)

    seen, expected = attempted(measure)
    assert seen == expected


def test_a_closed_loop_hides_it_which_is_why_figures_say_their_loop() -> None:
    """Coordinated omission: while the server stands still its few users ask nothing, and one wait is counted
    for each."""
    users = 5
    load = make_load(users=users, requests=20_000)
    result, stalled_s = run_with_stall(load, stop_at=8_000)
    p99_ns, max_ns = percentiles([result.latency_ns], (0.99, 1.0))
    assert p99_ns / 1e9 < 0.1 * stalled_s
    assert max_ns / 1e9 >= stalled_s
    assert 1 <= sum(latency > stalled_s * 0.9e9 for latency in result.latency_ns.samples) <= users
