"""Where there is nothing to compare, no verdict is given; errors are counted to the end."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import ErrorClass, Load
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.repository import make_repository

MINE = ("--webbench-stack=mine", "--webbench-scenario=get_item", "--webbench-rounds=4")
ALL = {ErrorClass.RESET: 1}
HALF = {ErrorClass.RESET: 2}


@pytest.fixture
def repository(pytester: pytest.Pytester) -> Path:
    make_repository(pytester.path, "mine")
    return pytester.path


def comparisons(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """What programs read, by metric."""
    (file,) = outcome.folder.glob(".webbench/*/comparisons.json")
    return {each["metric"]: each for each in json.loads(file.read_text())["comparisons"]}


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {metric: each["verdict"] for metric, each in comparisons(outcome).items()}


@pytest.mark.parametrize("side", ["mine", "mine@base"])
def test_a_scenario_that_fails_the_check_of_one_side_has_no_verdict(
    run: RunWebbench, repository: Path, side: str
) -> None:
    arguments = "--webbench-scenario=hello,get_item", "--webbench-rounds=4", "--webbench-against=main"
    words = "--webbench-markdown=pr.md", "--webbench-fail=cpu: 1000%", "--webbench-fail=time: 1000%"
    outcome = run(MINE[0], *arguments, *words, greetings={side: "Hi"})
    outcome.counts(failed=1, passed=1)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    (file,) = outcome.folder.glob(".webbench/*/comparisons.json")
    found = json.loads(file.read_text())["comparisons"]
    wrong = [each for each in found if each["cell"]["scenario"] == "hello"]
    right = [each for each in found if each["cell"]["scenario"] == "get_item"]
    assert {each["verdict"] for each in wrong} == {"inconclusive"}
    assert all(each["pairs"] == 0 for each in wrong)
    assert all(f"failed: {side} gave a wrong response to GET /hello" in each["why"] for each in wrong)
    assert {each["verdict"] for each in right} == {"no change"}
    assert f"{side} gave a wrong response to GET /hello" in outcome.text
    assert f"{side} gave a wrong response to GET /hello" in (repository / "pr.md").read_text().replace(
        "\\", ""
    )


OPEN = {"time": "inconclusive", "cpu": "inconclusive", "errors": "inconclusive"}


@pytest.mark.parametrize(
    ("failing", "found", "side"),
    [
        ({"mine@base": ALL}, OPEN, "the base"),
        ({"mine": ALL}, {**OPEN, "errors": "slower"}, "get_item[mine]"),
        ({"mine": ALL, "mine@base": ALL}, OPEN, "the base"),
    ],
)
def test_a_side_without_a_right_answer_leaves_nothing_to_compare(
    run: RunWebbench, repository: Path, failing: Any, found: dict[str, str], side: str
) -> None:
    words = ("--webbench-against=main", "--webbench-markdown=pr.md", "--webbench-requests=250")
    outcome = run(*MINE, *words, failing=failing)
    said = f"{side} has no round to compare: 250 of 250 requests failed (reset 250)"
    outcome.counts(failed=1)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert verdicts(outcome) == found
    assert "no change" not in outcome.text
    assert comparisons(outcome)["time"]["why"] == said
    assert said in " ".join(outcome.text.split())
    assert said in (repository / "pr.md").read_text().replace("\\", "")
    counted = comparisons(outcome)["errors"]
    assert (counted["base"], counted["head"]) == (
        4 * 250 * ("mine@base" in failing),
        4 * 250 * ("mine" in failing),
    )


def test_a_base_that_cannot_be_loaded_fails_the_test(run: RunWebbench, repository: Path) -> None:
    def refuse(load: Load, stack: str) -> None:
        if stack == "mine@base":
            raise LoadError("the load generator was lost")

    outcome = run(*MINE, "--webbench-against=main", before_run=refuse)
    outcome.counts(failed=1)
    assert verdicts(outcome) == OPEN
    assert comparisons(outcome)["errors"]["pairs"] == 0
    assert "the base has no round to compare: the load generator was lost" in outcome.text


def test_a_base_half_of_whose_requests_failed_fails_the_test_and_is_told(
    run: RunWebbench, repository: Path
) -> None:
    """Both sides respond as expected, but the rounds to compare are not valid."""
    outcome = run(*MINE, "--webbench-against=main", failing={"mine@base": HALF})
    outcome.counts(failed=1)
    assert "the base of get_item[mine] is INVALID: " in outcome.text
    assert verdicts(outcome)["errors"] == "faster"  # fewer of them


def test_errors_of_rounds_that_were_added_are_counted(run: RunWebbench, repository: Path) -> None:
    """At the first look there were none, and time was open."""
    failing: dict[str, dict[ErrorClass, int]] = {"mine": {}}
    loads = 0

    def fail_later(load: Load, stack: str) -> None:
        nonlocal loads
        loads += stack == "mine"
        if loads > 12:  # beyond the first four rounds, each with its warm-up and its turns
            failing["mine"] = {ErrorClass.RESET: 50}

    outcome = run(
        *MINE,
        "--webbench-requests=200",
        "--webbench-against=main",
        "--webbench-fail=time: 0%",
        "--webbench-budget=2m",  # the first failing cell ends it, within seconds
        failing=failing,
        before_run=fail_later,
    )
    assert "more round" in outcome.text  # or the test would show nothing
    outcome.counts(failed=1)
    errors = comparisons(outcome)["errors"]
    assert errors["verdict"] == "slower"
    assert errors["head"] >= 4
    assert errors["pairs"] > 4
