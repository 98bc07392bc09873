"""``--webbench-explain``: after the plan, outside of the results, and despite failures."""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.host.meters.fake import FakeProfiler
from pytest_webbench.model.errors import LoadError, ProfilerError, StackDiedError, StartError
from pytest_webbench.model.load import Load
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.runs import profiling
from pytest_webbench.runs.profiling import ENOUGH, MOST_LOADS
from pytest_webbench.runs.store import read_run
from pytest_webbench.stacks.fake import FakeStack
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.test_failures import all_taken_down

EXPLAIN = "--webbench-explain"
TWO = ("--webbench-stack=flask-sqlite3,django-drf", "--webbench-scenario=hello,create_item")
STACKS = {
    "main (./app.py:1);dumps (python3.13/json/__init__.py:1)": 300,
    "main (./app.py:1)": 150,
    "main (./app.py:1);epoll_wait (libc.so.6)": 500,
}


DURATION_S = 0.3


@pytest.fixture(autouse=True)
def _short_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of the fake engine cost time, too, and how many there are is not the point."""
    monkeypatch.setattr(profiling, "DURATION_S", DURATION_S)


def explained(outcome: Outcome) -> list[CodeProfile]:
    files = sorted(outcome.folder.glob(".webbench/*/explained.jsonl"))
    return [each for file in files for each in read_run(file).explained]


def test_each_cell_is_sampled_once_more_after_the_plan(run: RunWebbench) -> None:
    """None of it is in the results."""
    outcome = run(*TWO, EXPLAIN, "--benchmark-json=figures.json", profiler=FakeProfiler(STACKS))
    outcome.counts(passed=4)
    profiles = explained(outcome)
    assert [str(each.cell) for each in profiles] == [
        "hello[flask-sqlite3]",
        "create_item[flask-sqlite3]",
        "hello[django-drf]",
        "create_item[django-drf]",
    ]
    for each in profiles:
        assert each.stacks == STACKS
        assert (each.rate_hz, each.reason) == (100, "")
        assert each.requests > 0
        assert each.cpu_s == 0.01
        assert each.cpu_s_per_request is not None
    loads = outcome.doubles.engine.loads
    sampled = [number for number, (load, _) in enumerate(loads) if load.amount.duration_s == DURATION_S]
    assert len(sampled) == 2 * 4  # one of each cell for the machine code
    timed = 2 * 4 * 2  # two rounds of four cells, each warmed up and loaded
    assert all(number >= timed for number in sampled)
    launches = [event for event in outcome.doubles.launcher.events if event.startswith("start")]
    assert launches[-2:] == ["start flask-sqlite3", "start django-drf"]
    assert all_taken_down(outcome)
    assert {row["stats"]["rounds"] for row in outcome.rows().values()} == {2}
    assert len(outcome.lines_of_trials()) == 8


def test_without_the_option_no_profiler_is_asked_for(run: RunWebbench) -> None:
    profiler = FakeProfiler(STACKS)
    outcome = run(*TWO, profiler=profiler)
    assert profiler.events == []
    assert explained(outcome) == []
    assert "where the time goes" not in outcome.text


def test_it_may_stand_in_the_ini_file_and_in_pyproject(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwebbench_explain = true")
    assert len(explained(run(*TWO, profiler=FakeProfiler(STACKS)))) == 4


def test_the_tables_follow_those_of_the_figures(run: RunWebbench) -> None:
    outcome = run("--webbench-scenario=hello", TWO[0], EXPLAIN, profiler=FakeProfiler(STACKS))
    outcome.result.stdout.fnmatch_lines(
        [
            "webbench: explaining 2 benchmarks, untimed",
            "webbench: explained 1 of 2: hello[[]flask-sqlite3[]], 450 samples",
            "webbench: explained 2 of 2: hello[[]django-drf[]], 450 samples",
            "*= webbench =*",
            "hello: a short JSON response",
            "*= webbench: where the time goes =*",
            "hello: CPU time per request, and share of the samples *",
            "JSON * 67 % [[]62, 71[]] *",
            "application * 33 % [[]29, 38[]] *",
            "all *450 samples *450 samples*",
        ]
    )


def test_few_samples_are_added_to_by_further_loads_of_other_requests(run: RunWebbench) -> None:
    few = {"main (./app.py:1)": ENOUGH // 2, "main (./app.py:1);epoll_wait (libc.so.6)": 10 * ENOUGH}
    profiler = FakeProfiler(few)
    outcome = run("-k", "create_item and flask-sqlite3", EXPLAIN, profiler=profiler)
    (profile,) = explained(outcome)
    assert profile.stacks["main (./app.py:1)"] == ENOUGH
    loads = [load for load, _ in outcome.doubles.engine.loads if load.amount.duration_s == DURATION_S]
    assert len(loads) == 3  # the last one for the machine code
    assert len({load.exchanges[0].request.body for load in loads}) == 3


def test_machine_code_is_joined_to_the_calls_that_it_was_met_at(run: RunWebbench) -> None:
    deep = {"main (./app.py:1);fetch (_sqlite/cursor.c)": 1, "main (./app.py:1)": 2}
    profiler = FakeProfiler({"main (./app.py:1)": 600}, deep=deep)
    outcome = run("-k", "hello and flask-sqlite3", EXPLAIN, profiler=profiler)
    (profile,) = explained(outcome)
    assert profile.stacks == {"main (./app.py:1);fetch (_sqlite/cursor.c)": 200, "main (./app.py:1)": 400}


def test_a_cell_with_hardly_any_samples_is_given_up(run: RunWebbench) -> None:
    profiler = FakeProfiler({"main (./app.py:1)": 1})
    outcome = run("-k", "hello and flask-sqlite3", EXPLAIN, profiler=profiler)
    (profile,) = explained(outcome)
    assert profile.samples == MOST_LOADS
    assert profiler.events == ["record 1", "end 1"] * MOST_LOADS + ["record 1 deep", "end 1"]


def test_a_profiler_that_may_not_is_said_with_the_next_step_and_fails_no_test(run: RunWebbench) -> None:
    failure = ProfilerError("py-spy may not look", evidence="Permission denied", hint="run pytest as root")
    outcome = run(*TWO, EXPLAIN, profiler=FakeProfiler(failure=failure))
    outcome.counts(passed=4)
    assert outcome.exit_code == pytest.ExitCode.OK
    assert {each.reason for each in explained(outcome)} == {str(failure)}
    outcome.result.stdout.fnmatch_lines(
        [
            "webbench: explained 1 of 4: hello[[]flask-sqlite3[]]: no samples, py-spy may not look",
            "  note flask-sqlite3: not explained: py-spy may not look",
            "    Permission denied",
            "Next step: run pytest as root",
        ]
    )
    assert all_taken_down(outcome)


def test_a_profiler_that_sees_no_machine_code_explains_what_it_sees(run: RunWebbench) -> None:
    class Shallow(FakeProfiler):
        def record(self, pid: int, *, deep: bool = False) -> Any:
            if deep:
                raise ProfilerError("py-spy cannot look at the server's process 1", evidence="UNW_EBADREG")
            return super().record(pid)

    outcome = run("-k", "hello and flask-sqlite3", EXPLAIN, profiler=Shallow(STACKS))
    (profile,) = explained(outcome)
    assert profile.stacks == STACKS
    assert profile.note.endswith(
        "for the Python that called it: py-spy cannot look at the server's process 1"
    )
    assert (
        "  note flask-sqlite3: what machine code did counts for the Python that called it: " in outcome.text
    )


def test_a_profiler_that_meets_nothing_is_said(run: RunWebbench) -> None:
    profiler = FakeProfiler({"epoll_wait (libc.so.6)": 0})
    outcome = run("-k", "hello and flask-sqlite3", EXPLAIN, profiler=profiler)
    (profile,) = explained(outcome)
    assert profile.reason.startswith("the profiler met no calls. Next step: ")


def test_a_server_whose_processes_are_not_seen_is_not_loaded(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeStack, "server_pid", None, raising=False)
    monkeypatch.setattr(FakeStack, "__setattr__", _all_but_the_pid)
    profiler = FakeProfiler(STACKS)
    outcome = run(*TWO, EXPLAIN, profiler=profiler)
    outcome.counts(passed=4)
    assert profiler.events == []
    assert all("cannot be seen from here" in each.reason for each in explained(outcome))
    assert not any(load.amount.duration_s == DURATION_S for load, _ in outcome.doubles.engine.loads)


def _all_but_the_pid(self: FakeStack, name: str, value: Any) -> None:
    if name != "server_pid":
        object.__setattr__(self, name, value)


def in_sampled(what: Any, *, stack: str, nth: int = 1) -> Mapping[str, Any]:
    """Doubles of which the load number ``nth`` under the profiler, on ``stack``, raises ``what``."""
    numbers = count(1)

    def before_run(load: Load, name: str) -> None:
        if load.amount.duration_s == DURATION_S and name == stack and next(numbers) == nth:
            raise what

    return {"before_run": before_run, "profiler": FakeProfiler(STACKS)}


def test_a_stack_that_dies_while_it_is_explained_keeps_its_tests_and_what_is_explained(
    run: RunWebbench,
) -> None:
    died = StackDiedError("flask-sqlite3 exited while it was measured: it was ended by SIGKILL")
    outcome = run(*TWO, EXPLAIN, **in_sampled(died, stack="flask-sqlite3", nth=4))
    outcome.counts(passed=4)
    assert [each.reason for each in explained(outcome)] == ["", str(died), "", ""]
    assert "  note flask-sqlite3: not explained: flask-sqlite3 exited while it was measured" in outcome.text
    assert all_taken_down(outcome)


def test_a_generator_that_fails_costs_one_explanation(run: RunWebbench) -> None:
    failed = LoadError("the load worker ended in the middle of a load")
    outcome = run(*TWO, EXPLAIN, **in_sampled(failed, stack="flask-sqlite3"))
    outcome.counts(passed=4)
    assert [each.reason for each in explained(outcome)] == [str(failed), "", "", ""]


def test_a_stack_that_failed_in_the_plan_is_not_launched_again(run: RunWebbench) -> None:
    failures = {"django-drf": StartError("django-drf did not start")}
    outcome = run(*TWO, EXPLAIN, failures=failures, profiler=FakeProfiler(STACKS))
    outcome.counts(passed=2, failed=2)
    assert {each.cell.stack for each in explained(outcome)} == {"flask-sqlite3"}


def test_a_scenario_that_failed_its_check_is_not_explained_and_its_neighbours_are(run: RunWebbench) -> None:
    outcome = run(*TWO, EXPLAIN, greetings={"django-drf": "Hi"}, profiler=FakeProfiler(STACKS))
    outcome.counts(passed=3, failed=1)
    profiles = {str(each.cell): each.reason for each in explained(outcome)}
    assert profiles == dict.fromkeys(
        ("hello[flask-sqlite3]", "create_item[flask-sqlite3]", "create_item[django-drf]"), ""
    )


def test_ctrl_c_keeps_the_figures_and_what_is_explained(run: RunWebbench) -> None:
    interrupted = in_sampled(KeyboardInterrupt(), stack="flask-sqlite3", nth=4)
    outcome = run(*TWO, EXPLAIN, "--benchmark-autosave", "--benchmark-json=figures.json", **interrupted)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert [each.cell for each in explained(outcome)] == [Cell(scenario="hello", stack="flask-sqlite3")]
    assert "webbench: interrupted: 1 of 4 benchmarks were explained" in outcome.text
    assert len(outcome.saved()[0]) == len(outcome.rows()) == 4
    assert all_taken_down(outcome)
    assert outcome.doubles.profiler.events == ["record 1", "end 1", "record 1 deep", "end 1"] * 2
    assert outcome.doubles.engine.closed


def test_an_interrupted_plan_is_not_explained(run: RunWebbench) -> None:
    profiler = FakeProfiler(STACKS)
    outcome = run(*TWO, EXPLAIN, interrupt_at=9, profiler=profiler)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert profiler.events == []


@pytest.mark.parametrize("arguments", [("--collect-only",), ("--benchmark-disable",)])
def test_what_times_nothing_explains_nothing(run: RunWebbench, arguments: tuple[str, ...]) -> None:
    profiler = FakeProfiler(STACKS)
    run(*TWO, EXPLAIN, *arguments, profiler=profiler)
    assert profiler.events == []


def test_both_sides_of_a_comparison_are_explained(run: RunWebbench) -> None:
    outcome = run(
        "--webbench-stack=flask-sqlalchemy",
        "--webbench-against-stack=flask-sqlite3",
        "--webbench-scenario=hello",
        "--webbench-rounds=3",
        "--webbench-budget=1s",
        EXPLAIN,
        profiler=FakeProfiler(STACKS),
    )
    assert {each.cell.stack for each in explained(outcome)} == {"flask-sqlalchemy", "flask-sqlite3"}


def test_a_full_disk_is_said(run: RunWebbench, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_webbench.runs.store import RunFolder

    def fail(self: RunFolder, profile: CodeProfile) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, "keep_explained", fail)
    outcome = run(*TWO, EXPLAIN, profiler=FakeProfiler(STACKS))
    outcome.counts(passed=4)
    assert "not all profiles were saved: [Errno 28] No space left on device" in outcome.text
    assert all_taken_down(outcome)


def test_without_py_spy_nothing_is_measured(
    run: RunWebbench, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_webbench.host.meters import py_spy
    from tests.flow.doubles import Doubles

    monkeypatch.setattr(f"{py_spy.__name__}.shutil.which", lambda name, path=None: None)
    monkeypatch.setattr(Doubles, "pytest_webbench_profiler", lambda self: None)
    outcome = run(*TWO, EXPLAIN)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--webbench-explain needs py-spy, which is neither beside this Python nor on the PATH" in (
        outcome.errors
    )
    assert 'Next step: install it with: pip install "pytest-webbench[explain]"' in outcome.errors
    assert outcome.doubles.launcher.events == []
    assert not Path(pytester.path, ".webbench").exists()
