"""The conftest.py of a project under test: one scenario, and stacks that are one server in several moods.

``moods.json`` beside it maps names of stacks to moods, and holds the amount and the users of the scenario.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from pytest_webbench import Amount, Answer, BodyRule, Exchange, NoDataset, Request, Scenario, Stack, Suite

HERE = Path(__file__).parent
GIVEN = json.loads(Path(__file__).with_name("moods.json").read_text())


def ping() -> Exchange:
    """What is asked, and what must come."""
    return Exchange(request=Request(path="/ping"), answer=Answer(rule=BodyRule.JSON, json={"n": 1}))


def pings(records: Sequence[object], count: int | None, rng: random.Random) -> list[Exchange]:
    """Always the same, as often as the check asks before timing."""
    return [ping()] * 3


def pytest_webbench_suites() -> list[Suite]:
    """One without a database."""
    return [Suite(name="moods", dataset=NoDataset())]


def pytest_webbench_scenarios() -> list[Scenario]:
    """The one that moods spoil."""
    return [
        Scenario(
            name="ping",
            title="a ping",
            suite="moods",
            users=GIVEN["users"],
            amount=Amount(**GIVEN["amount"]),
            traffic=pings,
        )
    ]


def pytest_webbench_stacks() -> list[Stack]:
    """A stack for each mood."""
    return [stack(name, mood) for name, mood in GIVEN["moods"].items()]


def stack(name: str, mood: str) -> Stack:
    """A process on the socket that it inherits; in a container it binds one itself."""
    ready = Exchange(request=Request(path="/ready"), answer=Answer())
    if GIVEN.get("boxed"):
        command = ("{python}", "server.py", mood, "--port", "{port}")
        lock = "current.lock"
        return Stack(name=name, suite="moods", folder=HERE / "app", command=command, lock=lock, ready=ready)
    command = ("{python}", str(HERE / "server.py"), mood, "--fd", "{fd}")
    return Stack(name=name, suite="moods", folder=HERE, command=command, ready=ready)
