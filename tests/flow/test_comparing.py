"""Base and head in one run: verdicts, failures, markdown, and what cannot be compared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

import pytest

from pytest_webbench.model.errors import OwnCopyError, StackDiedError, StartError
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import ErrorClass, Load
from tests.flow.conftest import RunWebbench
from tests.flow.doubles import stack_of
from tests.flow.repository import commit, git, make_repository

MINE = ("--webbench-stack=mine", "--webbench-scenario=get_item", "--webbench-rounds=4")
CPU_ASIDE = "--webbench-fail=cpu: 1000%"  # that of a double varies with nothing


@pytest.fixture
def repository(pytester: pytest.Pytester) -> Path:
    make_repository(pytester.path, "mine", "other")
    return pytester.path


def times(**factors: float) -> Callable[[Request, str], float]:
    """Latencies of 10 ms times the factor of the stack, whose name has ``base`` behind it."""

    def latency(request: Request, url: str) -> float:
        return 0.01 * factors.get(stack_of(url).replace("@", "_").replace("-", "_"), 1.0)

    return latency


def test_a_stack_that_got_slower_fails_its_test_in_one_line(run: RunWebbench, repository: Path) -> None:
    arguments = "--webbench-against=main", CPU_ASIDE, "--junitxml=report.xml", "--webbench-markdown=pr.md"
    outcome = run(*MINE, *arguments, latency_s=times(mine=1.3))
    outcome.counts(failed=1)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    (failure,) = ElementTree.parse(repository / "report.xml").iter("failure")
    assert failure.attrib["message"].startswith("Failed: time of get_item[mine] is 1.3")
    assert failure.attrib["message"].endswith("allowed 1.05")
    assert "\n" not in failure.attrib["message"]
    assert "Against main (" in outcome.text
    markdown = (repository / "pr.md").read_text()
    assert markdown.index("1 slower") < markdown.index("| benchmark |")
    assert "time of get\\_item\\[mine\\] is 1.3" in markdown


def test_one_that_is_the_same_passes(run: RunWebbench, repository: Path) -> None:
    outcome = run(*MINE, "--webbench-against=self", CPU_ASIDE)
    outcome.counts(passed=1)
    assert "no change" in outcome.text
    assert "slower" not in outcome.text.replace("x slower", "")


def test_one_that_got_faster_passes_and_is_told(run: RunWebbench, repository: Path) -> None:
    outcome = run(*MINE, "--webbench-against=main", CPU_ASIDE, latency_s=times(mine=0.7))
    outcome.counts(passed=1)
    assert "faster" in outcome.text


def test_rounds_are_added_to_what_is_undecided_alone(run: RunWebbench, repository: Path) -> None:
    outcome = run(
        "--webbench-stack=mine,other",
        *MINE[1:],
        "--webbench-against=main",
        "--webbench-budget=10s",
        CPU_ASIDE,
        latency_s=times(mine=1.1, other=1.5),
        spread=0.4,
    )
    rounds: dict[str, int] = {}
    for line in outcome.lines_of_trials():
        stack = line["trial"]["trial"]["cell"]["stack"]
        rounds[stack] = rounds.get(stack, 0) + 1
    assert rounds["other"] == rounds["other@base"]
    assert rounds["mine"] == rounds["mine@base"] > rounds["other"] >= 4
    assert "rounds would decide it" in outcome.text or "slower" in outcome.text


def test_a_cell_that_got_worse_in_one_metric_gets_no_more_rounds(run: RunWebbench, repository: Path) -> None:
    arguments = "--webbench-against=main", CPU_ASIDE, "--webbench-fail=p99: 100%", "--webbench-budget=30s"
    outcome = run(*MINE, *arguments, latency_s=times(mine=2.0))
    outcome.counts(failed=1)
    assert "inconclusive" in outcome.text  # p99 is at its very threshold
    heads = [line for line in outcome.lines_of_trials() if line["trial"]["trial"]["cell"]["stack"] == "mine"]
    assert len(heads) == 4


def test_a_budget_that_is_spent_leaves_it_undecided_and_says_what_would_do(
    run: RunWebbench, repository: Path
) -> None:
    outcome = run(
        *MINE,
        "--webbench-against=main",
        "--webbench-budget=0.01s",
        CPU_ASIDE,
        latency_s=times(mine=1.05),
        spread=0.5,
    )
    outcome.counts(passed=1)
    assert "inconclusive" in outcome.text
    assert "undecided after 4 rounds; " in outcome.text


def test_head_and_base_are_launched_afresh_in_every_block_from_copies(
    run: RunWebbench, repository: Path
) -> None:
    (repository / "apps/mine/server.py").write_text("VERSION = 2\n")
    seen: dict[str, set[str]] = {}

    def look(load: object, stack: str) -> None:
        for folder in repository.glob(".webbench/*/against/*/*/apps/mine"):
            arm = folder.relative_to(repository).parts[3]
            seen.setdefault(arm, set()).add((folder / "server.py").read_text())
            assert len(str(folder)) == len(str(folder).replace("/head/", "/base/"))

    outcome = run(*MINE, "--webbench-against=main", CPU_ASIDE, before_run=look)
    assert seen == {"base": {"VERSION = 1\n"}, "head": {"VERSION = 2\n"}}
    launches = {url for _, url in outcome.doubles.engine.loads}
    launched = [stack_of(url) for url in launches]
    assert launched.count("mine") == launched.count("mine@base") >= 4
    assert list(repository.glob(".webbench/*/against")) == []
    assert git(repository, "worktree", "list").count("\n") == 0


def test_another_stack_as_the_base(run: RunWebbench, repository: Path) -> None:
    outcome = run(
        "--webbench-stack=mine,other",
        *MINE[1:],
        "--webbench-against-stack=other",
        CPU_ASIDE,
        latency_s=times(mine=1.4),
    )
    outcome.counts(failed=1)
    assert "time of get_item[mine] is 1.4" in outcome.text
    assert "against stack other" in outcome.text


def test_a_stack_that_the_base_does_not_have_is_measured_and_not_compared(
    run: RunWebbench, repository: Path
) -> None:
    (repository / "apps/new").mkdir()
    (repository / "apps/new/server.py").write_text("VERSION = 1\n")
    commit(repository, "second")
    outcome = run("--webbench-stack=mine,new", *MINE[1:], "--webbench-against=main~1", CPU_ASIDE)
    outcome.counts(passed=2)
    assert "get_item[new]" in outcome.text
    assert "new@base" not in outcome.text


def test_errors_of_the_head_are_counted_against_it(run: RunWebbench, repository: Path) -> None:
    failing = {"mine": {ErrorClass.RESET: 40}}
    outcome = run(*MINE, "--webbench-against=main", CPU_ASIDE, failing=failing)
    outcome.counts(failed=1)
    assert "requests failed (reset" in outcome.text


def test_a_base_that_does_not_start_fails_the_test_and_keeps_the_figures(
    run: RunWebbench, repository: Path
) -> None:
    failures = {"mine@base": StartError("mine@base exited with code 3", evidence="Traceback")}
    outcome = run(
        *MINE,
        "--webbench-against=main",
        "--webbench-markdown=pr.md",
        "--benchmark-json=figures.json",
        CPU_ASIDE,
        failures=failures,
    )
    outcome.counts(failed=1)
    assert "the base of get_item[mine], main" in outcome.text
    assert "mine@base exited with code 3" in outcome.text
    assert len(outcome.rows()["get_item[mine]"]["stats"]["data"]) == 4
    markdown = (repository / "pr.md").read_text()
    assert "nothing could be compared, 3 inconclusive" in markdown
    assert "mine@base exited with code 3" in markdown


@pytest.mark.parametrize("side", ["mine", "mine@base"])
def test_nothing_is_measured_if_a_side_serves_code_that_is_not_its_own(
    run: RunWebbench, repository: Path, side: str
) -> None:
    failures = {side: OwnCopyError(f"{side} does not serve its own copy")}
    outcome = run(
        *MINE,
        "--webbench-stack=other",
        CPU_ASIDE,
        "--webbench-against=main",
        "--benchmark-json=figures.json",
        failures=failures,
    )
    outcome.counts(failed=1, passed=1)
    assert f"{side} does not serve its own copy" in outcome.text
    assert [name for name in outcome.rows() if ":" not in name] == ["get_item[other]"]


def test_a_regression_that_was_found_stays_found_if_a_stack_dies_later(
    run: RunWebbench, repository: Path
) -> None:
    """The other cell of the stack is undecided, and in its later rounds the base is gone."""
    loads = 0

    def die(load: object, stack: str) -> None:
        nonlocal loads
        loads += stack == "mine@base"
        if stack == "mine@base" and loads > 38:  # beyond four rounds: warm-ups, and turns (4 and 3)
            raise StackDiedError("mine@base exited while it was measured")

    def latency(request: Request, url: str) -> float:
        slow = 2.0 if stack_of(url) == "mine" and request.path == "/hello" else 1.0
        return 0.01 * slow

    outcome = run(
        "--webbench-stack=mine",
        "--webbench-scenario=hello,get_item",
        "--webbench-rounds=4",
        "--webbench-against=main",
        "--webbench-fail=cpu: 1000%",
        "--webbench-fail=time of get_item: 0%",
        "--webbench-budget=20s",
        before_run=die,
        latency_s=latency,
        spread=0.3,
    )
    assert "slower" in outcome.text.replace("x slower", "")
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED


def test_only_the_suites_that_are_measured_have_to_lie_in_a_repository(
    run: RunWebbench, repository: Path
) -> None:
    with (repository / "conftest.py").open("a") as conftest:
        conftest.write(
            """
from pytest_webbench import Suite, NoDataset

def pytest_webbench_suites(config):
    return [Suite(name="far", dataset=NoDataset())]
"""
        )
    text = (repository / "conftest.py").read_text()
    elsewhere = 'Stack(name="elsewhere", folder=Path("/"), command=("x",), suite="far"), *['
    (repository / "conftest.py").write_text(
        text.replace(
            "    return [\n        Stack(name=each", f"    return [{elsewhere}\n        Stack(name=each"
        ).replace("sorted(folder.iterdir())\n    ]", "sorted(folder.iterdir())\n    ]]")
    )
    outcome = run(
        "webbench/items::get_item[mine]",
        "--webbench-rounds=4",
        "--webbench-stack=mine,elsewhere",
        "--webbench-against=main",
        CPU_ASIDE,
    )
    outcome.counts(passed=1)


def test_thresholds_from_pyproject_and_the_command_line(run: RunWebbench, repository: Path) -> None:
    (repository / "pyproject.toml").write_text(
        '[tool.webbench]\nfail = ["time of get_item: 60%", "cpu: 1000%"]\nbudget = "2s"\n'
    )
    outcome = run(*MINE, "--webbench-against=main", latency_s=times(mine=1.4))
    outcome.counts(passed=1)
    assert "+60 %" in outcome.text
    outcome = run(
        *MINE, "--webbench-against=main", CPU_ASIDE, "--webbench-fail=time: 20%", latency_s=times(mine=1.4)
    )
    outcome.counts(failed=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--webbench-against=nothing",), "knows no commit, branch or tag 'nothing'"),
        (("--webbench-against=-x",), "knows no commit, branch or tag '-x'"),
        (("--webbench-against=main", "--webbench-rounds=1"), "a comparison needs at least 3 rounds"),
        (("--webbench-against=main", "--webbench-fail=p95: much"), "'p95: much' is not METRIC"),
        (("--webbench-against=main", "--webbench-budget=soon"), "'soon' is not a time such as"),
        (("--webbench-against=main", "--webbench-against-stack=other"), "both name a base"),
        (("--webbench-against-stack=othr",), "no stack is called 'othr'"),
        (("--webbench-against-stack=mine",), "no stack to compare with mine"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(
    run: RunWebbench, repository: Path, arguments: tuple[str, ...], said: str
) -> None:
    outcome = run(*MINE, *arguments)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.errors
    assert "Traceback" not in outcome.errors
    assert outcome.doubles.engine.loads == []


def test_stacks_outside_of_a_repository_are_said_to_be(run: RunWebbench, pytester: pytest.Pytester) -> None:
    make_repository(pytester.path, "mine")
    (pytester.path / ".gitignore").write_text("apps\n")
    git(pytester.path, "rm", "-r", "--quiet", "--cached", "apps")
    outcome = run(*MINE, "--webbench-against=main")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "git ignores its folder" in outcome.errors


def test_a_mistake_in_pyproject_is_said(run: RunWebbench, repository: Path) -> None:
    (repository / "pyproject.toml").write_text("[tool.webbench]\nbudgte = '2s'\n")
    outcome = run(*MINE)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "no option is called 'budgte'; did you mean 'budget'?" in outcome.errors


def test_programs_read_the_verdicts_from_the_folder_of_the_run(run: RunWebbench, repository: Path) -> None:
    run(
        *MINE,
        "--webbench-against=main",
        "--webbench-budget=0.01s",
        "--webbench-fail=p50: 5%",
        CPU_ASIDE,
        latency_s=times(mine=1.05),
        spread=0.5,
    )
    (file,) = repository.glob(".webbench/*/comparisons.json")
    kept = json.loads(file.read_text(), parse_constant=no_json)
    assert kept["against"].startswith("main (")
    found = {each["metric"]: each for each in kept["comparisons"]}
    assert found["time"]["cell"] == {"scenario": "get_item", "stack": "mine"}
    assert found["time"]["verdict"] == "inconclusive"
    assert found["p50"]["pairs"] == 4 < found["p50"]["pairs_needed"]
    assert found["time"]["ratio"]["low"] < 1.05 < found["time"]["ratio"]["high"]
    assert found["errors"]["ratio"] == {"estimate": None, "low": None, "high": None}
    assert kept["budget_needed_s"] > 0
    assert {"rounds-needed", "budget-needed", "smallest-effect"} <= {each["code"] for each in kept["remarks"]}


def no_json(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def test_markdown_that_cannot_be_written_costs_no_verdict(run: RunWebbench, repository: Path) -> None:
    def obstruct(load: Load, stack: str) -> None:
        if not (repository / "pr.md").is_dir():
            (repository / "pr.md").unlink(missing_ok=True)
            (repository / "pr.md").mkdir()

    words = ("--webbench-against=self", CPU_ASIDE, "--webbench-markdown=pr.md")
    outcome = run(*MINE, *words, before_run=obstruct)
    outcome.counts(passed=1)
    assert "the verdicts were not written to a file" in outcome.text
    assert "no change" in outcome.text
    assert "INTERNALERROR" not in outcome.text


def test_the_summary_of_a_job_is_appended_to(
    run: RunWebbench, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = repository / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run(*MINE, "--webbench-against=self", CPU_ASIDE)
    text = summary.read_text()
    assert text.startswith("before\n## Benchmarks against self")
    assert "<details><summary>" in text
