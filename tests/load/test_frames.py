"""What the native engine and its worker say to each other arrives as it was sent."""

from array import array
from dataclasses import replace

from pytest_webbench.analysis.statistics import Buckets
from pytest_webbench.load.frames import (
    LENGTH,
    Failure,
    LoadJob,
    frame,
    pack_job,
    pack_reply,
    unpack_job,
    unpack_reply,
)
from pytest_webbench.model.http import Answer, BodyRule, Effect, EffectKind, Exchange, Request
from pytest_webbench.model.load import Amount, Latencies, Load, LoadResult

EXCHANGE = Exchange(
    request=Request(method="POST", path="/items/", body='{"name": "Łódź"}', headers=(("X-A", "b"),)),
    answer=Answer(
        status=201,
        rule=BodyRule.JSON,
        json={"n": 2**70, "f": 1.5, "l": [None, True, "\ud800"]},
        generated=("id",),
    ),
    effect=Effect(kind=EffectKind.INSERT, record={"name": "Łódź"}),
)
RESULT = LoadResult(
    users=3,
    elapsed_s=1.25,
    sent=10,
    ok=7,
    errors={"reset": 2},
    in_flight=1,
    latency_ns=Latencies(array("Q", [1, 2**40, 2**64 - 1, 4, 5, 6, 7])),
    ttfb_ns=Latencies(array("I", range(7))),
    service_ns=Latencies(array("I", [2**32 - 1] * 7)),
    in_flight_s=0.5,
    error_s=0.25,
    unconfirmed=(3, 4, 9),
    generator_cpu_s=0.75,
    connections_opened=5,
    bytes_received=12345,
    examples=("GET /: no", "GET /: 'ł'"),
)


def test_an_order() -> None:
    load = Load(users=3, amount=Amount(requests=5), exchanges=(EXCHANGE,) * 2, repeat=False, timeout_s=1.5)
    order = LoadJob(load=load, base_url="http://127.0.0.1:1")
    assert unpack_job(pack_job(order)) == order


def test_a_result() -> None:
    assert unpack_reply(pack_reply(RESULT)) == RESULT


def test_a_result_of_very_many_requests() -> None:
    buckets = Buckets()
    buckets.add(array("Q", [1, 5000, 5001, 2**40]))
    result = replace(RESULT, latency_ns=buckets.times(), ttfb_ns=buckets.times(), service_ns=Latencies())
    assert unpack_reply(pack_reply(result)) == result


def test_a_failure() -> None:
    failure = Failure(message="No.", evidence="line\nline", hint="try")
    assert unpack_reply(pack_reply(failure)) == failure


def test_a_frame_says_how_long_it_is() -> None:
    framed = frame(b"abc")
    assert LENGTH.unpack(framed[: LENGTH.size]) == (3,)
    assert framed[LENGTH.size :] == b"abc"
