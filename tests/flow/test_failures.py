"""What goes wrong with a stack, the load or the run, and what is said and kept then."""

import json
import os
import signal
from itertools import count
from xml.etree import ElementTree

import pytest

from pytest_webbench.analysis.diagnostics import judge_trust
from pytest_webbench.model.codec import from_json
from pytest_webbench.model.errors import InstallError, LoadError, StackDiedError, StartError
from pytest_webbench.model.load import ErrorClass, Load
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell
from pytest_webbench.report.content.document import make_sections
from pytest_webbench.report.markdown import render_report
from pytest_webbench.runs.store import read_run
from tests.flow.conftest import Outcome, RunWebbench

JSON = "--benchmark-json=figures.json"
TWO = ("--webbench-stack=flask-sqlite3,django-drf", "--webbench-scenario=hello,get_item")
START_ERROR = StartError("django-drf did not start: it exited with code 3", evidence="no module", hint="look")


def all_taken_down(outcome: Outcome) -> bool:
    events = outcome.doubles.launcher.events
    started = [event.removeprefix("start ") for event in events if event.startswith("start ")]
    ended = [event.removeprefix("end ") for event in events if event.startswith("end ")]
    return sorted(started) == sorted(ended)


# --- a stack that fails -----------------------------------------------------------------------------


def test_a_stack_that_does_not_start_fails_its_own_items_with_the_cause(run: RunWebbench) -> None:
    few = "--webbench-scenario=hello,get_item"
    outcome = run(few, JSON, "--benchmark-autosave", failures={"django-drf": START_ERROR})
    outcome.counts(failed=2, passed=8)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "webbench: django-drf failed: django-drf did not start: it exited with code 3" in outcome.text
    outcome.result.stdout.fnmatch_lines(
        [
            "*_ hello[[]django-drf[]] _*",
            "django-drf did not start: it exited with code 3",
            "    no module",
            "Next step: look",
        ]
    )
    assert "Traceback" not in outcome.text
    assert set(outcome.rows()) == set(outcome.saved()[0])
    assert not any("django" in name for name in outcome.rows())


def test_a_failed_stack_is_not_launched_again(run: RunWebbench) -> None:
    def die(load: Load, stack: str) -> None:
        if stack == "django-drf":
            raise StackDiedError("django-drf exited while it was measured: it was ended by SIGKILL")

    outcome = run(*TWO, "--webbench-rounds=3", before_run=die)
    events = outcome.doubles.launcher.events
    assert events.count("start django-drf") == events.count("end django-drf") == 1
    assert events.count("start flask-sqlite3") == events.count("end flask-sqlite3") == 3


def test_a_scenario_that_fails_its_check_is_never_timed_and_its_neighbours_are(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    arguments = "--webbench-scenario=hello,get_item,update_item", "--junitxml=report.xml"
    outcome = run(*TWO[:1], *arguments, JSON, "--benchmark-autosave", greetings={"django-drf": "Hello!"})
    outcome.counts(failed=1, passed=5)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    loads = [load for load, url in outcome.doubles.engine.loads if "django-drf" in url]
    assert loads
    assert not any(each.request.path == "/hello" for load in loads for each in load.exchanges)
    rows = outcome.rows()
    assert set(rows) == set(outcome.saved()[0])
    for name in ("get_item[django-drf]", "update_item[django-drf]"):
        assert rows[name]["extra_info"]["webbench"]["validity"]["valid"] is True
        assert len(rows[name]["extra_info"]["webbench"]["rounds"]) == 2
    said = 'django-drf gave a wrong response to GET /hello: "message" is "Hello!", expected "Hello, World!"'
    assert outcome.text.count(f"webbench: hello[django-drf] failed the check before timing: {said}") == 1
    assert f"FAILED django-drf: {said}" in " ".join(outcome.text.split())
    (line,) = (line for line in outcome.lines_of_trials() if "check_failed" in line)
    assert line["check_failed"] == {"scenario": "hello", "stack": "django-drf"}
    assert line["error"].startswith(said)
    (failure,) = ElementTree.parse(pytester.path / "report.xml").iter("failure")
    assert said in failure.attrib["message"]
    outcome.result.stdout.fnmatch_lines(
        [
            'django-drf gave a wrong response to GET /hello: "message" is "Hello!", expected "Hello, World!"',
            '    GET /hello gave 200: {"message": "Hello!"}',
            "Next step: hello is not timed on this stack until it follows its contract",
        ]
    )


def test_a_stack_whose_every_scenario_fails_its_check_is_launched_once(run: RunWebbench) -> None:
    outcome = run("--webbench-stack=flask-*", "--webbench-scenario=hello", greetings={"flask-sqlite3": "Hi"})
    outcome.counts(failed=1, passed=1)
    assert outcome.doubles.launcher.events.count("start flask-sqlite3") == 1
    assert outcome.doubles.launcher.events.count("start flask-sqlalchemy") == 2


def test_a_check_that_fails_in_a_later_launch_keeps_what_was_measured(run: RunWebbench) -> None:
    greetings = {"django-drf": "Hello, World!"}

    def change(load: Load, stack: str) -> None:
        greetings["django-drf"] = "Hi"  # from the next launch on

    outcome = run(*TWO, JSON, "--benchmark-autosave", before_run=change, greetings=greetings)
    outcome.counts(failed=1, passed=3)
    assert "INVALID django-drf: only 1 of 2 rounds were made" in outcome.text
    assert "hello[django-drf]" in outcome.rows()
    assert set(outcome.saved()[0]) == {
        "hello[flask-sqlite3]",
        "get_item[flask-sqlite3]",
        "get_item[django-drf]",
    }


def test_x_stops_after_a_failed_check_before_anything_is_measured(run: RunWebbench) -> None:
    outcome = run(*TWO, "-x", greetings={"flask-sqlite3": "Hi", "django-drf": "Hi"})
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.doubles.engine.loads == []
    assert all_taken_down(outcome)


def test_a_failed_check_is_in_the_report(run: RunWebbench) -> None:
    outcome = run(*TWO, greetings={"django-drf": "Hello!"})
    (folder,) = (outcome.folder / ".webbench").glob("2*")
    record = read_run(folder)
    cell = Cell(scenario="hello", stack="django-drf")
    assert list(record.check_failures) == [cell]
    (part, *_) = (part for each in make_sections([record]) for part in each.parts if "hello" in part.title)
    (note,) = (note for note in part.notes if note.subject == "django-drf")
    assert note.text.startswith("django-drf gave a wrong response to GET /hello")
    assert any("hello[django-drf]" in finding.text for finding in judge_trust(record))
    assert "hello\\[django-drf\\] failed the check" in render_report([record])


def test_a_failure_is_written_to_the_trials(run: RunWebbench) -> None:
    outcome = run(*TWO, failures={"django-drf": START_ERROR})
    (failure,) = (line for line in outcome.lines_of_trials() if "stack_failed" in line)
    assert failure == {"stack_failed": "django-drf", "error": str(START_ERROR)}


def test_a_stack_that_cannot_be_installed_is_not_started(run: RunWebbench) -> None:
    """Preparing comes before anything is launched: an installation takes the processor from the others."""
    outcome = run(*TWO)
    events = outcome.doubles.launcher.events
    assert events[:2] == ["prepare flask-sqlite3", "prepare django-drf"] or events[:2] == [
        "prepare django-drf",
        "prepare flask-sqlite3",
    ]
    assert not any(event.startswith("prepare") for event in events[2:])


def test_an_install_error_fails_the_items_of_its_stack(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_webbench.model.stack import Stack
    from pytest_webbench.stacks.fake import FakeLauncher

    def prepare(self: FakeLauncher, stack: Stack) -> None:
        if stack.name == "django-drf":
            raise InstallError("the lock of django-drf does not install")

    monkeypatch.setattr(FakeLauncher, "prepare", prepare)
    outcome = run(*TWO)
    outcome.counts(failed=2, passed=2)
    assert "start django-drf" not in outcome.doubles.launcher.events
    assert "webbench: django-drf failed: the lock of django-drf does not install" in outcome.text


def test_all_stacks_failing_is_told_for_each(run: RunWebbench) -> None:
    outcome = run(
        *TWO, failures={name: StartError(f"{name} is broken") for name in ("flask-sqlite3", "django-drf")}
    )
    outcome.counts(failed=4)
    assert outcome.doubles.engine.loads == []
    assert "flask-sqlite3 is broken" in outcome.text
    assert "django-drf is broken" in outcome.text


def test_x_stops_before_anything_is_measured(run: RunWebbench) -> None:
    outcome = run("-x", "-rs", failures={"django-drf": START_ERROR})
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.doubles.engine.loads == []
    outcome.counts(failed=1, skipped=4)
    assert "not measured: the run was stopped before (-x, --maxfail)" in outcome.text
    assert all_taken_down(outcome)


def test_maxfail_counts_failed_stacks(run: RunWebbench) -> None:
    outcome = run(*TWO, "--maxfail=2", failures={"django-drf": START_ERROR})
    outcome.counts(failed=2, passed=2)


def test_a_stack_that_dies_in_a_later_round_fails_with_what_was_measured_kept(run: RunWebbench) -> None:
    loads_of_django = count(1)

    def die(load: Load, stack: str) -> None:
        # Each cell is warmed up and then loaded, so that the sixth load is in the second block.
        if stack == "django-drf" and next(loads_of_django) == 6:
            raise StackDiedError("django-drf exited while it was measured: it was ended by SIGKILL")

    outcome = run(*TWO, JSON, "--benchmark-autosave", before_run=die)
    outcome.counts(failed=2, passed=2)
    assert "django-drf exited while it was measured: it was ended by SIGKILL" in outcome.text
    assert "INVALID django-drf: only 1 of 2 rounds were made" in outcome.text
    django = [row for name, row in outcome.rows().items() if "django" in name]
    assert not any(row["extra_info"]["webbench"]["validity"]["valid"] for row in django)
    assert not any("django" in name for name in outcome.saved()[0])
    assert all_taken_down(outcome)


# --- wrong responses and lost writes ----------------------------------------------------------------


def test_wrong_responses_fail_the_item_and_are_no_baseline(run: RunWebbench) -> None:
    failing = {"django-drf": {ErrorClass.WRONG_BODY: 100}}
    outcome = run(*TWO, JSON, "--benchmark-autosave", "--webbench-requests=get_item=300", failing=failing)
    outcome.counts(failed=2, passed=2)
    outcome.result.stdout.fnmatch_lines(
        [
            "get_item[[]django-drf[]]: 3 of 300 requests failed (wrong_body 3)",
            "    GET /items/*: injected by the fake engine",
        ]
    )
    rows = outcome.rows()
    assert set(rows) == {
        f"{each}[{stack}]" for each in ("hello", "get_item") for stack in ("flask-sqlite3", "django-drf")
    }
    ours = rows["get_item[django-drf]"]["extra_info"]["webbench"]
    assert ours["validity"]["valid"] is False
    assert ours["validity"]["reasons"] == ["3 of 300 requests failed (wrong_body 3)"]
    assert ours["errors"] == {"wrong_body": 6}
    assert ours["requests_ok"] == 594
    assert rows["get_item[flask-sqlite3]"]["extra_info"]["webbench"]["validity"]["valid"] is True
    (baseline,) = outcome.saved()
    assert set(baseline) == {"hello[flask-sqlite3]", "get_item[flask-sqlite3]"}
    assert "INVALID django-drf: 3 of 300 requests failed (wrong_body 3)" in outcome.text


def test_a_run_without_a_valid_figure_saves_no_baseline(run: RunWebbench) -> None:
    failing = {"django-drf": {ErrorClass.RESET: 10}}
    outcome = run("--webbench-stack=django-drf", "--benchmark-autosave", failing=failing)
    outcome.counts(failed=7)
    assert outcome.saved() == []
    assert "webbench: not saved, because invalid: hello[django-drf], echo[django-drf], " in outcome.errors


def test_a_cell_without_a_single_right_answer_fails_without_a_row(run: RunWebbench) -> None:
    failing = {"django-drf": {ErrorClass.CONNECT_REFUSED: 1}}
    outcome = run(*TWO, JSON, failing=failing)
    outcome.counts(failed=2, passed=2)
    assert "hello[django-drf]: no request was completed" in outcome.text
    assert set(outcome.rows()) == {"hello[flask-sqlite3]", "get_item[flask-sqlite3]"}
    assert "INVALID django-drf: no request was completed" in outcome.text


def test_a_write_that_was_confirmed_but_is_not_stored_fails_the_item(run: RunWebbench) -> None:
    outcome = run("-k", "update_item or get_item", JSON, lost_writes=["flask-sqlite3"])
    outcome.counts(failed=1, passed=9, deselected=25)
    assert "update_item[flask-sqlite3]: the database is wrong: record " in outcome.text
    ours = outcome.rows()["update_item[flask-sqlite3]"]["extra_info"]["webbench"]
    assert ours["validity"]["valid"] is False
    assert ours["validity"]["reasons"][0].startswith("the database is wrong: record ")


def test_a_generator_that_fails_is_no_fault_of_the_stack(run: RunWebbench) -> None:
    def fail(load: Load, stack: str) -> None:
        if stack == "django-drf" and load.exchanges[0].request.path.startswith("/items/"):
            raise LoadError("the load worker ended in the middle of a load", hint="run it again")

    outcome = run(*TWO, JSON, before_run=fail)
    outcome.counts(failed=1, passed=3)
    outcome.result.stdout.fnmatch_lines(
        [
            "webbench: get_item[[]django-drf[]] gave nothing in round 1: the load worker ended *",
            "webbench: get_item[[]django-drf[]] gave nothing in round 2: the load worker ended *",
            "the load worker ended in the middle of a load",
            "Next step: run it again",
        ]
    )
    assert "hello[django-drf]" in outcome.rows()
    failures = [line for line in outcome.lines_of_trials() if "trial_failed" in line]
    assert [line["trial_failed"]["round"] for line in failures] == [0, 1]


# --- interruption -----------------------------------------------------------------------------------


def test_an_interrupted_run_keeps_its_finished_trials_and_saves_no_baseline(run: RunWebbench) -> None:
    # Each cell is warmed up and then loaded: the ninth load warms up the fifth cell.
    outcome = run(*TWO, JSON, "--benchmark-autosave", interrupt_at=9)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    lines = outcome.lines_of_trials()
    trials = [from_json(Measurement, line["trial"]) for line in lines]
    assert len(trials) == 4
    for trial in trials:
        assert len(trial.load.latency_ns) == trial.load.ok > 0
    assert outcome.saved() == []
    assert not outcome.has_json()
    assert all_taken_down(outcome)
    assert outcome.doubles.engine.closed


def test_what_an_interrupted_run_measured_is_shown_as_incomplete(run: RunWebbench) -> None:
    outcome = run(*TWO, interrupt_at=9)
    assert outcome.text.count("only 1 of 2 rounds were made") == 4
    assert "webbench: measurements and logs are in " in outcome.text


def test_ctrl_c_while_items_are_replayed_saves_no_baseline(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_mine(): raise KeyboardInterrupt")
    outcome = run(
        "webbench/items::hello[django-drf]",
        "test_mine.py",
        "webbench/items::echo[django-drf]",
        "--benchmark-autosave",
    )
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    assert outcome.saved() == []


def test_sigterm_takes_a_run_down_as_ctrl_c_does(run: RunWebbench) -> None:
    def terminate(load: Load, stack: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    outcome = run(*TWO, before_run=terminate)
    assert outcome.exit_code == 128 + signal.SIGTERM
    assert all_taken_down(outcome)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.filterwarnings("ignore:Benchmark fixture was not used")
def test_a_fault_of_ours_is_shown_once_and_everything_is_taken_down(run: RunWebbench) -> None:
    def fail(load: Load, stack: str) -> None:
        raise RuntimeError("a bug")

    outcome = run(*TWO, "-rs", before_run=fail)
    counts = outcome.result.parseoutcomes()
    assert (counts["failed"], counts["skipped"]) == (1, 3)
    assert outcome.text.count("RuntimeError: a bug") >= 1
    assert "not measured: the run was stopped before (see the first failure)" in outcome.text
    assert all_taken_down(outcome)


def test_a_folder_that_cannot_be_written_to_is_told_without_a_traceback(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    (pytester.path / "taken").write_text("")
    outcome = run(*TWO, "--webbench-output=taken")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert (
        f"webbench: {pytester.path / 'taken'} cannot be written to (Not a directory); "
        "choose another folder with --webbench-output"
    ) in outcome.text
    assert "Traceback" not in outcome.text + outcome.errors
    assert not any(event.startswith("start") for event in outcome.doubles.launcher.events)


def test_the_settings_and_the_plan_of_a_run_are_on_disk(run: RunWebbench) -> None:
    from pytest_webbench.model.plan import Plan
    from pytest_webbench.model.settings import Settings

    outcome = run(*TWO)
    (file,) = outcome.folder.glob(".webbench/*/run.json")
    written = json.loads(file.read_text())
    assert written["format"] == 1
    assert from_json(Settings, written["settings"]).seed == 11
    plan = from_json(Plan, written["plan"])
    trials = [from_json(Measurement, line["trial"]).trial for line in outcome.lines_of_trials()]
    assert [trial for block in plan.blocks for trial in block.trials] == trials
    assert (outcome.folder / ".webbench" / ".gitignore").read_text() == "*\n"
