"""What the tests of the load engines share."""

from collections.abc import Callable

import pytest
import uvloop

from pytest_webbench.load.client import run_load
from pytest_webbench.values.exchange import Answer, BodyRule, Exchange, Request
from pytest_webbench.values.load import Amount, Load, LoadResult

RunLoad = Callable[..., LoadResult]

HELLO = Exchange(request=Request(path="/hello"), answer=Answer(rule=BodyRule.JSON, json={"hello": "world"}))


@pytest.fixture
def run() -> RunLoad:
    """Carries a load out in this process: ``run(url, requests=10)``; by default HELLO by 5 users."""

    def run(
        url: str,
        *exchanges: Exchange,
        users: int = 5,
        requests: int | None = None,
        duration_s: float | None = None,
        repeat: bool = True,
        timeout_s: float = 30.0,
    ) -> LoadResult:
        load = Load(
            users=users,
            amount=Amount(requests=requests, duration_s=duration_s),
            exchanges=exchanges or (HELLO,),
            repeat=repeat,
            timeout_s=timeout_s,
        )
        return uvloop.run(run_load(load, url))

    return run
