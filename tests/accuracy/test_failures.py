"""Failures by class against the account of a server that makes them on purpose."""

from collections.abc import Iterator

import pytest

from pytest_webbench.load.native.engine import NativeEngine

from .measuring import make_load
from .running import Program

REQUESTS = 1000
FAULTS = {"reset": 50, "truncated": 70, "wrong_status": 7, "wrong_body": REQUESTS // 2}


@pytest.fixture(scope="module", params=[1, 2], ids="{} generators".format)
def engine(request: pytest.FixtureRequest) -> Iterator[NativeEngine]:
    engine = NativeEngine(generators=request.param)
    yield engine
    engine.close()


@pytest.mark.parametrize("rate", [None, 2000], ids=["closed loop", "open loop"])
@pytest.mark.parametrize("faults", [*([name] for name in FAULTS), list(FAULTS)], ids="+".join)
def test_counts_are_those_of_the_server(engine: NativeEngine, faults: list[str], rate: int | None) -> None:
    with Program("faulty", *(f"{name}={FAULTS[name]}" for name in faults)) as server:
        result = engine.run(make_load(users=8, requests=REQUESTS, rate=rate), server.url)
        account = server.account()
    right = account["did"].pop("right")
    assert set(account["did"]) == set(faults)
    assert (result.sent, result.ok, result.errors) == (account["requests"], right, account["did"])
    assert (result.sent, result.in_flight, len(result.latency_ns)) == (REQUESTS, 0, right)
