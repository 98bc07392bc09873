"""What is collected: 35 items whose names are the same everywhere, and every way of choosing from them."""

import pytest

from pytest_webbench.suites.items import SCENARIOS, STACKS
from tests.flow.conftest import RunWebbench

ALL_IDS = [f"webbench/items::{scenario.name}[{stack.name}]" for scenario in SCENARIOS for stack in STACKS]
OWN_TEST = """
    def test_mine():
        assert True
"""


def collected(run: RunWebbench, *arguments: str) -> list[str]:
    outcome = run("--collect-only", "-q", *arguments)
    assert outcome.doubles.launcher.events == []
    return [line for line in outcome.result.outlines if "::" in line]


def test_the_built_in_suite_has_an_item_for_each_scenario_and_stack(run: RunWebbench) -> None:
    assert len(ALL_IDS) == 35
    assert collected(run) == ALL_IDS


def test_node_ids_are_the_same_from_another_folder_and_another_root(
    run: RunWebbench, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\ntestpaths = tests\n")
    pytester.makepyfile(**{"tests/test_mine": OWN_TEST})
    deep = pytester.mkdir("deep") / "deeper"
    deep.mkdir()
    assert collected(run) == ALL_IDS
    monkeypatch.chdir(deep)
    assert collected(run) == ALL_IDS
    assert collected(run, f"--rootdir={deep}") == ALL_IDS
    assert collected(run, "--rootdir=/") == ALL_IDS


def test_node_ids_may_be_given_as_pytest_shows_them_below_its_root(
    run: RunWebbench, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]")
    below = pytester.path / "services" / "shop"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    outcome = run("-v", "../../webbench/items::hello[django-drf]")
    outcome.counts(passed=1)
    assert "../../webbench/items::hello[django-drf]" in outcome.text
    assert list(pytester.path.glob(".webbench/*/trials.jsonl"))


def test_a_folder_called_webbench_changes_nothing(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.mkdir("webbench")
    assert collected(run) == ALL_IDS


def test_without_a_path_only_the_suites_are_collected(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=OWN_TEST)
    assert collected(run) == ALL_IDS


def test_with_a_path_only_what_stands_there_is_collected(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=OWN_TEST, test_other=OWN_TEST)
    assert collected(run, "test_mine.py") == ["test_mine.py::test_mine"]


def test_a_path_and_a_suite_are_collected_together(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=OWN_TEST)
    assert collected(run, "test_mine.py", "webbench/items") == ["test_mine.py::test_mine", *ALL_IDS]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("webbench/items", ALL_IDS),
        ("webbench/items::hello", [each for each in ALL_IDS if "::hello[" in each]),
        ("webbench/items::hello[flask-sqlite3]", ["webbench/items::hello[flask-sqlite3]"]),
    ],
)
def test_node_ids_are_arguments(run: RunWebbench, argument: str, expected: list[str]) -> None:
    assert collected(run, argument) == expected


def test_several_node_ids_are_arguments(run: RunWebbench) -> None:
    chosen = ["webbench/items::hello[flask-sqlite3]", "webbench/items::echo[django-drf]"]
    assert collected(run, *chosen) == chosen


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (
            "webbench/items::helo[flask-sqlite3]",
            "ERROR: no benchmark of webbench/items is called 'helo[flask-sqlite3]'; "
            "did you mean 'hello[flask-sqlite3]'?",
        ),
        ("webbench/items::qwertz", "ERROR: no benchmark of webbench/items is called 'qwertz'"),
        ("webbench/itms", "ERROR: file or directory not found: webbench/itms"),
    ],
)
def test_an_argument_that_does_not_exist_is_an_error(run: RunWebbench, argument: str, error: str) -> None:
    outcome = run(argument)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert outcome.result.errlines[0] == error
    assert outcome.doubles.launcher.events == []


def test_patterns_choose_stacks_and_scenarios(run: RunWebbench) -> None:
    found = collected(run, "--webbench-stack=flask-*", "--webbench-scenario=hello,*_item*")
    assert len(found) == 2 * 6
    assert not any("echo" in each or "django" in each for each in found)


def test_k_runs_what_is_left_and_launches_nothing_else(run: RunWebbench) -> None:
    outcome = run("-k", "get_item and (flask-sqlite3 or django)")
    outcome.counts(passed=2, deselected=33)
    assert {load.exchanges[0].request.path[:7] for load, _ in outcome.doubles.engine.loads} == {"/items/"}
    started = [event for event in outcome.doubles.launcher.events if event.startswith("start")]
    assert sorted(started) == ["start django-drf"] * 2 + ["start flask-sqlite3"] * 2


def test_deselecting_everything_launches_nothing(run: RunWebbench) -> None:
    outcome = run("-k", "nothing_is_called_so")
    assert outcome.exit_code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert outcome.doubles.launcher.events == []


def test_collect_only_runs_nothing_and_writes_nothing(run: RunWebbench, pytester: pytest.Pytester) -> None:
    outcome = run("--collect-only")
    assert outcome.exit_code == 0
    assert "<Function hello[fastapi-sqlalchemy]>" in outcome.text
    assert outcome.doubles.launcher.events == []
    assert outcome.doubles.engine.loads == []
    assert not (pytester.path / ".webbench").exists()


def test_last_failed_runs_the_failed_ones_again(run: RunWebbench) -> None:
    wrong = {"flask-sqlite3": "Hello!"}
    run("--webbench-scenario=hello,echo", greetings=wrong).counts(failed=1, passed=9)
    again = run("--webbench-scenario=hello,echo", "--lf", "-v")
    assert again.result.parseoutcomes()["passed"] == 1
    again.result.stdout.fnmatch_lines(
        ["*rerun previous 1 failure*", "*::hello[[]flask-sqlite3[]]*", "PASSED*"]
    )


@pytest.mark.parametrize("option", ["--ff", "--nf", "--sw", "--junitxml=report.xml", "--durations=3", "-v"])
def test_common_options_of_pytest_work(run: RunWebbench, option: str) -> None:
    outcome = run("--webbench-stack=flask-*", "--webbench-scenario=hello", option)
    outcome.counts(passed=2)
    assert outcome.errors == ""


def test_hooks_of_the_users_conftest_see_the_items(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest

        @pytest.hookimpl
        def pytest_runtest_setup(item):
            item.user_properties.append(("seen", item.nodeid))
            print("conftest saw", item.nodeid)

        @pytest.fixture(autouse=True)
        def of_the_user():
            print("fixture of the user")
    """)
    outcome = run("webbench/items::hello[flask-sqlite3]", "-rP")
    outcome.counts(passed=1)
    outcome.result.stdout.fnmatch_lines(
        ["conftest saw webbench/items::hello[[]flask-sqlite3[]]", "fixture of the user"]
    )


def test_the_list_shows_what_there_is_with_the_numbers_of_this_run(run: RunWebbench) -> None:
    outcome = run("--webbench-list", "--webbench-users=hello=7")
    assert outcome.exit_code == 0
    lines = [" ".join(line.split()) for line in outcome.result.outlines]
    assert "fastapi-sqlite3 items FastAPI with sqlite3" in lines
    assert "hello items 7 0.4 s req/s a short JSON response" in lines
    assert "delete_item items 1 30 requests ms one record, deleted" in lines
    profiles = [line for line in lines if line.startswith(("quick", "smoke", "paper"))]
    assert [line.split()[:3] for line in profiles] == [
        ["quick", "5", "interleaved"],
        ["smoke", "1", "interleaved"],
        ["paper", "5", "sequential"],
    ]
    assert outcome.doubles.launcher.events == []


def test_the_list_names_a_mistake_without_a_traceback(run: RunWebbench) -> None:
    outcome = run("--webbench-list", "--webbench-profile=qick")
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--webbench-profile: 'qick' is not known; did you mean 'quick'?" in outcome.errors
    assert "Traceback" not in outcome.errors + outcome.text
