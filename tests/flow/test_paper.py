"""The profile that repeats the paper: its order, its pauses, its warm-up, its users and amounts."""

from types import SimpleNamespace

import pytest

from pytest_webbench.model.load import Amount, Load
from pytest_webbench.runs import runner
from pytest_webbench.runs import trial as bench
from tests.flow.conftest import RunWebbench


def test_the_paper_is_repeated_step_by_step(run: RunWebbench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[object] = []
    clock = SimpleNamespace(sleep=lambda seconds: steps.append(seconds) if seconds else None)
    monkeypatch.setattr(bench, "time", clock)
    monkeypatch.setattr(runner, "time", clock)

    def note(load: Load, stack: str) -> None:
        request = load.exchanges[0].request
        steps.append(f"{request.method} {request.path[:6]}: {load.users} users, {load.amount}")

    outcome = run(
        "--webbench-profile=paper",
        "--webbench-stack=flask-sqlite3",
        "--webbench-requests=create_item=1000",
        "--webbench-requests=delete_item=30",
        before_run=note,
        latency_s=0.5,
    )
    outcome.counts(passed=7)
    assert steps == 2 * [
        20.0,  # to settle
        1.0,  # after the records are loaded
        "GET /hello: 20 users, 10 s",
        "GET /items: 20 users, 100 requests",
        5.0,
        "GET /hello: 50 users, 10 s",
        3.0,
        "POST /echo: 100 users, 15 s",
        3.0,
        "GET /items: 10 users, 100 requests",
        3.0,
        "GET /items: 10 users, 1000 requests",
        3.0,
        "POST /items: 10 users, 1000 requests",
        3.0,
        "PUT /items: 10 users, 1000 requests",
        3.0,
        "DELETE /items: 1 users, 30 requests",
    ]


def test_the_papers_numbers_are_those_of_the_scenarios() -> None:
    from pytest_webbench.model.plan import PROFILES
    from pytest_webbench.suites.items import SCENARIOS, SUITE

    assert SUITE.dataset.default_count == 1500
    assert PROFILES["paper"].rounds == 5
    assert {each.name: (each.users, each.amount) for each in SCENARIOS} == {
        "hello": (50, Amount(duration_s=10)),
        "echo": (100, Amount(duration_s=15)),
        "list_items": (10, Amount(requests=100)),
        "get_item": (10, Amount(requests=1000)),
        "create_item": (10, Amount(requests=1000)),
        "update_item": (10, Amount(requests=1000)),
        "delete_item": (1, Amount(requests=100)),
    }
