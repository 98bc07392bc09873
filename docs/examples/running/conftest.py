"""A running server with its own contract."""

from pathlib import Path

from pytest_webbench import (
    Amount,
    Answer,
    BodyRule,
    Exchange,
    NoDataset,
    Request,
    Scenario,
    Stack,
    Suite,
)
from pytest_webbench.stacks.attached import AttachedLauncher


def price_of(number):
    answer = Answer(status=200, rule=BodyRule.JSON, json={"article": number, "price": number / 4})
    return Exchange(request=Request(path=f"/price/{number}"), answer=answer)


def prices(records, count, rng):
    return [price_of(rng.randrange(1000)) for _ in range(count or 500)]


def pytest_webbench_suites(config):
    return [Suite(name="shop", dataset=NoDataset())]


def pytest_webbench_scenarios(config):
    return [Scenario(name="price", suite="shop", users=20, amount=Amount(duration_s=5.0), traffic=prices)]


def pytest_webbench_stacks(config):
    return [Stack(name="shop", suite="shop", folder=Path(), command=(), ready=price_of(1))]


def pytest_webbench_launcher(config, settings, logs):
    return AttachedLauncher({"shop": "http://127.0.0.1:8000"})
