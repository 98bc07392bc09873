"""Runs and comparisons that the tests of all renderings share."""

from typing import Any

from pytest_webbench.analysis.gate import parse_threshold
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile, Comparison, Interval, Verdict
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.suite import Unit
from pytest_webbench.suites.items import SUITE
from tests.builders import make_run

STACKS = {"fastapi-sqlite3": 0.010, "flask-sqlite3": 0.0101, "django-drf": 0.030}
CELLS = {
    Cell(scenario="get_item", stack="flask-sqlite3"): (0.010, 0.0101, 0.0099),
    Cell(scenario="get_item", stack="fastapi-sqlite3"): (0.010, 0.0102, 0.0098),
    Cell(scenario="get_item", stack="django-drf"): (0.030, 0.0301, 0.0299),
}
"""A tie, and a stack that is slower."""
SLOWER = Comparison(
    cell=Cell(scenario="list_items", stack="flask-sqlite3"),
    base_stack="flask-sqlite3@base",
    metric="p99",
    threshold=parse_threshold("p99: 10%"),
    verdict=Verdict.SLOWER,
    base=0.0412,
    head=0.0507,
    ratio=Interval(estimate=1.2304, low=1.151, high=1.309),
    pairs=8,
    p_value=0.001,
    smallest_effect=0.14,
)


def three_stacks(**changes: Any) -> SavedRun:
    """A run of one scenario."""
    return make_run(CELLS, **changes)


def full_run(**changes: Any) -> SavedRun:
    """A run with published results and profiles beside its results."""
    cells = {
        Cell(scenario=scenario, stack=stack): [latency_s * share for share in (1.0, 1.03, 0.98)]
        for scenario in ("hello", "list_items")
        for stack, latency_s in STACKS.items()
    }
    explained = tuple(explained_cell(stack) for stack in STACKS)
    about = {"published": SUITE.published}
    return make_run(
        cells, **{"units": {"hello": Unit.RATE}, "about": about, "explained": explained, **changes}
    )


def explained_cell(stack: str, frame: str = "all (sqlalchemy/result.py:3)") -> CodeProfile:
    """What --webbench-explain found of list_items: calls of the application into an ORM, and into JSON."""
    calls = {f"run (gunicorn/app.py:1);view (./app.py:7);{frame}": 60, "run (gunicorn/app.py:1)": 30}
    return CodeProfile(
        cell=Cell(scenario="list_items", stack=stack),
        rate_hz=100,
        stacks=calls,
        cpu_s_per_request=STACKS.get(stack, 0.01),
    )
