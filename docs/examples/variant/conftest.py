"""One more stack and scenario for the built-in suite."""

from dataclasses import replace

from pytest_webbench import Amount, Answer, Exchange, Request, Scenario
from pytest_webbench.suites.items import STACKS


def missing(records, count, rng):
    """Return ids above those of all records."""
    first = len(records) + 1
    paths = [f"/items/{rng.randrange(first, first + 10_000)}" for _ in range(count or 500)]
    return [Exchange(request=Request(path=path), answer=Answer(status=404)) for path in paths]


def pytest_webbench_scenarios(config):
    return [
        Scenario(
            name="get_missing",
            title="a missing record",
            users=10,
            amount=Amount(duration_s=5.0),
            traffic=missing,
        )
    ]


def pytest_webbench_stacks(config):
    flask = next(stack for stack in STACKS if stack.name == "flask-sqlite3")
    return [
        replace(
            flask,
            name="flask-sqlite3-1-thread",
            title="Flask with sqlite3, one thread in each worker",
            command=tuple("1" if word == "{threads}" else word for word in flask.command),
        )
    ]
