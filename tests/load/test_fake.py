"""The fake engine: what it makes up is a possible load, and the same for a seed."""

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import ErrorClass, LoadEngine, LoadResult

from .loads import HELLO, make_load, unaccounted

URL = "http://a"
GET = Exchange(request=Request(path="/items/7"), answer=Answer())
PUT = Exchange(request=Request(method="PUT", path="/items/7"), answer=Answer())


def mean_s(result: LoadResult) -> float:
    return result.latency_ns.sum_ns / len(result.latency_ns) / 1e9


def test_it_is_an_engine_that_remembers_its_loads() -> None:
    fake = FakeEngine()
    engine: LoadEngine = fake
    load = make_load(requests=10)
    engine.run(load, URL)
    engine.close()
    assert fake.loads == [(load, URL)]
    assert fake.closed


def test_a_seed_gives_the_same_loads_and_each_differs() -> None:
    load = make_load(requests=50)
    one, other = FakeEngine(seed=1), FakeEngine(seed=1)
    first, second = one.run(load, URL), one.run(load, URL)
    assert [other.run(load, URL), other.run(load, URL)] == [first, second]
    assert first != second
    assert FakeEngine(seed=2).run(load, URL) != first


def test_a_number_of_requests() -> None:
    result = FakeEngine(latency_s=0.01, spread=0).run(make_load(users=5, requests=100), URL)
    assert (result.sent, result.ok, result.in_flight, result.errors) == (100, 100, 0, {})
    assert result.elapsed_s == pytest.approx(0.2)
    assert set(result.latency_ns.samples) == {10_000_000}


def test_a_duration_leaves_requests_in_flight() -> None:
    result = FakeEngine(latency_s=0.3, spread=0).run(make_load(users=5, duration_s=1, changes=True), URL)
    assert (result.ok, result.in_flight, unaccounted(result)) == (15, 5, 0)
    assert result.elapsed_s == 1
    assert result.in_flight_s == pytest.approx(0.5)
    assert result.unconfirmed == (15, 16, 17, 18, 19)


def test_without_repeat_it_ends_with_the_exchanges() -> None:
    assert FakeEngine().run(make_load(GET, PUT, requests=9, repeat=False), URL).sent == 2


def test_latencies_by_method_and_the_longest_prefix() -> None:
    engine = FakeEngine(
        latency_s={("GET", "/"): 0.001, ("GET", "/items/"): 0.002, ("PUT", "/"): 0.003}, spread=0
    )
    means = [mean_s(engine.run(make_load(each, requests=1), URL)) for each in (HELLO, GET, PUT)]
    assert means == [0.001, 0.002, 0.003]
    delete = Exchange(request=Request(method="DELETE"), answer=Answer())
    assert mean_s(engine.run(make_load(delete, requests=1), URL)) == 0.01


def test_latencies_by_a_function() -> None:
    engine = FakeEngine(latency_s=lambda request, url: 0.5 if url == URL else 0.25, spread=0)
    assert mean_s(engine.run(make_load(requests=1), URL)) == 0.5
    assert mean_s(engine.run(make_load(requests=1), "http://b")) == 0.25


def test_the_mean_is_kept_by_the_spread() -> None:
    result = FakeEngine(latency_s=0.01, spread=0.2).run(make_load(requests=10_000), URL)
    assert mean_s(result) == pytest.approx(0.01, rel=0.02)
    assert len(set(result.latency_ns.samples)) > 9000


def test_errors_are_injected() -> None:
    engine = FakeEngine(errors={ErrorClass.RESET: 50, ErrorClass.WRONG_BODY: 20})
    result = engine.run(make_load(requests=200), URL)
    assert result.errors == {"reset": 4, "wrong_body": 8}
    assert unaccounted(result) == 0
    assert result.example_counts == (12,)


def test_a_failure_is_raised() -> None:
    with pytest.raises(LoadError, match="broken"):
        FakeEngine(failure=LoadError("broken")).run(make_load(requests=1), URL)
