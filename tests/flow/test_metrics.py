"""A metric is one row: an added one appears everywhere."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pytest_webbench.analysis.metrics import METRICS, added_metrics, response_percentile
from pytest_webbench.report.markdown import render_report
from pytest_webbench.report.page import render_page
from pytest_webbench.runs.store import read_run
from tests.builders import make_run
from tests.flow.conftest import RunWebbench
from tests.flow.repository import make_repository
from tests.flow.test_comparing import CPU_ASIDE, MINE, times

P90 = """
from pytest_webbench.analysis.metrics import response_percentile

def pytest_webbench_metrics():
    return [response_percentile(90, brief=True)]
"""
WRONG = """
from pytest_webbench.analysis.metrics import Metric

def pytest_webbench_metrics():
    return [Metric(key="queries", title="queries", of_rounds=lambda rounds: rounds.queries)]
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def p90() -> Iterator[None]:
    with added_metrics([response_percentile(90)]):
        yield


def reference() -> ModuleType:
    """The module that makes the tables of the docs' reference."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/_ext/webbench_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_metric_is_in_the_table_the_json_and_the_derived_rows(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(P90)
    outcome = run(
        "--webbench-scenario=get_item",
        "--webbench-stack=flask-sqlite3",
        "--benchmark-json=figures.json",
        spread=0.1,
    )
    outcome.counts(passed=1)
    assert "p95 ms   errors   CPU ms/req   p90 ms" in outcome.text
    rows = outcome.all_rows()
    ours = rows["get_item[flask-sqlite3]"]["extra_info"]["webbench"]
    assert ours["p50_s"] < ours["p90_s"] < ours["p99_s"]
    derived = rows["get_item:p90[flask-sqlite3]"]
    assert derived["extra_info"]["metric"] == "p90_response_time"
    assert derived["group"] == "get_item: p90"
    assert derived["stats"]["data"] == [each["p90_s"] for each in ours["rounds"]]
    assert "p90" not in METRICS, "it goes with the pytest that brought it"


def test_a_metric_is_judged_and_told_in_a_comparison(run: RunWebbench, pytester: pytest.Pytester) -> None:
    make_repository(pytester.path, "mine")
    pytester.makeconftest(pytester.path.joinpath("conftest.py").read_text() + P90)
    outcome = run(
        *MINE,
        "--webbench-against=main",
        "--webbench-fail=p90: 10%",
        "--webbench-fail=time: 500%",
        CPU_ASIDE,
        "--webbench-markdown=pr.md",
        latency_s=times(mine=1.3),
    )
    outcome.counts(failed=1)
    assert "p90 of get_item[mine] is 1.3" in outcome.text
    assert "p90 of get\\_item\\[mine\\] is 1.3" in (pytester.path / "pr.md").read_text()
    (file,) = pytester.path.glob(".webbench/*/comparisons.json")
    assert "p90" in {each["metric"] for each in json.loads(file.read_text())["comparisons"]}
    # Without the plugin that brought it, what it said is shown all the same.
    record = read_run(file.parent)
    assert "p90" in {each.metric for each in record.comparisons}
    assert "p90 of get_item[mine]" in render_page([record])


@pytest.mark.usefixtures("p90")
def test_a_metric_is_on_the_page_in_markdown_and_in_the_reference() -> None:
    record = make_run()
    assert "p90 ms" in render_page([record])
    assert "| p90 ms" in render_report([record])
    tables = reference()
    assert "| `p90` |" in tables.metrics()
    assert "| `hello:p90[flask-sqlite3]` |" in tables.derived_rows()
    assert "| `p90_s` |" in tables.stored_metrics()


def test_a_mistake_in_a_metric_ends_the_run_with_the_line(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(WRONG)
    outcome = run("--webbench-scenario=get_item", "--webbench-stack=flask-sqlite3")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "of_rounds of the metric queries failed: AttributeError" in outcome.text + outcome.errors
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('Metric(key="cpu", title="mine", of_rounds=len)', "two metrics have the key 'cpu'"),
        ('Metric(key="my cpu", title="mine", of_rounds=len)', "'my cpu' cannot be the key of a metric"),
        (
            'Metric(key="mine", title="mine", of_rounds=len, stored_as="p95_s")',
            "the metrics p95 and mine are both stored as 'p95_s'",
        ),
        (
            'Metric(key="mine", title="mine", of_rounds=3)',
            "of_rounds is 3; wanted: a function",
        ),
        ('"p90"', "pytest_webbench_metrics gave 'p90'; wanted: a Metric"),
    ],
)
def test_what_is_wrong_with_a_metric_is_said_before_anything_is_measured(
    run: RunWebbench, pytester: pytest.Pytester, row: str, said: str
) -> None:
    hook = f"def pytest_webbench_metrics(): return [{row}]"
    pytester.makeconftest(f"from pytest_webbench.analysis.metrics import Metric\n{hook}")
    known = tuple(METRICS)
    outcome = run("--webbench-scenario=get_item")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.errors
    assert tuple(METRICS) == known
