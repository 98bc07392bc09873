"""pytest-benchmark's flow of saving and comparing: nothing unsound is stored or judged, nothing is silent."""

import json
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from pytest_webbench.model.http import Request
from pytest_webbench.model.load import ErrorClass
from pytest_webbench.model.measurement import LaunchRecord
from tests.flow import doubles
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.doubles import AnsweringStack

ONE = "webbench/items::get_item[flask-sqlite3]"
HELLO = "webbench/items::hello[flask-sqlite3]"
TWO = (ONE, HELLO)
JSON = "--benchmark-json=figures.json"
SAVE = "--benchmark-save=base"
COMPARE = "--benchmark-compare"
FAIL = "--benchmark-compare-fail=mean:20%"
SLOW_S = 0.03
RECORDED = Path(__file__).parents[1] / "recorded" / "baseline.json"


_KEPT: dict[tuple[str, ...], tuple[Path, bytes]] = {}


def baseline(run: RunWebbench, *arguments: str) -> Path:
    """The file that a run with ``arguments`` saved, in the folder of this test; it is made once."""
    wanted = arguments or TWO
    if wanted in _KEPT:
        name, content = _KEPT[wanted]
        file = Path.cwd() / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        return file
    file = save_baseline(run, *wanted)
    _KEPT[wanted] = file.relative_to(Path.cwd()), file.read_bytes()
    return file


def save_baseline(run: RunWebbench, *arguments: str) -> Path:
    """Save one in a run of its own, and say where."""
    outcome = run(*arguments, SAVE)
    assert outcome.exit_code == 0, outcome.text
    (file,) = outcome.folder.glob(".benchmarks/*/*.json")
    return file


def change(file: Path, alter: Callable[[dict[str, Any]], None]) -> None:
    """Let ``alter`` change what ``file`` holds."""
    data = json.loads(file.read_text())
    alter(data)
    file.write_text(json.dumps(data))


def _row_of(fullname: str, data: dict[str, Any]) -> Any:
    return next(row for row in data["benchmarks"] if row["fullname"] == fullname)


def change_origins(file: Path, alter: Callable[[dict[str, Any]], None]) -> None:
    """Let ``alter`` change what the rows of cells say of how they came about."""

    def alter_all(data: dict[str, Any]) -> None:
        for row in data["benchmarks"]:
            if "derived_from" not in row["extra_info"]["webbench"]:
                alter(row["extra_info"]["webbench"])

    change(file, alter_all)


def refused(outcome: Outcome) -> str:
    """The error of a run that ended before anything was measured, in one line."""
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR, outcome.text
    assert "Traceback" not in outcome.text + outcome.errors
    assert "INTERNALERROR" not in outcome.text + outcome.errors
    assert outcome.doubles.launcher.events == []
    _, _, error = outcome.errors.rpartition("ERROR: ")
    assert error
    return " | ".join(line.strip() for line in error.splitlines() if line)


def said(outcome: Outcome) -> list[str]:
    """The lines of the end that are ours."""
    return [line.removeprefix("webbench: ") for line in outcome.result.outlines if "webbench: " in line]


# --- the other metrics of a cell --------------------------------------------------------------------


def test_each_figure_of_a_cell_has_a_row_with_a_value_for_each_round(run: RunWebbench) -> None:
    outcome = run(ONE, JSON, "--webbench-rounds=3")
    rows = outcome.all_rows()
    rounds = rows["get_item[flask-sqlite3]"]["extra_info"]["webbench"]["rounds"]
    assert len(rounds) == 3
    expected = {
        "mean": ("mean_response_time", "mean_response_time_s"),
        "p50": ("p50_response_time", "p50_s"),
        "p95": ("p95_response_time", "p95_s"),
        "p99": ("p99_response_time", "p99_s"),
        "cpu": ("server_cpu_per_request", "server_cpu_s_per_request"),
    }
    assert set(rows) == {
        "get_item[flask-sqlite3]",
        *(f"get_item:{short}[flask-sqlite3]" for short in expected),
    }
    for short, (metric, key) in expected.items():
        row = rows[f"get_item:{short}[flask-sqlite3]"]
        values = [each[key] for each in rounds]
        assert row["group"] == f"get_item: {short}"
        assert row["fullname"] == f"webbench/items::get_item:{short}[flask-sqlite3]"
        assert row["params"] == {"stack": "flask-sqlite3"}
        assert row["extra_info"] == {
            "stack": "flask-sqlite3",
            "scenario": "get_item",
            "metric": metric,
            "webbench": {
                "format": 2,
                "derived_from": ONE,
                "validity": {
                    "valid": True,
                    "reasons": [],
                    "warnings": [],
                    "reason_codes": [],
                    "warning_codes": [],
                },
            },
        }
        assert row["stats"]["data"] == values
        assert row["stats"]["mean"] == pytest.approx(fmean(values))
        assert (row["stats"]["min"], row["stats"]["max"]) == (min(values), max(values))
        assert (row["stats"]["rounds"], row["stats"]["iterations"]) == (3, 1)


def test_the_mean_of_an_open_loop_is_its_main_row(run: RunWebbench) -> None:
    rows = run(ONE, JSON, "--webbench-rate=200").all_rows()
    assert rows["get_item[flask-sqlite3]"]["extra_info"]["metric"] == "mean_response_time"
    others = (f"get_item:{each}[flask-sqlite3]" for each in ("p50", "p95", "p99", "cpu"))
    assert set(rows) == {"get_item[flask-sqlite3]", *others}


def test_they_are_saved_without_data_as_the_main_row_is(run: RunWebbench) -> None:
    data = json.loads(baseline(run, ONE).read_text())
    assert data["webbench_format"] == 2
    assert len(data["benchmarks"]) == 6
    assert not any("data" in row["stats"] for row in data["benchmarks"])


def test_figures_of_the_fixture_have_them_too(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import pytest

        @pytest.mark.parametrize("users", [1, 2])
        def test_one(webbench, users):
            webbench("get_item", users=users, requests=20, rounds=2)

        @pytest.mark.benchmark(group="mine")
        def test_two(webbench):
            webbench("get_item", requests=20, rounds=2)

        def test_plain(benchmark):
            benchmark.pedantic(lambda: None, rounds=2)
        """
    )
    rows = run("test_mine.py", JSON, "--webbench-stack=flask-sqlite3").all_rows()
    assert len(rows) == 3 * 6 + 1
    assert {name for name in rows if name.startswith("test_plain")} == {"test_plain"}
    one = next(row for name, row in rows.items() if name.startswith("test_one:p95["))
    assert one["fullname"] == f"test_mine.py::{one['name']}"
    assert (one["group"], rows["test_two:p95[flask-sqlite3]"]["group"]) == ("p95", "mine: p95")


def test_a_run_without_figures_of_ours_leaves_the_json_as_it_is(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_plain(benchmark): benchmark.pedantic(lambda: None, rounds=2)")
    outcome = run("test_mine.py", JSON)
    assert set(outcome.all_rows()) == {"test_plain"}
    assert "webbench_format" not in json.loads((outcome.folder / "figures.json").read_text())


# --- what becomes a baseline ------------------------------------------------------------------------


def test_what_came_out_wrong_is_not_saved_and_marked_in_the_json(run: RunWebbench) -> None:
    failing = {"django-drf": {ErrorClass.RESET: 100}}
    names = ["--webbench-stack=django-drf,flask-sqlite3", "--webbench-scenario=get_item"]
    outcome = run(*names, JSON, SAVE, failing=failing)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "webbench: not saved, because invalid: get_item[django-drf]\n" in outcome.errors
    (saved,) = outcome.folder.glob(".benchmarks/*/*.json")
    assert len(outcome.all_rows(str(saved.relative_to(outcome.folder)))) == 6
    rows = outcome.all_rows()
    assert len(rows) == 12
    for name, row in rows.items():
        valid = "flask" in name
        assert row["extra_info"]["webbench"]["validity"]["valid"] == valid
        assert (": invalid" in row["group"]) != valid
    assert "benchmark 'get_item: invalid': 1 tests" in outcome.text


def test_what_a_failed_test_measured_is_no_baseline(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import pytest

        def test_passes(webbench):
            webbench("get_item", requests=20, rounds=2)

        def test_fails(webbench):
            assert webbench("get_item", requests=20, rounds=2).p95_s < 1e-9

        @pytest.mark.xfail
        def test_fails_as_expected(webbench):
            assert webbench("get_item", requests=20, rounds=2).p95_s < 1e-9

        def test_plain(benchmark):
            benchmark.pedantic(lambda: None, rounds=2)
            assert False
        """
    )
    outcome = run("test_mine.py", JSON, SAVE, "--webbench-stack=flask-sqlite3")
    (saved,) = outcome.saved()
    assert set(saved) == {"test_passes[flask-sqlite3]", "test_plain"}  # of the others' no one judges
    rows = outcome.rows()
    for name in ("test_fails", "test_fails_as_expected"):
        validity = rows[f"{name}[flask-sqlite3]"]["extra_info"]["webbench"]["validity"]
        assert (validity["valid"], validity["reasons"]) == (False, ["its test failed"])
        assert validity["reason_codes"] == ["test-failed"]


@pytest.mark.parametrize("stop", ["raise KeyboardInterrupt", "pytest.exit('enough', returncode=7)"])
def test_an_interrupted_run_leaves_its_figures_for_reading_alone(
    run: RunWebbench, pytester: pytest.Pytester, stop: str
) -> None:
    pytester.makepyfile(
        test_mine=f"""
        import pytest

        def test_mine(webbench):
            webbench("get_item", requests=20, rounds=2)

        def test_stop():
            {stop}
        """
    )
    arguments = ("test_mine.py", "--webbench-stack=flask-sqlite3")
    outcome = run(*arguments, JSON, SAVE)
    assert outcome.saved() == []
    assert len(outcome.all_rows()) == 6
    for row in outcome.all_rows().values():
        assert row["extra_info"]["webbench"]["validity"]["reasons"] == ["the run was interrupted"]
    again = run(*arguments, "-k", "not stop", "--benchmark-compare=figures.json")
    left_out = "test_mine[flask-sqlite3] in figures.json is not compared with: the run was interrupted"
    assert left_out in again.text


def test_an_interrupted_run_judges_nothing(run: RunWebbench, pytester: pytest.Pytester) -> None:
    baseline(run)
    pytester.makepyfile(test_mine="def test_mine(): raise KeyboardInterrupt")
    outcome = run(ONE, "test_mine.py", COMPARE, FAIL, latency_s=SLOW_S)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert "regressed" not in outcome.text + outcome.errors


def test_invalid_rows_of_a_json_file_are_not_compared_with(run: RunWebbench) -> None:
    failed = run(*TWO, JSON, failing={"flask-sqlite3": {ErrorClass.RESET: 250}})
    rows = failed.rows()
    validity = {name: row["extra_info"]["webbench"]["validity"]["valid"] for name, row in rows.items()}
    assert validity == {"get_item[flask-sqlite3]": False, "hello[flask-sqlite3]": False}
    change(Path("figures.json"), _make_hello_valid)

    error = refused(run(*TWO, "--benchmark-compare=figures.json"))
    assert error.startswith(
        f"figures.json has no result of get_item[flask-sqlite3] | {ONE} in figures.json is not compared with:"
    )
    outcome = run(*TWO, "--benchmark-compare=figures.json", FAIL, "--webbench-allow-missing")
    assert outcome.exit_code == 0
    assert "not compared: not in any baseline: get_item[flask-sqlite3]" in said(outcome)
    assert "hello[flask-sqlite3] (figures)" in outcome.text
    assert "get_item[flask-sqlite3] (figures)" not in outcome.text


def _make_hello_valid(data: dict[str, Any]) -> None:
    for row in data["benchmarks"]:
        if row["name"].startswith("hello"):
            row["extra_info"]["webbench"]["validity"] = {"valid": True, "reasons": [], "warnings": []}


# --- what is compared -------------------------------------------------------------------------------


def test_a_baseline_of_another_folder_is_compared_with(run: RunWebbench, pytester: pytest.Pytester) -> None:
    file = baseline(run)
    (pytester.path / "elsewhere").mkdir()
    copy = file.rename(pytester.path / "elsewhere" / "of-main.json")
    for arguments in (
        [f"--benchmark-compare={copy}"],
        [f"--benchmark-storage=file://{copy.parent}", "--benchmark-compare=of-main"],
    ):
        outcome = run(*TWO, FAIL, *arguments, latency_s=SLOW_S)
        assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
        assert "get_item[flask-sqlite3] (NOW)" in outcome.text
        assert outcome.errors.count("has failed PercentageRegressionCheck") == 2


def test_a_storage_outside_of_the_folder_may_hold_figures_of_another_machine(
    run: RunWebbench, tmp_path: Path
) -> None:
    storage = f"--benchmark-storage={tmp_path / 'shared'}"
    run(ONE, SAVE, storage)
    (file,) = tmp_path.glob("shared/*/*.json")
    change(file, lambda data: data["machine_info"].update(node="another"))
    outcome = run(ONE, COMPARE, storage)
    assert outcome.exit_code == 0
    assert "get_item[flask-sqlite3] (NOW)" in outcome.text


def test_a_regression_ends_the_run_without_a_traceback(run: RunWebbench) -> None:
    baseline(run)
    outcome = run(*TWO, COMPARE, FAIL, latency_s=SLOW_S)
    outcome.counts(passed=2)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "get_item[flask-sqlite3] (0001_base) - Field 'mean' has failed" in outcome.errors
    assert "Traceback" not in outcome.text + outcome.errors


def test_the_other_figures_are_not_judged(run: RunWebbench) -> None:
    """Percentiles of few requests vary more than the limit that was given for the mean."""
    file = baseline(run)

    def shrink(data: dict[str, Any]) -> None:
        for row in data["benchmarks"]:
            if "derived_from" in row["extra_info"]["webbench"]:
                row["stats"]["mean"] /= 10

    change(file, shrink)
    outcome = run(*TWO, COMPARE, FAIL)
    assert outcome.exit_code == 0
    assert "p95" not in re.sub(r"p95 ms", "", outcome.text)


def alternating() -> Callable[[Request, str], float]:
    """Latencies with which the rounds of get_item differ by more than a result may, and no test fails."""
    latest: list[float] = [0.01]
    number = count()

    def latency_s(request: Request, base_url: str) -> float:
        if request.path == "/hello":
            return SLOW_S
        latest[0] = 0.01 if next(number) % 800 < 400 else 0.1
        return latest[0]

    return latency_s


def test_an_invalid_figure_is_neither_a_regression_nor_a_pass(run: RunWebbench) -> None:
    baseline(run)
    arguments = ("--webbench-requests=get_item=390", COMPARE, FAIL)
    outcome = run(ONE, *arguments, latency_s=alternating())
    outcome.counts(failed=1)
    assert "get_item[flask-sqlite3] is INVALID: the rounds differ by" in outcome.text
    outcome = run(ONE, *arguments, "--webbench-invalid=note", latency_s=alternating())
    outcome.counts(passed=1)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "regressed" not in outcome.text + outcome.errors
    text = "\n".join(said(outcome))
    assert "get_item[flask-sqlite3] is not compared: the rounds differ by " in text
    assert "--benchmark-compare-fail could not judge a single benchmark" in text

    outcome = run(*TWO, *arguments, latency_s=alternating())
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.errors.count("has failed PercentageRegressionCheck") == 1
    assert "hello[flask-sqlite3] (0001_base) - Field 'mean' has failed" in outcome.errors
    assert "get_item[flask-sqlite3] is not compared: the rounds differ by " in "\n".join(said(outcome))


def test_a_benchmark_that_no_baseline_has_is_an_error_unless_allowed(run: RunWebbench) -> None:
    baseline(run, ONE)
    error = refused(run(*TWO, COMPARE))
    assert error.endswith(
        "0001_base.json has no result of hello[flask-sqlite3] | Next step: measure it again, select other "
        "benchmarks, or pass --webbench-allow-missing"
    )
    outcome = run(*TWO, COMPARE, FAIL, "--webbench-allow-missing")
    assert outcome.exit_code == 0
    assert said(outcome).count("not compared: not in any baseline: hello[flask-sqlite3]") == 2


def test_a_missing_figure_of_a_test_is_found_when_it_was_measured(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    change_origins(baseline(run, ONE), lambda origin: origin["config"]["profile"].update(rounds=9))
    pytester.makepyfile(
        test_mine="""
        import pytest

        def test_mine(webbench):
            webbench("get_item", requests=20, rounds=2)

        def test_skipped(webbench):
            pytest.skip("not here")
        """
    )
    arguments = (ONE, "test_mine.py", "--webbench-stack=flask-sqlite3", COMPARE, FAIL)
    outcome = run(*arguments, SAVE)
    outcome.counts(passed=2, skipped=1)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "0001_base.json has no result of test_mine[flask-sqlite3]" in outcome.text
    assert len([line for line in said(outcome) if "rounds of the profile quick 9 then, 2 now" in line]) == 2
    assert "test_skipped" not in "\n".join(said(outcome))
    assert len(outcome.saved()) == 2  # what was measured is kept
    (newest,) = outcome.folder.glob(".benchmarks/*/0002*")
    newest.unlink()
    assert run(*arguments, "--webbench-allow-missing").exit_code == 0


def test_plain_benchmarks_of_a_file_are_compared_as_ever(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import itertools
        import pytest

        def test_plain(benchmark):
            benchmark.pedantic(lambda: None, rounds=2)

        def test_new(benchmark):
            benchmark.pedantic(lambda: None, rounds=2)
        """
    )
    save_baseline(run, ONE, "test_mine.py::test_plain")
    outcome = run(ONE, "test_mine.py", COMPARE, "--benchmark-compare-fail=mean:1000")
    assert outcome.exit_code == 0
    assert "test_plain (NOW)" in outcome.text
    assert "get_item[flask-sqlite3] (NOW)" in outcome.text
    assert run("test_mine.py", COMPARE).exit_code == 0


def test_what_another_plugin_measured_under_the_name_is_not_compared(run: RunWebbench) -> None:
    file = baseline(run)
    change(file, lambda data: _row_of(ONE, data).update(extra_info={}))
    outcome = run(*TWO, COMPARE, FAIL)
    assert outcome.exit_code == 0
    (line,) = {each for each in said(outcome) if "measured by" in each}
    assert line.endswith(": measured by pytest-benchmark then, webbench now (get_item[flask-sqlite3])")


# --- baselines that cannot be used ------------------------------------------------------------------


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def test_a_damaged_baseline_is_named_before_anything_is_measured(run: RunWebbench) -> None:
    file = baseline(run)
    _cut(file)
    for arguments in ((COMPARE,), (f"{COMPARE}=0001",), (f"{COMPARE}={file}", FAIL)):
        error = refused(run(*TWO, *arguments))
        assert f"the baseline {file} is damaged or no file of pytest-benchmark: " in error
        assert "Next step: compare with another one" in error


def test_the_newest_baseline_alone_must_be_whole(run: RunWebbench) -> None:
    file = baseline(run)
    run(*TWO, "--benchmark-save=second")
    _cut(file)
    outcome = run(*TWO, COMPARE, FAIL)
    assert outcome.exit_code == 0
    assert "0002_second" in outcome.text
    (second,) = outcome.folder.glob(".benchmarks/*/0002*")
    _cut(second)
    assert str(second) in refused(run(*TWO, COMPARE, FAIL))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (FAIL,),
            "--benchmark-compare-fail has nothing to compare with | Next step: add --benchmark-compare, or "
            "name a baseline: --benchmark-compare=NUM or =FILE",
        ),
        ((COMPARE, FAIL), "--benchmark-compare-fail has no baseline to judge by: "),
        ((f"{COMPARE}=0007", FAIL), "has none that matches 0007 | Next step: make one with"),
        ((f"{COMPARE}=/no/such/file.json",), "--benchmark-compare: there is no file /no/such/file.json"),
        ((f"{COMPARE}=/nothing.json",), "--benchmark-compare: there is no file /nothing.json"),
    ],
)
def test_a_baseline_that_is_not_there_is_an_error(
    run: RunWebbench, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refused(run(ONE, *arguments))


def test_a_first_run_that_judges_nothing_needs_no_baseline(run: RunWebbench) -> None:
    outcome = run(ONE, COMPARE, SAVE)
    assert outcome.exit_code == 0
    assert f"nothing is compared: there is no baseline in {outcome.folder / '.benchmarks'}" in said(outcome)
    assert len(outcome.saved()) == 1


@pytest.mark.parametrize("option", ["--benchmark-skip", "--benchmark-disable", "--collect-only"])
def test_where_nothing_is_timed_no_baseline_is_missed(run: RunWebbench, option: str) -> None:
    arguments = ("webbench/items::echo[flask-sqlite3]", option, f"{COMPARE}={RECORDED}", FAIL)
    assert run(*arguments).exit_code in (0, pytest.ExitCode.NO_TESTS_COLLECTED)


def test_a_baseline_of_the_first_format_is_compared_with(run: RunWebbench) -> None:
    """It comes from a run with the same doubles, whose rate stands there in words alone."""
    items = (*TWO, "webbench/items::list_items[flask-sqlite3]")
    arguments = (f"{COMPARE}={RECORDED}", FAIL, "--webbench-invalid=note")
    outcome = run(*items, *arguments, "--webbench-rate=list_items=200", latency_s=SLOW_S)
    assert outcome.errors.count("has failed PercentageRegressionCheck") == 3
    assert not [line for line in said(outcome) if "machine, " not in line and "then, " in line]
    outcome = run(*items, *arguments, "--webbench-rate=list_items=100")
    (words,) = {line.partition(".json: ")[2] for line in said(outcome) if "loop open loop" in line}
    assert (
        words
        == "loop open loop, 200/s constant then, open loop, 100/s constant now (list_items[flask-sqlite3])"
    )


# --- what differs -----------------------------------------------------------------------------------


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda origin: origin.update(values)


def _configure(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda origin: origin["config"].update(values)


INCOMPARABLE = [
    (_set(launcher="container"), "launcher container then, fake now"),
    (_set(engine="k6"), "engine k6 then, fake now"),
    (
        _configure(schedule={"rate": 50.0, "arrivals": "constant", "seed": 0, "offset_s": 0.0}),
        "loop open loop, 50/s constant then, closed loop now",
    ),
    (_configure(users=99), "users 99 then, 10 now"),
    (_configure(records=7), "records 7 then, 60 now"),
]
COMPARABLE = [
    (_set(profile="paper"), "profile paper then, quick now"),
    (_configure(generators=4), "generators 4 then, 1 now"),
    (_configure(amount={"duration_s": None, "requests": 7}), "amount 7 requests then, "),
]


def alter_by(changes: Sequence[tuple[Callable[[dict[str, Any]], None], str]], file: Path) -> list[str]:
    """Let all of ``changes`` change ``file``; the words in which they are told."""
    for alter, _ in changes:
        change_origins(file, alter)
    return [words for _, words in changes]


def test_figures_of_another_kind_are_never_judged(run: RunWebbench) -> None:
    words = alter_by(INCOMPARABLE, baseline(run, ONE))
    error = refused(run(ONE, COMPARE, FAIL))
    assert error.startswith("--benchmark-compare-fail could not judge a single benchmark | ")
    assert [each for each in words if each not in error] == []

    outcome = run(ONE, COMPARE, latency_s=SLOW_S)
    assert outcome.exit_code == 0
    for each in words:
        lines = [line for line in said(outcome) if each in line]
        assert len(lines) == 2, each  # before and after
        assert all(re.match(r"not compared: \S*0001_base.json: ", line) for line in lines)
    assert "(NOW)" not in outcome.text


def test_one_that_can_be_judged_still_is(run: RunWebbench) -> None:
    file = baseline(run)
    change(file, lambda data: _row_of(ONE, data)["extra_info"]["webbench"].update(launcher="container"))
    outcome = run(*TWO, COMPARE, FAIL, latency_s=SLOW_S)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "get_item[flask-sqlite3] (0001_base)" not in outcome.errors
    assert "hello[flask-sqlite3] (0001_base) - Field 'mean' has failed" in outcome.errors


def test_what_else_differs_is_said_and_judged(run: RunWebbench) -> None:
    words = alter_by(COMPARABLE, baseline(run))
    outcome = run(*TWO, COMPARE, FAIL, latency_s=SLOW_S)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.errors.count("has failed PercentageRegressionCheck") == 2
    for each in words:
        lines = [line for line in said(outcome) if each in line]
        assert lines, each
        assert all(re.match(r"compared anyway: \S*0001_base.json: ", line) for line in lines)


def test_strictly_any_difference_is_an_error_before_anything_is_measured(run: RunWebbench) -> None:
    file = baseline(run)
    content = file.read_bytes()
    assert run(*TWO, COMPARE, FAIL, "--webbench-strict").exit_code == 0
    for changes in (INCOMPARABLE, COMPARABLE):
        file.write_bytes(content)
        words = alter_by(changes, file)
        error = refused(run(*TWO, COMPARE, "--webbench-strict"))
        assert error.startswith(
            "--webbench-strict: the baseline was measured differently, so nothing is compared"
        )
        assert [each for each in words if each not in error] == []


def test_another_machine_is_said_in_a_line_for_each_difference(run: RunWebbench) -> None:
    file = baseline(run)
    other = {"node": "other", "cpu": {"brand_raw": "another", "hz_actual": [1, 0]}}
    change(file, lambda data: data["machine_info"].update(other))
    outcome = run(*TWO, COMPARE, FAIL, latency_s=SLOW_S)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "has failed PercentageRegressionCheck" in outcome.errors
    machine = {line.partition("machine, ")[2] for line in said(outcome) if "machine, " in line}
    node = json.loads(file.read_text())["machine_info"]
    assert {each.partition(":")[0] for each in machine} == {"node", "cpu.brand_raw"}
    assert "cpu.brand_raw: another then, a processor now" in machine
    assert "Benchmark machine_info is different" not in outcome.text + outcome.errors
    error = refused(run(*TWO, COMPARE, "--webbench-strict"))
    assert f"machine, node: {node['node']} then, " in error


def test_the_hook_of_a_user_is_asked_about_the_machine(run: RunWebbench, pytester: pytest.Pytester) -> None:
    baseline(run)
    pytester.makeconftest("""
        def pytest_benchmark_compare_machine_info(machine_info, compared_benchmark):
            print("asked of", machine_info["node"] == compared_benchmark["machine_info"]["node"])
    """)
    outcome = run(*TWO, COMPARE, "-s")
    assert "asked of True" in outcome.text


@pytest.fixture
def _stacks_tell_their_python(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = LaunchRecord(launcher="fake", startup_s=0.1, versions={"python": "3.13.1"})
    monkeypatch.setattr(doubles, "AnsweringStack", partial(AnsweringStack, launch=launch))


@pytest.mark.usefixtures("_stacks_tell_their_python")
def test_what_is_known_only_when_a_stack_has_run_is_told_then(run: RunWebbench) -> None:
    file = save_baseline(run, *TWO)
    change_origins(file, lambda origin: origin["versions"].update(python="3.12.9"))
    words = "Python of the stack 3.12.9 then, 3.13.1 now (hello[flask-sqlite3], get_item[flask-sqlite3])"
    outcome = run(*TWO, COMPARE, FAIL, latency_s=SLOW_S)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.errors.count("has failed PercentageRegressionCheck") == 2
    (line,) = (each for each in said(outcome) if "Python" in each)
    assert re.fullmatch(rf"compared anyway: \S+0001_base.json: {re.escape(words)}", line)

    outcome = run(*TWO, COMPARE, FAIL, "--webbench-strict", "--benchmark-save=next", latency_s=SLOW_S)
    outcome.counts(passed=2)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--webbench-strict: the baseline was measured differently" in outcome.text
    assert words in outcome.text
    assert "regressed" not in outcome.text + outcome.errors
    assert len(outcome.saved()) == 2  # what was measured is kept


def test_tests_that_measure_are_compared_when_they_have(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_mine(webbench):
            webbench("get_item", requests=20, rounds=2)
        """
    )
    arguments = ("test_mine.py", "--webbench-stack=flask-sqlite3")
    change_origins(save_baseline(run, *arguments), _set(launcher="container"))
    outcome = run(*arguments, COMPARE, FAIL, latency_s=SLOW_S)
    outcome.counts(passed=1)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--benchmark-compare-fail could not judge a single benchmark" in outcome.text
    assert "launcher container then, fake now (test_mine[flask-sqlite3])" in outcome.text


# --- mistakes that are found before anything is measured --------------------------------------------


def test_a_place_that_cannot_be_written_to_is_found_at_once(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    (pytester.path / "taken").write_text("")
    error = refused(run(ONE, "--benchmark-json=no/such/folder/figures.json"))
    assert error.startswith("--benchmark-json: no/such/folder/figures.json cannot be written | Next step: ")
    assert refused(run(ONE, "--benchmark-json=.")).startswith("--benchmark-json: . cannot be written")
    error = refused(run(ONE, SAVE, "--benchmark-storage=taken"))
    assert error.startswith("--benchmark-save and --benchmark-autosave cannot write to ")


def test_a_histogram_without_its_library_is_refused_at_once(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_webbench.session.benchmark.baselines.find_spec", lambda name: None)
    error = refused(run(ONE, "--benchmark-histogram"))
    assert error.endswith("not installed | Next step: pip install 'pytest-benchmark[histogram]'")


def test_a_file_that_was_there_is_kept_until_the_new_one_is_whole(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def give_up(descriptor: int) -> None:
        if ".webbench" not in Path(f"/proc/self/fd/{descriptor}").readlink().parts:
            raise OSError(28, "No space left on device")
        sync(descriptor)  # the run's own folder is on another disk, say

    file = baseline(run, ONE)
    before = run(ONE, JSON).folder / "figures.json"
    figures, stored = before.read_bytes(), file.read_bytes()
    monkeypatch.setattr("pytest_webbench.host.files.os.fsync", give_up)
    outcome = run(ONE, JSON, SAVE)
    outcome.counts(passed=1)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    lines = said(outcome)
    assert "--benchmark-json: figures.json was not written (No space left on device)" in lines
    assert any(re.match(r"nothing was saved in \S+ \(No space left on device\): check ", x) for x in lines)
    assert before.read_bytes() == figures
    assert [each.name for each in file.parent.iterdir()] == ["0001_base.json"]
    assert file.read_bytes() == stored
