"""A suite without a database."""

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

SERVER = "{python} -m uvicorn --host {host} --port {port} --workers {workers} --no-access-log app:app"


def price_of(number):
    answer = Answer(status=200, rule=BodyRule.JSON, json={"article": number, "price": number / 4})
    return Exchange(request=Request(path=f"/price/{number}"), answer=answer)


def prices(records, count, rng):
    return [price_of(rng.randrange(1000)) for _ in range(count or 500)]


def examples(records):
    return [price_of(0), Exchange(request=Request(path="/price/none"), answer=Answer(status=404))]


def pytest_webbench_suites(config):
    return [Suite(name="shop", dataset=NoDataset(), examples=examples)]


def pytest_webbench_scenarios(config):
    return [
        Scenario(
            name="price",
            title="the price of an article",
            suite="shop",
            users=20,
            amount=Amount(duration_s=5.0),
            traffic=prices,
        )
    ]


def pytest_webbench_stacks(config):
    return [
        Stack(
            name="shop-starlette",
            title="Starlette under Uvicorn",
            suite="shop",
            folder=Path(__file__).parent / "app",
            command=tuple(SERVER.split()),
            lock="requirements.lock",
            ready=price_of(1),
            packages=("starlette", "uvicorn", "uvloop"),
        )
    ]
