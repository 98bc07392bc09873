"""The open loop: requests go out when they are due."""

import math
import threading
import time
from itertools import islice, pairwise

import pytest

from pytest_webbench.load.schedule import due_ns
from pytest_webbench.model.load import Arrivals, Schedule

from .loads import HELLO_JSON, carry_out, make_load, unaccounted
from .servers import Peer, Server, json_answer

RIGHT = json_answer(HELLO_JSON)


def say_hello(server: Server, peer: Peer, number: int) -> None:
    peer.send(RIGHT)


@pytest.mark.parametrize("arrivals", list(Arrivals))
def test_all_that_is_due_is_sent_and_accounted_for(arrivals: Arrivals) -> None:
    schedule = Schedule(rate=500, arrivals=arrivals, seed=3)
    due = sum(1 for _ in _until(schedule, 1.0))
    with Server(say_hello) as server:
        result = carry_out(make_load(users=20, duration_s=1.0, schedule=schedule), server.url)
        server.wait()
        assert server.requests == result.sent
    assert result.scheduled == due
    assert result.sent + result.dropped == due
    assert result.dropped <= 5  # at most what was due in the very last moment
    assert (result.errors, unaccounted(result)) == ({}, 0)
    assert len(result.latency_ns) == len(result.service_ns) == len(result.ttfb_ns) == result.ok


def _until(schedule: Schedule, end_s: float) -> list[int]:
    return [due for due in islice(due_ns(schedule), 100_000) if due < end_s * 1e9]


def test_a_number_of_requests_is_sent_at_the_rate_and_ends_with_the_last() -> None:
    with Server(say_hello) as server:
        load = make_load(users=10, requests=100, schedule=Schedule(rate=200))
        result = carry_out(load, server.url)
    assert (result.scheduled, result.sent, result.ok, result.dropped) == (100, 100, 100, 0)
    assert result.elapsed_s >= 99 / 200


def test_a_wait_for_a_free_connection_is_latency_and_no_service_time() -> None:
    """One user, 20 ms a request, 100 requests a second: every second request has no place."""

    def slow(server: Server, peer: Peer, number: int) -> None:
        time.sleep(0.02)
        peer.send(RIGHT)

    with Server(slow) as server:
        load = make_load(users=1, duration_s=1.0, schedule=Schedule(rate=100))
        result = carry_out(load, server.url)
    assert result.scheduled == 100
    assert result.dropped == 100 - result.sent > 20
    latencies = sorted(result.latency_ns.samples)
    assert latencies[-1] > 0.25e9  # the queue has grown
    assert sorted(result.service_ns.samples)[len(result.service_ns) // 2] < 0.04e9
    pairs = zip(result.latency_ns.samples, result.service_ns.samples, result.ttfb_ns.samples, strict=True)
    assert all(latency >= service >= ttfb for latency, service, ttfb in pairs)


def test_a_connection_that_is_closed_while_it_is_free_loses_nothing() -> None:
    """As servers do after a few seconds without a request."""

    def close_after(server: Server, peer: Peer, number: int) -> None:
        peer.send(RIGHT)
        peer.close()

    with Server(close_after) as server:
        result = carry_out(make_load(users=4, requests=60, schedule=Schedule(rate=300)), server.url)
        server.wait()
        assert server.connections >= server.requests
    assert (result.sent, unaccounted(result)) == (60, 0)
    assert result.ok + result.errors.get("stale_connection", 0) == 60
    assert result.ok > 30


def test_bytes_that_come_unasked_cost_the_next_request() -> None:
    def chatty(server: Server, peer: Peer, number: int) -> None:
        peer.send(RIGHT)
        if number == 10:
            peer.send(RIGHT)

    with Server(chatty) as server:
        result = carry_out(make_load(users=1, requests=30, schedule=Schedule(rate=300)), server.url)
    assert (result.ok, result.errors) == (29, {"malformed": 1})


def test_requests_to_nobody_are_lost_and_counted() -> None:
    with Server(say_hello) as server:
        url = server.url
        server.refuse()
        result = carry_out(make_load(users=3, requests=20, schedule=Schedule(rate=200)), url)
    assert (result.ok, result.errors, unaccounted(result)) == (0, {"connect_refused": 20}, 0)


def test_a_request_that_has_had_its_time_is_counted_and_the_others_go_on() -> None:
    def hold_one(server: Server, peer: Peer, number: int) -> None:
        if number == 5:
            peer.hold()
        else:
            peer.send(RIGHT)

    with Server(hold_one) as server:
        load = make_load(users=3, requests=50, timeout_s=0.3, schedule=Schedule(rate=200))
        result = carry_out(load, server.url)
    assert (result.ok, result.errors) == (49, {"response_timeout": 1})


def test_a_request_goes_out_when_it_is_due_while_others_wait_for_their_answers() -> None:
    """The first ten are answered when the eleventh has come: only an open loop gets there."""
    eleventh = threading.Event()

    def wait_for_it(server: Server, peer: Peer, number: int) -> None:
        if number == 10:
            eleventh.set()
        assert eleventh.wait(30)
        peer.send(RIGHT)

    with Server(wait_for_it) as server:
        result = carry_out(make_load(users=20, requests=20, schedule=Schedule(rate=100)), server.url)
    assert result.ok == 20


def test_constant_arrivals_do_not_drift() -> None:
    due = list(islice(due_ns(Schedule(rate=3, offset_s=0.5)), 30_001))
    assert due[0] == 500_000_000
    assert due[30_000] == 10_000_500_000_000
    gaps = {after - before for before, after in pairwise(due)}
    assert gaps <= {333_333_333, 333_333_334}


def test_poisson_arrivals_have_exponential_gaps_and_repeat_with_their_seed() -> None:
    schedule = Schedule(rate=1000, arrivals=Arrivals.POISSON, seed=7)
    due = list(islice(due_ns(schedule), 20_000))
    assert due == list(islice(due_ns(schedule), 20_000))
    gaps = [(after - before) / 1e9 for before, after in pairwise(due)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(0.001, rel=0.05)
    assert sum(gap > mean for gap in gaps) / len(gaps) == pytest.approx(1 / math.e, abs=0.02)


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan])
def test_a_rate_that_makes_no_sense(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Schedule(rate=rate)
