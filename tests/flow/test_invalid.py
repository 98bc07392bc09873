"""An invalid result fails its test where something depends on it, and is never a baseline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_webbench.model.http import Request
from tests.flow.conftest import RunWebbench
from tests.flow.repository import make_repository

ONE = ("--webbench-stack=flask-sqlite3", "--webbench-scenario=get_item")
OVERLOAD = (*ONE, "--webbench-rate=200", "--webbench-users=2", "--webbench-duration=1")
JSON = "--benchmark-json=figures.json"
NAME = "get_item[flask-sqlite3]"


def unsteady() -> Callable[[Request, str], float]:
    """Each launch is twice as slow as the one before it, or twice as fast."""

    def latency(request: Request, url: str) -> float:
        return 0.01 * (1 + int(url.rpartition("-")[2]) // 2 % 2 * 2)

    return latency


def test_a_rate_that_is_not_served_fails_its_test(run: RunWebbench) -> None:
    outcome = run(*OVERLOAD, latency_s=0.02)
    outcome.counts(failed=1)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert f"{NAME} is INVALID: " in outcome.text
    assert "the rate is more than the server" in outcome.text
    assert "--webbench-invalid=note" in outcome.text


def test_a_note_is_enough_where_it_is_asked_for(run: RunWebbench) -> None:
    outcome = run(*OVERLOAD, "--webbench-invalid=note", latency_s=0.02)
    outcome.counts(passed=1)
    assert "INVALID flask-sqlite3: " in outcome.text


def test_a_rate_of_another_scenario_does_not_concern_it(run: RunWebbench) -> None:
    words = ("--webbench-stack=flask-sqlite3", "--webbench-scenario=get_item,hello", "--webbench-rounds=4")
    outcome = run(*words, "--webbench-rate=hello=20", latency_s=unsteady())
    assert "the rounds differ by" in outcome.text
    assert f"{NAME} is INVALID" not in outcome.text


@pytest.mark.parametrize(
    ("words", "failed"),
    [
        ((), 0),
        (("--webbench-invalid=fail",), 1),
        (("--benchmark-save=x",), 1),
        (("--benchmark-autosave",), 1),
        (("--benchmark-autosave", "--webbench-invalid=note"), 0),
        ((JSON,), 0),
        ((JSON, "--webbench-invalid=fail"), 1),
    ],
)
def test_a_closed_loop_fails_where_a_baseline_is_made_of_it(
    run: RunWebbench, words: tuple[str, ...], failed: int
) -> None:
    outcome = run(*ONE, "--webbench-rounds=4", *words, latency_s=unsteady())
    outcome.counts(**({"failed": 1} if failed else {"passed": 1}))
    assert "INVALID flask-sqlite3: the rounds differ by" in outcome.text
    assert outcome.saved() == []
    if JSON in words:
        row = outcome.rows()[NAME]
        assert row["extra_info"]["webbench"]["validity"]["valid"] is False
        assert row["group"] == "get_item: invalid"


def test_a_run_to_be_compared_with_a_baseline_fails(run: RunWebbench) -> None:
    words = (*ONE, "--webbench-rounds=4")
    run(*words, "--benchmark-autosave").counts(passed=1)
    outcome = run(*words, "--benchmark-compare", latency_s=unsteady())
    outcome.counts(failed=1)


def test_the_spread_of_rounds_is_left_to_the_interval_of_their_pairs(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    make_repository(pytester.path, "mine")
    words = ("--webbench-stack=mine", "--webbench-scenario=get_item", "--webbench-rounds=4")
    compared = (*words, "--webbench-against=main", "--webbench-budget=0.01s", "--webbench-fail=cpu: 1000%")
    outcome = run(*compared, latency_s=unsteady())
    assert "INVALID mine: the rounds differ by" in outcome.text
    outcome.counts(passed=1)
    run(*compared, "--webbench-invalid=fail", latency_s=unsteady()).counts(failed=1)
    run(*compared, "--benchmark-autosave", latency_s=unsteady()).counts(failed=1)


def test_an_invalid_base_fails_the_test_of_the_head(run: RunWebbench, pytester: pytest.Pytester) -> None:
    make_repository(pytester.path, "mine")
    outcome = run(
        "--webbench-stack=mine",
        "--webbench-scenario=update_item",
        "--webbench-rounds=4",
        "--webbench-against=main",
        "--webbench-fail=cpu: 1000%",
        lost_writes=["mine@base"],
    )
    outcome.counts(failed=1)
    assert "the base of update_item[mine] is INVALID: the database is wrong" in outcome.text
    assert "nothing of update_item[mine] could be compared with its base" in outcome.text


LIVE = """
    from pytest_webbench import Request

    def test_rate(webbench):
        webbench(Request(path="/items/7"), rate=200, users=2, duration_s=1, rounds=1)

    def test_closed(webbench):
        webbench(Request(path="/items/7"), users=2, requests=50, rounds=4)
"""


def test_a_test_that_measures_at_a_rate_fails_if_it_is_not_served(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_live=LIVE)
    words = ("test_live.py", "--webbench-stack=flask-sqlite3")
    outcome = run(*words, latency_s=0.02)
    outcome.counts(failed=1, passed=1)
    assert "GET /items/7[flask-sqlite3] is INVALID: " in outcome.text
    run(*words, "--webbench-invalid=note", latency_s=0.02).counts(passed=2)


def test_a_word_that_is_none_is_a_usage_error(run: RunWebbench) -> None:
    outcome = run(*ONE, "--webbench-invalid=failing")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--webbench-invalid: 'failing' is not known; did you mean 'fail'?" in outcome.errors


def test_where_nothing_is_timed_nothing_is_invalid(run: RunWebbench) -> None:
    run(*OVERLOAD, "--benchmark-disable", latency_s=0.02).counts(passed=1)


def test_a_file_says_it_for_all_runs(run: RunWebbench, pytester: pytest.Pytester) -> None:
    Path(pytester.path / "pyproject.toml").write_text('[tool.webbench]\ninvalid = "note"\n')
    run(*OVERLOAD, latency_s=0.02).counts(passed=1)
