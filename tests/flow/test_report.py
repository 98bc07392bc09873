"""The report that every run leaves behind."""

import json
import re
from typing import Any

import pytest

from pytest_webbench.model.errors import StartError
from pytest_webbench.session.output import reports as reporting
from pytest_webbench.session.output import terminal as closing
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.repository import make_repository

FEW = ("--webbench-scenario=get_item", "--webbench-stack=flask-*")


def last_line(outcome: Outcome) -> str:
    """The last line of ours."""
    return [line for line in outcome.result.outlines if line.startswith("webbench: ")][-1]


@pytest.fixture
def _real_report(_no_report: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "write_page", reporting.write_page)


@pytest.mark.usefixtures("_real_report")
def test_the_path_of_the_page_is_the_last_line(run: RunWebbench) -> None:
    outcome = run(*FEW, "--benchmark-autosave")
    assert outcome.exit_code == 0
    found = re.fullmatch(r"webbench: report: (.*/\.webbench/[^/]+/report\.html)", last_line(outcome))
    assert found
    (file,) = outcome.folder.glob(".webbench/*/report.html")
    assert str(file) == found[1]
    page = file.read_text()
    assert "2 Python web stacks in 1 scenario" in page
    assert "pytest --webbench" in page


@pytest.mark.usefixtures("_real_report")
def test_an_interrupted_run_has_its_page_too(run: RunWebbench) -> None:
    outcome = run(*FEW, interrupt_at=6)
    assert outcome.exit_code == 2
    assert last_line(outcome).startswith("webbench: report: ")
    (file,) = outcome.folder.glob(".webbench/*/report.html")
    assert "only 1 of 2 rounds were made" in file.read_text()


@pytest.mark.usefixtures("_real_report")
def test_a_run_in_which_every_stack_failed_shows_why(run: RunWebbench) -> None:
    outcome = run("--webbench-scenario=get_item", "--webbench-stack=flask-sqlite3",
                  failures={"flask-sqlite3": StartError("it exited at once")})  # fmt: skip
    (file,) = outcome.folder.glob(".webbench/*/report.html")
    assert "it exited at once" in file.read_text()


@pytest.mark.usefixtures("_real_report")
def test_a_comparison_has_its_verdicts_and_the_code_of_both(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    make_repository(pytester.path, "mine", "other")
    stack = ("--webbench-stack=mine", "--webbench-scenario=get_item", "--webbench-rounds=4")
    outcome = run(*stack, "--webbench-against=self", "--webbench-fail=cpu: 1000%")
    (file,) = outcome.folder.glob(".webbench/*/report.html")
    page = file.read_text()
    assert "Measured in the same run, in pairs of rounds." in page
    assert "time of get_item[mine]" in page
    stacks = json.loads((file.parent / "run.json").read_text())["stacks"]
    assert set(stacks) == {"mine", "mine@base"}
    assert stacks["mine"]["code_lines"] == stacks["mine@base"]["code_lines"]
    assert last_line(outcome) == f"webbench: report: {file}"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ValueError("two\nlines"), RuntimeError()]
)
def test_a_page_that_cannot_be_made_costs_one_line(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(folder: Any) -> None:
        raise error

    monkeypatch.setattr(closing, "write_page", fail)
    outcome = run(*FEW)
    assert outcome.exit_code == 0
    outcome.counts(passed=2)
    assert last_line(outcome).startswith("webbench: the report was not written: ")
    assert "Traceback" not in outcome.text


def test_without_figures_there_is_no_report(run: RunWebbench) -> None:
    assert "report:" not in run("--collect-only").text
    assert "report:" not in run(*FEW, "--benchmark-disable").text


def test_what_is_written_down_of_a_run(run: RunWebbench) -> None:
    outcome = run(*FEW)
    (file,) = outcome.folder.glob(".webbench/*/run.json")
    data = json.loads(file.read_text())
    assert data["format"] == 1
    assert data["command"][0] == "pytest"
    assert "--webbench-seed=11" in data["command"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", data["started"])
    assert data["machine"]["cores"]
    assert data["stacks"]["flask-sqlite3"]["title"] == "Flask with sqlite3"
    assert data["stacks"]["flask-sqlite3"]["code_lines"] > 50
    assert data["scenarios"] == {"get_item": {"title": "one record", "unit": "ms", "suite": "items"}}
    assert [each["title"] for each in data["published"]] == ["the paper"]
    assert outcome.lines_of_trials()[0]["trial"]["machine"]["elapsed_s"] >= 0
