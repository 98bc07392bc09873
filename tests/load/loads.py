"""Loads for tests, carried out in this process."""

from dataclasses import replace

import uvloop

from pytest_webbench.load.native.client import run_load
from pytest_webbench.model.http import Answer, BodyRule, Effect, EffectKind, Exchange, Request
from pytest_webbench.model.load import Amount, Load, LoadResult, Schedule

__all__ = ["ANYTHING", "HELLO", "HELLO_JSON", "carry_out", "make_load", "unaccounted"]

HELLO_JSON = {"hello": "world"}
HELLO = Exchange(request=Request(path="/hello"), answer=Answer(rule=BodyRule.JSON, json=HELLO_JSON))
ANYTHING = Exchange(request=Request(path="/any"), answer=Answer())


def make_load(
    *exchanges: Exchange,
    users: int = 5,
    requests: int | None = None,
    duration_s: float | None = None,
    repeat: bool = True,
    timeout_s: float = 30.0,
    schedule: Schedule | None = None,
    changes: bool = False,
) -> Load:
    """A load of ``exchanges``, by default of HELLO; ``changes``: as if each removed a record."""
    asked = exchanges or (HELLO,)
    if changes:
        asked = tuple(replace(one, effect=Effect(kind=EffectKind.REMOVE, key=1)) for one in asked)
    return Load(
        users=users,
        amount=Amount(requests=requests, duration_s=duration_s),
        exchanges=asked,
        repeat=repeat,
        timeout_s=timeout_s,
        schedule=schedule,
    )


def carry_out(load: Load, url: str) -> LoadResult:
    return uvloop.run(run_load(load, url))


def unaccounted(result: LoadResult) -> int:
    """How many requests were sent that are neither right, nor failed, nor in flight: never any."""
    return result.sent - result.ok - sum(result.errors.values()) - result.in_flight
