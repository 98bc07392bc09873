"""Each reason that makes a result invalid or doubtful."""

from array import array
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.metrics import time_per_request_s
from pytest_webbench.analysis.statistics import mean_interval
from pytest_webbench.analysis.validity import judge_cell, server_faults
from pytest_webbench.model.load import Arrivals, Latencies, LoadResult, Schedule
from pytest_webbench.model.measurement import Measurement, ServerUsage, StateCheck
from pytest_webbench.model.results import Validity
from tests.builders import make_result, make_round, make_rounds


def judge(*rounds: Measurement, planned: int | None = None) -> Validity:
    times = [time_per_request_s(each) for each in rounds if each.load.ok]
    result = mean_interval(times) if times else None
    return judge_cell(rounds, planned=len(rounds) if planned is None else planned, result=result)


def verdict_on(load: LoadResult) -> Validity:
    return judge(make_round(load))


def test_a_healthy_cell_is_valid_and_certain() -> None:
    assert judge(*make_rounds([0.010, 0.0101, 0.0099])) == Validity()
    assert Validity().valid


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ((), ()),
        ((4,), ()),
        ((3, 2), ()),
        ((3, 1), ("connections were not spread evenly across the server's processes (3 and 1)",)),
    ],
)
def test_connections_that_were_shared_unevenly_are_said(held: tuple[int, ...], said: tuple[str, ...]) -> None:
    assert verdict_on(make_result(held=held)) == Validity(warnings=said)


def test_a_single_healthy_round_is_valid() -> None:
    assert judge(make_round()) == Validity()


def test_rounds_that_were_not_made() -> None:
    verdict = judge(*make_rounds([0.01, 0.01]), planned=5)
    assert verdict == Validity(reasons=("only 2 of 5 rounds were made",))
    assert not verdict.valid


def test_failed_requests_by_class() -> None:
    load = make_result(requests=100)
    failed = replace(
        load,
        ok=97,
        errors={"wrong_status": 2, "reset": 1},
        latency_ns=Latencies(load.latency_ns.samples[:97]),
        error_s=0.03,
    )
    assert verdict_on(failed).reasons == ("3 of 100 requests failed (reset 1, wrong_status 2)",)


def test_a_wrong_database() -> None:
    state = StateCheck(checked=True, faults=("record 1 is absent", "record 2 is absent"))
    assert judge(make_round(state=state)).reasons == (
        "the database is wrong: record 1 is absent",
        "the database is wrong: record 2 is absent",
    )


def test_a_worker_that_was_replaced() -> None:
    verdict = judge(make_round(server=ServerUsage(cpu_s=0.1, replaced=True)))
    assert verdict.reasons == ("a server process exited or was replaced during a round",)


def test_no_request_completed() -> None:
    nothing = make_result(requests=0, elapsed_s=1.0, sent=4, in_flight=4, in_flight_s=4.0)
    assert verdict_on(nothing).reasons == ("no request was completed",)


def test_requests_that_do_not_add_up() -> None:
    load = make_result(requests=100, sent=110, in_flight=3)
    assert verdict_on(load).reasons == (
        "the requests do not add up: 110 sent, 100 completed, 0 failed, 3 in flight",
    )


@pytest.mark.parametrize(("fraction", "valid"), [(0.89, True), (0.91, False)])
def test_a_generator_that_was_the_limit(fraction: float, valid: bool) -> None:
    load = make_result()
    verdict = verdict_on(replace(load, generator_busy=fraction))
    expected = () if valid else ("the load generator was the limit: it used more than 90 % of a core",)
    assert verdict.reasons == expected


def test_a_reason_is_given_once_however_many_rounds_have_it() -> None:
    state = StateCheck(checked=True, faults=("record 1 is absent",))
    assert judge(*(make_round(state=state) for _ in range(3))).reasons == (
        "the database is wrong: record 1 is absent",
    )


def test_reasons_of_different_rounds_add_up() -> None:
    state = StateCheck(checked=True, faults=("record 1 is absent",))
    verdict = judge(make_round(state=state), make_round(server=ServerUsage(replaced=True)), planned=3)
    assert verdict.reasons == (
        "only 2 of 3 rounds were made",
        "the database is wrong: record 1 is absent",
        "a server process exited or was replaced during a round",
    )


# --- Little's law -----------------------------------------------------------------------------------


@given(users=st.integers(1, 100), latency_s=st.floats(1e-4, 1), each=st.integers(5, 50))
def test_users_that_never_wait_obey_littles_law(users: int, latency_s: float, each: int) -> None:
    load = make_result(users=users, requests=users * each, latency_s=latency_s)
    assert verdict_on(load) == Validity()


def test_users_run_out_of_requests_at_the_end_of_each_turn() -> None:
    """Ten turns of ten requests by ten users: in each, nine wait for one that takes twice as long."""
    latencies = Latencies(array("Q", [10_000_000] * 90 + [20_000_000] * 10))
    load = make_result(users=10, requests=100, latency_ns=latencies, elapsed_s=0.2)
    assert not verdict_on(load).valid
    assert verdict_on(replace(load, turns=10)) == Validity()


def test_a_generator_that_is_held_up_breaks_littles_law() -> None:
    """100 users could have 100 requests under way; if 60 are, the other 40 users waited for the generator."""
    load = make_result(users=100, requests=5000)
    held_up = replace(load, elapsed_s=load.elapsed_s / 0.6)
    assert verdict_on(held_up).reasons == (
        "rate x response time gives 60.0 requests under way, but 100 users were sending (Little's law): "
        "the generator was held up",
    )


def test_latencies_longer_than_users_allow_break_littles_law() -> None:
    load = make_result(users=10, requests=500)
    overlong = replace(load, latency_ns=Latencies(array("Q", [2 * each for each in load.latency_ns.samples])))
    (reason,) = verdict_on(overlong).reasons
    assert reason.startswith("rate x response time gives 20.0 requests under way, but 10 users")


@pytest.mark.parametrize(
    ("elapsed_s", "waited_s", "is_valid"),
    [
        (10.0, 0.9, True),  # a pause of the server
        (10.0, 1.5, False),
        (0.3, 0.14, True),
        (0.3, 0.16, False),  # more than half of the load
    ],
)
def test_a_request_in_flight_for_far_longer_than_any_response_took(
    elapsed_s: float, waited_s: float, is_valid: bool
) -> None:
    """As of a server that never responds to some, where the load ends before their timeout."""
    load = replace(
        make_result(users=1, requests=100, latency_s=0.01, elapsed_s=elapsed_s),
        sent=102,
        in_flight=2,
        in_flight_s=elapsed_s - 1.0 if elapsed_s > 1 else elapsed_s,
        error_s=0.0,
        longest_in_flight_s=waited_s,
    )
    reasons = verdict_on(load).reasons
    wanted = (
        f"of 2 requests in flight at the end, one had waited for {waited_s:.3g} s, where the slowest "
        "response took 10 ms: the server may never respond to some"
    )
    assert (wanted in reasons) is not is_valid


def test_a_slow_server_may_have_slow_requests_in_flight() -> None:
    load = make_result(users=1, requests=10, latency_s=0.5, sent=11, in_flight=1, longest_in_flight_s=4.9)
    assert not any("in flight" in reason for reason in verdict_on(load).reasons)


def test_requests_in_flight_and_failed_ones_are_under_way_too() -> None:
    # Ten users, 1 s: each completes nothing but one request of 0.2 s, and waits 0.8 s for another.
    load = make_result(
        users=10, requests=10, latency_s=0.2, elapsed_s=1.0, sent=20, in_flight=10, in_flight_s=8.0
    )
    assert verdict_on(load) == Validity()
    failed = replace(load, in_flight=0, in_flight_s=0.0, errors={"response_timeout": 10}, error_s=8.0)
    assert verdict_on(failed).reasons == ("10 of 20 requests failed (response_timeout 10)",)


def test_users_that_stand_idle_while_a_number_of_requests_runs_out_are_allowed_for() -> None:
    """Eleven requests of 1 s by ten users take 2 s, in the second of which nine users have nothing to do."""
    load = make_result(users=10, requests=11, latency_s=1.0, elapsed_s=2.0)
    assert verdict_on(load) == Validity()


@pytest.mark.parametrize(
    "by_the_server",
    [
        {"errors": {"reset": 10}, "sent": 5010},
        {"errors": {"connect_refused": 3000}, "sent": 8000, "error_s": 0.3},
        {"errors": {"response_timeout": 1}, "sent": 5001, "error_s": 0.5},
        {"connections_opened": 5000},
    ],
)
def test_users_without_a_connection_are_not_blamed_on_the_generator(by_the_server: dict[str, Any]) -> None:
    """It refuses, cuts or closes connections, and users have nothing under way while they reconnect."""
    load = make_result(users=100, requests=5000)
    held_up = replace(load, elapsed_s=load.elapsed_s / 0.6)
    assert "Little's law" in " ".join(verdict_on(held_up).reasons)
    assert "Little's law" not in " ".join(verdict_on(replace(held_up, **by_the_server)).reasons)


# --- the open loop -----------------------------------------------------------------------------------


def open_round(**changes: Any) -> Measurement:
    """100 requests a second for a second, each of 10 ms, on connections that are mostly free."""
    load = make_result(users=50, elapsed_s=1.0, scheduled=100, lag_s=0.0001)
    load = replace(load, service_ns=load.latency_ns)
    return replace(make_round(replace(load, **changes)), schedule=Schedule(rate=100))


def test_an_open_loop_is_not_bound_to_its_connections_being_busy() -> None:
    assert judge(open_round()) == Validity()


def test_requests_that_could_not_be_sent_speak_against_a_figure() -> None:
    assert judge(open_round(scheduled=101, dropped=1)) == Validity()
    (reason,) = judge(open_round(scheduled=150, dropped=50)).reasons
    assert reason.startswith("50 of 150 requests could not be sent before the end: the rate is more than")


def test_a_generator_that_falls_behind_the_schedule_speaks_against_a_figure() -> None:
    assert judge(open_round(lag_s=0.0009)) == Validity()
    said = judge(open_round(lag_s=0.0024))
    assert said == Validity(warnings=("more than a tenth of the response time is the generator's own lag",))
    (reason,) = judge(open_round(lag_s=0.003)).reasons
    assert reason == (
        "the generator fell behind the schedule, by 3.00 ms on average, where a response takes 10.00 ms"
    )


def test_a_lag_that_a_timer_keeps_is_said_and_no_reason_however_short_the_responses() -> None:
    """As it came on a quiet machine: 0.04 ms of 0.15 ms. Of a lag of 1.1 ms and more, it is one."""
    noted = Validity(warnings=("more than a tenth of the response time is the generator's own lag",))
    for response_s, lag_s in ((0.00015, 0.00004), (0.0012, 0.001)):
        quick = make_result(latency_s=response_s).latency_ns
        assert judge(open_round(latency_ns=quick, service_ns=quick, lag_s=lag_s)) == noted
    longer = make_result(latency_s=0.002).latency_ns
    (reason,) = judge(open_round(latency_ns=longer, service_ns=longer, lag_s=0.0011)).reasons
    assert reason.startswith("the generator fell behind the schedule, by 1.10 ms on average")


@pytest.mark.parametrize(
    ("late", "lag_s", "said"),
    [
        (1, 0.0005, False),  # one of 100: the slowest 1 % may be that one alone
        (5, 0.0005, True),  # five of 100, by 10 ms each, where p99 is 10 ms
        (5, 0.0001, False),  # by 2 ms each
    ],
)
def test_a_generator_that_is_held_up_now_and_then_makes_the_tail(late: int, lag_s: float, said: bool) -> None:
    verdict = judge(open_round(late=late, lag_s=lag_s))
    assert verdict.valid
    assert bool(verdict.warnings) is said
    if said:
        assert verdict.warnings == (
            "much of the slowest response times (p99) may be the generator's own lag",
        )


@pytest.mark.parametrize(
    ("elapsed_s", "arrivals", "valid"),
    [
        (1.06, Arrivals.CONSTANT, True),  # a hundred at 100 a second, and the last responses
        (1.08, Arrivals.CONSTANT, False),
        (1.4, Arrivals.POISSON, True),  # random arrivals of a hundred may well take so long
        (1.5, Arrivals.POISSON, False),
    ],
)
def test_a_number_of_requests_that_takes_longer_than_the_rate_says(
    elapsed_s: float, arrivals: Arrivals, valid: bool
) -> None:
    measured = open_round(elapsed_s=elapsed_s)
    verdict = judge(replace(measured, schedule=Schedule(rate=100, arrivals=arrivals)))
    assert verdict.valid is valid
    if not valid:
        assert verdict.reasons[0].startswith(
            f"100 requests took {elapsed_s:.2f} s, and were due within 1.00 s"
        )


def test_what_was_dropped_and_how_late_the_generator_was_are_told_together() -> None:
    dropped, late = judge(open_round(scheduled=150, dropped=50, lag_s=0.004)).reasons
    assert "could not be sent before the end" in dropped
    assert "fell behind the schedule" in late


def test_rounds_of_an_open_loop_differ_in_their_response_times() -> None:
    """In their rates they do not, for those are given."""
    slow = [3 * each for each in open_round().load.latency_ns.samples]
    verdict = judge(open_round(), open_round(), open_round(latency_ns=Latencies(array("Q", slow))))
    assert any(reason.startswith("the rounds differ by") for reason in verdict.reasons)


# --- warnings ---------------------------------------------------------------------------------------


def test_a_database_that_could_not_be_looked_at_is_said_and_no_reason() -> None:
    verdict = judge(make_round(state=StateCheck(checked=False)), make_round(state=StateCheck(checked=False)))
    assert verdict == Validity(warnings=("the database could not be checked",))
    assert verdict.valid


def test_a_wide_interval_is_called_unstable() -> None:
    verdict = judge(*make_rounds([0.010, 0.011, 0.012, 0.010, 0.014]))
    assert verdict == Validity(warnings=("unstable: the interval is ±18% wide",))


def test_rounds_that_differ_too_much_say_nothing() -> None:
    assert judge(*make_rounds([0.010, 0.030, 0.012])).reasons == (
        "the rounds differ by 64% (standard deviation)",
    )


# --- what the server did wrong ----------------------------------------------------------------------


def test_what_is_no_fault_of_the_server_is_not_among_its_faults() -> None:
    load = make_result(users=100, requests=5000)
    held_up = replace(load, elapsed_s=load.elapsed_s * 2, generator_busy=1.0)
    assert not judge(make_round(held_up)).valid
    assert server_faults(make_round(held_up)) == ()


def test_faults_of_the_server_are_told_together() -> None:
    load = make_result(requests=10, sent=11, errors={"truncated": 1})
    faulty = make_round(
        load,
        state=StateCheck(checked=True, faults=("record 1 is absent",)),
        server=ServerUsage(replaced=True),
    )
    assert server_faults(faulty) == (
        "1 of 11 requests failed (truncated 1)",
        "the database is wrong: record 1 is absent",
        "a server process exited or was replaced during a round",
    )


def test_a_kill_for_want_of_memory_speaks_against_a_figure() -> None:
    verdict = judge(make_round(server=ServerUsage(oom_kills=1)), make_round(server=ServerUsage(oom_kills=0)))
    assert verdict.reasons == ("a server process was killed during a round because memory ran out",)


def test_throttling_is_a_warning() -> None:
    verdict = judge(make_round(server=ServerUsage(throttled_s=0.2)), make_round())
    assert verdict.valid
    assert verdict.warnings == ("the CPU limit (--webbench-cpus) held the server back",)
