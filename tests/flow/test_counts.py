"""Instructions counted in place of times: what a run shows, decides, stores and refuses."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest

from pytest_webbench.host.meters import callgrind
from pytest_webbench.model.measurement import Combine, Readings
from pytest_webbench.model.stack import Meter, RunningStack
from pytest_webbench.runs.store import read_run
from pytest_webbench.session.output.reports import write_reports
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.repository import make_repository

COUNTS = "--webbench-measure=instructions"
ONE = ("--webbench-scenario=get_item", "--webbench-stack=flask-sqlite3")
MINE = ("--webbench-scenario=get_item", "--webbench-stack=mine", "--webbench-against=self")
JSON = "--benchmark-json=figures.json"
REQUESTS = 30
Counts = Callable[[str, int], float]
"""The instructions per request of a stack in its launch of this number, from 1."""


class CountRun(Protocol):
    """``count(*arguments, instructions, syscalls, **doubles)``: a run with counts that are made up."""

    def __call__(self, *arguments: str, **changes: Any) -> Outcome: ...


@pytest.fixture
def count(run: RunWebbench, monkeypatch: pytest.MonkeyPatch) -> CountRun:
    def count(
        *arguments: str,
        instructions: Counts = lambda stack, launch: 1_000_000.0 + 100 * launch,
        syscalls: Counts = lambda stack, launch: 136.0,
        about: Mapping[str, str] | None = None,
        **doubles: Any,
    ) -> Outcome:
        launches: Counter[str] = Counter()

        class FakeCallgrind(Meter):
            readings: Mapping[str, Combine] = {"instructions": Combine.SUM, "syscalls": Combine.SUM}

            def attach(self, server: RunningStack) -> None:
                self.stack = server.stack.name
                launches[self.stack] += 1
                self.launch = launches[self.stack]
                self.about = about or {}

            def begin(self) -> None:
                pass

            def end(self) -> Readings:
                return Readings(
                    instructions=REQUESTS * instructions(self.stack, self.launch),
                    syscalls=REQUESTS * syscalls(self.stack, self.launch),
                )

        monkeypatch.setattr(callgrind, "CallgrindMeter", FakeCallgrind)
        return run(COUNTS, *arguments, **doubles)

    return count


@pytest.fixture
def repository(pytester: pytest.Pytester) -> Path:
    make_repository(pytester.path, "mine", "other")
    return pytester.path


def more(factor: float) -> Counts:
    """The head executes so many times the instructions of its base."""
    return lambda stack, launch: 1_000_000.0 * (1.0 if stack.endswith("@base") else factor) + 100 * launch


# --- what it looks like -----------------------------------------------------------------------------


def test_nothing_of_a_counted_run_looks_like_speed(count: CountRun, tmp_path: Path) -> None:
    outcome = count("--webbench-scenario=get_item", "--webbench-stack=flask-*")
    outcome.counts(passed=2)
    assert "1,000.1" in outcome.text  # thousands
    assert "0.01%" in outcome.text
    assert "136.0" in outcome.text
    assert "not times" in outcome.text
    (folder,) = outcome.folder.glob(".webbench/*/")
    page, markdown = (
        file.read_text() for file in write_reports([folder], kinds=("html", "markdown"), folder=tmp_path)
    )
    text = outcome.text.partition("= webbench =")[2].partition("measurements and logs")[0] or outcome.text
    head = page[page.index("<main") : page.index("</main>")]
    for said in (text, markdown, head):
        assert "Instructions per request" in said
        assert "leave out what the kernel does" in said
        for word in ("slower", "faster", "req/s", "requests/s", "CPU ms", "p95", "x slower", "95 %", "Cost"):
            assert word not in said, word
    assert "data-chart" not in head


def test_a_run_that_is_timed_says_nothing_of_counts(run: RunWebbench) -> None:
    outcome = run(*ONE)
    assert "syscalls" not in outcome.text
    assert "nstructions" not in outcome.text


# --- what is decided --------------------------------------------------------------------------------


def test_more_instructions_fail_the_test_in_one_line(count: CountRun, repository: Path) -> None:
    outcome = count(*MINE, "--webbench-markdown=pr.md", instructions=more(1.023))
    outcome.counts(failed=1)
    line = (
        "get_item[mine] has 2.30% more instructions per request than the base: 1,023.1k instead of 1,000.1k, "
        "allowed +1 %"
    )
    assert line in outcome.text
    markdown = (repository / "pr.md").read_text()
    assert markdown.startswith("## Instructions per request against self")
    assert "### 1 with more instructions, 2 no change" in markdown
    assert "more instructions | get" in markdown
    assert "leave out what the kernel does" in markdown
    for said in (markdown, outcome.text):
        assert "slower" not in said
        assert "faster" not in said
    (file,) = repository.glob(".webbench/*/comparisons.json")
    (kept,) = (
        each for each in json.loads(file.read_text())["comparisons"] if each["metric"] == "instructions"
    )
    assert kept["verdict"] == "slower"  # programs read the same keys of either measure
    assert kept["spread"] == pytest.approx(100 / 1_000_100, rel=0.01)


def test_fewer_instructions_pass_and_are_told(count: CountRun, repository: Path) -> None:
    outcome = count(*MINE, instructions=more(0.9))
    outcome.counts(passed=1)
    assert "1 with fewer instructions" in outcome.text


@pytest.mark.parametrize(("factor", "failed"), [(1.009, 0), (1.011, 1)])
def test_the_limits_of_counts(count: CountRun, repository: Path, factor: float, failed: int) -> None:
    outcome = count(*MINE, instructions=more(factor))
    assert outcome.result.parseoutcomes().get("failed", 0) == failed
    outcome = count(*MINE, syscalls=lambda stack, launch: 800.0 if "base" in stack else 800 * factor + 8)
    assert outcome.result.parseoutcomes().get("failed", 0) == failed
    assert ("more system calls per request" in outcome.text) == bool(failed)


def test_a_cell_that_does_not_repeat_is_launched_again_and_judged_by_its_interval(
    count: CountRun, repository: Path
) -> None:
    steps = [0, 7_000, 3_000, 1_000, 6_000, 2_000, 4_000, 5_000] * 4

    def wavering(stack: str, launch: int) -> float:
        factor = 1.0 if stack.endswith("@base") or stack == "other" else 1.02
        return 1_000_000 * factor + (3 * steps[launch] if stack.startswith("mine") else 0)

    arguments = ("--webbench-scenario=get_item,hello", "--webbench-stack=mine,other", MINE[2])
    outcome = count(*arguments, "--webbench-budget=20s", instructions=wavering)
    launches = Counter(
        (line["trial"]["trial"]["cell"]["stack"], line["trial"]["trial"]["cell"]["scenario"])
        for line in outcome.lines_of_trials()
    )
    assert launches["other", "hello"] == 2
    assert launches["mine", "hello"] == launches["mine", "get_item"] == launches["mine@base", "hello"] > 2
    outcome.counts(failed=2, passed=2)
    assert "unsteady: launches differ by 1." in outcome.text
    assert "so that the interval over" in outcome.text


def test_what_stays_undecided_says_what_would_decide_it(count: CountRun, repository: Path) -> None:
    outcome = count(
        *MINE, "--webbench-budget=0.01s", instructions=lambda stack, launch: 1e6 + 15_000 * (launch % 2)
    )
    outcome.counts(passed=1)
    said = "unsteady: launches differ by 1.50%, and 2 of each side are too few for an interval; more can be"
    assert said in " ".join(outcome.text.split())
    assert "1 inconclusive" in outcome.text


def test_system_calls_are_no_reason_to_launch_again(count: CountRun, repository: Path) -> None:
    outcome = count(*MINE, syscalls=lambda stack, launch: 100.0 + 5 * (launch % 2))
    outcome.counts(passed=1)
    assert len(outcome.lines_of_trials()) == 4
    assert "syscalls of get_item[mine]: unsteady: launches differ by 5.00%" in outcome.text


# --- what is void -----------------------------------------------------------------------------------


def test_sides_that_respond_differently_are_not_compared(count: CountRun, repository: Path) -> None:
    def headers(stack: str) -> Mapping[str, str]:
        return {} if stack.endswith("@base") else {"X-Powered-By": "another"}

    outcome = count(*MINE, "--webbench-markdown=pr.md", instructions=more(1.5), headers=headers)
    outcome.counts(passed=1)
    text = " ".join(outcome.text.split())
    said = (
        "void: base and head respond differently, so that their counts are of different work: GET "
        "/items/9: the header x-powered-by is another, of the base not there"
    )
    assert said in re.sub(r"/items/\d+", "/items/9", text)
    markdown = (repository / "pr.md").read_text()
    assert "### 2 void, 1 no change" in markdown
    outcome = count(*MINE, "--webbench-invalid=fail", instructions=more(1.5), headers=headers)
    outcome.counts(failed=1)
    assert "get_item[mine]: void: base and head respond differently" in outcome.text
    (file, *_) = repository.glob(".webbench/*/comparisons.json")
    kept = {each["metric"]: each for each in json.loads(file.read_text())["comparisons"]}
    assert (kept["instructions"]["verdict"], kept["instructions"]["why_code"]) == ("void", "responses-differ")
    assert kept["instructions"]["ratio"]["estimate"] is None


def test_what_differs_from_launch_to_launch_differs_by_its_nature(count: CountRun, repository: Path) -> None:
    outcome = count(*MINE, headers=lambda stack: {"X-Request-Id": str(uuid4())})
    outcome.counts(passed=1)
    assert "void" not in outcome.text


def test_headers_of_another_stack_are_its_own(count: CountRun, repository: Path) -> None:
    outcome = count(
        *MINE[:2], "--webbench-against-stack=other", headers=lambda stack: {"X-Powered-By": stack}
    )
    assert "void" not in outcome.text


def test_a_contract_that_changed_with_the_code_makes_it_void(count: CountRun, repository: Path) -> None:
    outcome = count(
        "--webbench-scenario=hello", *MINE[1:], greetings={"mine@base": "Good day!"}, instructions=more(1.5)
    )
    outcome.counts(passed=1)
    assert "void: base and head respond differently" in outcome.text
    assert "the base fails the check that hello[mine] passes" in " ".join(outcome.text.split())


# --- with pytest-benchmark ---------------------------------------------------------------------------

SAVE = "--benchmark-autosave"
COMPARE = ("--benchmark-compare", "--benchmark-compare-fail=mean:1%")
OURS = "get_item:instructions[flask-sqlite3]"


def grown(by: float) -> Counts:
    return lambda stack, launch: 1_000_000.0 * by + 100 * launch


def test_counts_of_two_days_are_compared_by_pytest_benchmark(count: CountRun) -> None:
    first = count(*ONE, SAVE)
    first.counts(passed=1)
    (saved,) = first.saved()
    assert saved[OURS]["stats"]["mean"] == 1_000_150.0
    assert saved[OURS]["group"] == "get_item: instructions"
    same = count(*ONE, *COMPARE)
    assert same.exit_code == 0
    assert "Name (time in k instructions)" in same.text
    assert f"{OURS} (NOW)" in same.text
    more = count(*ONE, *COMPARE, instructions=grown(1.02))
    assert more.exit_code == pytest.ExitCode.TESTS_FAILED
    assert f"{OURS} (0001_" in more.errors
    assert "has failed PercentageRegressionCheck: 1.999" in more.errors


def test_system_calls_have_a_row_of_their_own(count: CountRun) -> None:
    outcome = count(*ONE, JSON)
    rows = outcome.all_rows()
    assert set(rows) == {OURS, "get_item:syscalls[flask-sqlite3]"}
    assert rows["get_item:syscalls[flask-sqlite3]"]["stats"]["mean"] == 136.0
    assert rows["get_item:syscalls[flask-sqlite3]"]["group"] == "get_item: syscalls"
    assert {row["fullname"] for row in rows.values()} == {f"webbench/items::{name}" for name in rows}
    read = read_run(outcome.folder / "figures.json")
    assert read.counts
    assert read.summaries[0].value("instructions") == 1_000_150.0
    assert read.summaries[0].spread == pytest.approx(1e-4, rel=0.01)


def test_times_and_counts_are_never_compared(count: CountRun, run: RunWebbench) -> None:
    count(*ONE, SAVE)
    timed = run(*ONE, SAVE)
    for outcome, said in (
        (count(*ONE, *COMPARE), "it has times, and this run has counts of instructions"),
        (run(*ONE, *COMPARE[:1], "--benchmark-autosave"), ""),
    ):
        assert outcome.exit_code == 0, outcome.text + outcome.errors
        assert said in outcome.text
    (newest,) = timed.folder.glob(".benchmarks/*/0002_*")
    refused = count(*ONE, f"--benchmark-compare={newest}")
    assert refused.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "0002_" in refused.errors
    assert "cannot be compared with: it has times, and this run has counts" in refused.errors
    assert refused.doubles.engine.loads == []


def test_reports_of_times_and_counts_stay_apart(count: CountRun, run: RunWebbench, tmp_path: Path) -> None:
    count(*ONE)
    run(*ONE)
    folders = sorted(Path().glob(".webbench/*/"), key=lambda each: not read_run(each).counts)
    (file,) = write_reports(folders, kinds=("markdown",), folder=tmp_path)
    text = file.read_text()
    assert "has counts of instructions, and " in text
    assert "has times: they are not compared." in text
    assert "x slower" in text.partition("not compared")[2]  # the timed run's own table


def test_what_differs_between_two_days_is_said(count: CountRun) -> None:
    outcome = count(*ONE, SAVE)
    (file,) = outcome.folder.glob(".benchmarks/*/*.json")
    data = json.loads(file.read_text())
    ours = next(row for row in data["benchmarks"] if row["name"] == OURS)["extra_info"]["webbench"]
    ours["config"] |= {"libc": "glibc 2.99", "valgrind": "3.1"}
    file.write_text(json.dumps(data))

    again = count(*ONE, *COMPARE, about={"libc": "glibc 2.36", "valgrind": "3.1"})
    assert again.exit_code == 0
    assert "C library glibc 2.99 then, glibc 2.36 now" in again.text
    assert "Valgrind 3.1 then" not in again.text


def test_rows_of_an_own_test_are_told_apart_too(count: CountRun, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_mine(webbench):
            assert webbench("get_item").value("instructions") > 0

        def test_plain(benchmark):
            benchmark.pedantic(lambda: None, rounds=2)
        """
    )
    outcome = count("test_mine.py", "--webbench-stack=flask-sqlite3", JSON)
    outcome.counts(passed=2)
    rows = outcome.rows()
    assert set(rows) == {"test_mine:instructions[flask-sqlite3]", "test_plain"}
    assert rows["test_mine:instructions[flask-sqlite3]"]["group"] == "instructions"
    assert "rounds from one launch" in outcome.text


@pytest.mark.parametrize("given", ["users=3", "duration_s=1", "rate=10"])
def test_own_tests_ask_for_nothing_that_is_timed(
    count: CountRun, pytester: pytest.Pytester, given: str
) -> None:
    pytester.makepyfile(test_mine=f"def test_mine(webbench):\n    webbench('get_item', {given})\n")
    outcome = count("test_mine.py", "--webbench-stack=flask-sqlite3")
    outcome.counts(failed=1)
    assert f"{given.partition('=')[0]} is for runs that are timed" in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("option", ["--benchmark-disable", "--benchmark-skip", "--collect-only"])
def test_where_nothing_is_recorded_counting_is_as_the_other_measure(count: CountRun, option: str) -> None:
    outcome = count(*ONE, option)
    assert outcome.exit_code in (0, pytest.ExitCode.NO_TESTS_COLLECTED), outcome.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (COUNTS, "--webbench-fail=p95: 10%"),
            "--webbench-fail=p95 is for runs that are timed, and --webbench-measure=instructions counts",
        ),
        (
            ("--webbench-fail=instructions: 1%",),
            "--webbench-fail=instructions is for runs that count, and this one measures time",
        ),
        ((COUNTS, "--webbench-users=5"), "--webbench-users is for runs that are timed"),
        ((COUNTS, "-n2", "-p", "xdist"), "cannot run under pytest-xdist"),
    ],
)
def test_what_belongs_to_the_other_measure_is_refused(
    run: RunWebbench, arguments: tuple[str, ...], said: str
) -> None:
    outcome = run(*ONE, *arguments)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.errors
    assert "Traceback" not in outcome.errors


def test_thresholds_of_the_other_measure_in_a_file_hold_for_its_runs(
    count: CountRun, repository: Path
) -> None:
    (repository / "pyproject.toml").write_text(
        '[tool.webbench]\nfail = ["p95: 10%", "instructions of get_item: 5%"]\n'
    )
    outcome = count(*MINE, instructions=more(1.03))
    outcome.counts(passed=1)
    assert "+5 %" in outcome.text
