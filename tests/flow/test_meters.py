"""A meter of somebody else's, from its reading to a verdict."""

import json

import pytest

from pytest_webbench.analysis.metrics import READINGS
from pytest_webbench.runs.store import read_run
from tests.flow.conftest import RunWebbench
from tests.flow.repository import make_repository
from tests.flow.test_comparing import MINE

METER = """
from pytest_webbench import Combine, Meter, Metric
from pytest_webbench.analysis.metrics import NUMBER, reading_per_request

class Queries(Meter):
    readings = {"queries": Combine.SUM, "deepest": Combine.MAX}

    def wrap(self, command):
        return ("count-queries", *command)

    def attach(self, server):
        assert server.stack.command[0] == "count-queries"
        self.base = server.stack.name.endswith("@base")

    def begin(self):
        self.queries = 300.0

    def end(self):
        return {"queries": self.queries * (1 if self.base else 2), "deepest": 3, "unnamed": 1.5}

def pytest_webbench_meter(settings):
    return Queries

def pytest_webbench_metrics():
    queries = Metric(
        key="queries",
        title="queries per request",
        of_rounds=reading_per_request("queries"),
        quantity=NUMBER,
        column="queries/req",
        brief=True,
        limit=0.1,
    )
    return [queries]
"""


def test_a_reading_is_kept_and_a_metric_of_it_is_shown(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(METER)
    outcome = run(
        "--webbench-scenario=get_item", "--webbench-stack=flask-sqlite3", "--benchmark-json=figures.json"
    )
    outcome.counts(passed=1)
    assert "CPU ms/req   queries/req" in outcome.text
    for line in outcome.lines_of_trials():
        assert line["trial"]["server"] == {
            "cpu_s": 0.01,
            "peak_rss_bytes": 1 << 20,
            "queries": 600.0,
            "deepest": 3,
            "unnamed": 1.5,
        }
    ours = outcome.rows()["get_item[flask-sqlite3]"]["extra_info"]["webbench"]
    assert ours["queries"] == 1200.0 / ours["requests_ok"]
    assert [each["queries"] for each in ours["rounds"]] == [1200.0 / ours["requests_ok"]] * 2
    assert ours["readings"] == {
        "cpu_s": 0.02,
        "peak_rss_bytes": 1 << 20,
        "queries": 1200.0,
        "deepest": 3,
        "unnamed": 3.0,
    }
    assert "queries" not in READINGS, "it goes with the pytest that brought it"
    (folder,) = pytester.path.glob(".webbench/*/")
    assert read_run(folder).summaries[0].readings["unnamed"] == 3.0


@pytest.mark.parametrize(("limit", "failed"), [("50%", 1), ("150%", 0)])
def test_a_metric_of_a_reading_is_judged(
    run: RunWebbench, pytester: pytest.Pytester, limit: str, failed: int
) -> None:
    make_repository(pytester.path, "mine")
    pytester.makeconftest(pytester.path.joinpath("conftest.py").read_text() + METER)
    outcome = run(*MINE, "--webbench-against=self", f"--webbench-fail=queries: {limit}")
    assert outcome.result.parseoutcomes().get("failed", 0) == failed, outcome.text
    assert ("queries of get_item[mine] is 2.00 times the base" in outcome.text) == bool(failed)
    (file,) = pytester.path.glob(".webbench/*/comparisons.json")
    assert "queries" in {each["metric"] for each in json.loads(file.read_text())["comparisons"]}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("self.queries = 300.0", "1 / 0", "begin of the meter Queries failed: ZeroDivisionError"),
        ('return {"queries"', "return 3 or {'queries'", "end of the meter Queries returned 3"),
        ('return ("count-queries", *command)', "return 'valgrind'", "wrap of the meter Queries returned"),
        ('"queries": Combine.SUM', '"cpu_s": Combine.SUM', "two meters provide a reading 'cpu_s'"),
        ("Combine.SUM", "'mean'", "readings of the meter Queries failed: ValueError: 'mean'"),
        ("return Queries\n", "return 3\n", "pytest_webbench_meter returned 3"),
        ("def end", "def finish", "end of the meter Queries returned None; return a mapping"),
    ],
)
def test_a_mistake_in_a_meter_ends_the_run(
    run: RunWebbench, pytester: pytest.Pytester, old: str, new: str, said: str
) -> None:
    assert old in METER
    pytester.makeconftest(METER.replace(old, new, 1))
    outcome = run("--webbench-scenario=get_item", "--webbench-stack=flask-sqlite3")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.text + outcome.errors
    assert "Traceback" not in outcome.text + outcome.errors
