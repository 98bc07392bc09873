"""The fixtures for everybody's tests: ``webbench_stack`` and ``webbench``."""

import pytest

from pytest_webbench.cli import main
from pytest_webbench.model.errors import StartError
from pytest_webbench.model.load import ErrorClass
from pytest_webbench.model.run import SavedRun
from pytest_webbench.runs.store import read_run
from tests.flow.conftest import Outcome, RunWebbench

JSON = "--benchmark-json=figures.json"
FLASK = "--webbench-stack=flask-sqlite3"
STACKS = ["fastapi-sqlalchemy", "fastapi-sqlite3", "flask-sqlalchemy", "flask-sqlite3", "django-drf"]

ASKING = """
    import urllib.request

    def test_hello(webbench_stack):
        with urllib.request.urlopen(f"{webbench_stack.base_url}/hello") as answer:
            assert answer.read() == b'{"message": "Hello, World!"}'

    def test_name_and_log(webbench_stack):
        assert webbench_stack.log == f"the log of {webbench_stack.name}"
        assert repr(webbench_stack) == f"<stack {webbench_stack.name} at {webbench_stack.base_url}>"
"""

MEASURING = """
    from pytest_webbench import Request

    def test_scenario(webbench):
        figures = webbench("get_item", users=4, requests=80, rounds=3)
        assert figures.cell.scenario == "get_item"
        assert figures.cell.stack == "flask-sqlite3"
        assert figures.users == 4
        assert figures.requests_ok == figures.requests_sent == 240
        assert len(figures.time_per_request_s) == 3
        assert 0.009 < figures.p50_s <= figures.p95_s <= figures.p99_s < 0.012
        assert figures.validity.valid
        assert 9 < figures.figure.estimate < 11

    def test_request(webbench):
        figures = webbench(Request(path="/items/7"), users=2, duration_s=0.5, rounds=1)
        assert str(figures.cell) == "GET /items/7[flask-sqlite3]"
        assert figures.amount.duration_s == 0.5
"""


def test_without_webbench_the_tests_are_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=ASKING, test_other=MEASURING)
    result = pytester.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=4)
    assert "measures web stacks: run pytest with --webbench" in str(result.stdout)


def test_a_test_runs_once_for_every_stack_which_is_launched_once(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=ASKING)
    outcome = run("test_mine.py")
    outcome.counts(passed=10)
    events = [event for event in outcome.doubles.launcher.events if event.startswith(("start", "end"))]
    assert events == [f"{what} {name}" for name in STACKS for what in ("start", "end")]


def test_the_selected_stacks_alone_are_launched(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine=ASKING)
    outcome = run("test_mine.py", "-v", FLASK)
    outcome.counts(passed=2)
    assert "test_mine.py::test_hello[flask-sqlite3] PASSED" in outcome.text
    assert "django" not in outcome.text


def test_measuring_returns_the_figures_and_feeds_pytest_benchmark(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=MEASURING)
    outcome = run("test_mine.py", FLASK, JSON, "--benchmark-autosave")
    outcome.counts(passed=2)
    rows = outcome.rows()
    scenario, request = rows["test_scenario[flask-sqlite3]"], rows["test_request[flask-sqlite3]"]
    assert scenario["fullname"] == "test_mine.py::test_scenario[flask-sqlite3]"
    assert scenario["stats"]["rounds"] == 3
    assert scenario["stats"]["mean"] == pytest.approx(0.01 / 4, rel=0.05)
    assert scenario["extra_info"]["scenario"] == "get_item"
    assert scenario["extra_info"]["webbench"]["requests_ok"] == 240
    assert request["stats"]["rounds"] == 1
    assert request["extra_info"]["scenario"] == "GET /items/7"
    assert set(outcome.saved()[0]) == set(rows)
    assert (
        "get_item: one record\n4 users, 80 requests, closed loop, fake launcher, engine fake" in outcome.text
    )
    assert "GET /items/7\n2 users, 0.5 s, closed loop, fake launcher, engine fake" in outcome.text


def test_scenarios_and_exchanges_are_measured_too(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        from pytest_webbench import Amount, Answer, Effect, EffectKind, Exchange, Request, Scenario

        NOTHING = Exchange(request=Request(path="/hello"), answer=Answer(status=204))

        def test_scenario(webbench):
            scenario = Scenario(
                name="mine",
                users=3,
                amount=Amount(requests=30),
                traffic=lambda records, count, rng: [NOTHING],
            )
            figures = webbench(scenario, rounds=1)
            assert (figures.users, figures.requests_ok) == (3, 30)

        def test_exchange_that_reads(webbench):
            assert webbench(NOTHING, requests=20, rounds=1).requests_ok == 20

        def test_exchange_that_writes(webbench):
            item = {"name": "n", "description": "d", "price": 1.5, "quantity": 2}
            exchange = Exchange(
                request=Request(method="POST", path="/items/"),
                answer=Answer(status=201),
                effect=Effect(kind=EffectKind.INSERT, record=item),
            )
            assert webbench(exchange, requests=20, rounds=2).requests_ok == 40
    """
    )
    run("test_mine.py", FLASK).counts(passed=3)


def test_a_test_can_judge_the_figures(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_fast_enough(webbench):
            assert webbench("hello").p95_s < 0.005
    """)
    outcome = run("test_a_test_can_judge_the_figures.py", FLASK)
    outcome.counts(failed=1)
    assert "assert 0.01" in outcome.text


def test_a_failing_request_fails_the_test_and_is_no_baseline(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=MEASURING)
    failing = {"flask-sqlite3": {ErrorClass.WRONG_STATUS: 40}}
    outcome = run("test_mine.py", FLASK, JSON, "--benchmark-autosave", failing=failing)
    outcome.counts(failed=2)
    assert "get_item[flask-sqlite3]: 2 of 80 requests failed (wrong_status 2)" in outcome.text
    assert "injected by the fake engine" in outcome.text
    assert "INVALID flask-sqlite3: 2 of 80 requests failed (wrong_status 2)" in outcome.text
    row = outcome.rows()["test_scenario[flask-sqlite3]"]
    assert row["extra_info"]["webbench"]["validity"]["valid"] is False
    assert outcome.saved() == []


def test_a_wrong_database_fails_the_test(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_write(webbench): webbench('create_item', rounds=1)")
    outcome = run("test_mine.py", FLASK, lost_writes=["flask-sqlite3"])
    outcome.counts(failed=1)
    assert "create_item[flask-sqlite3]: the database is wrong: " in outcome.text


def test_a_request_that_never_succeeds_fails_the_test(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('hello')")
    outcome = run("test_mine.py", FLASK, failing={"flask-sqlite3": {ErrorClass.RESET: 1}})
    outcome.counts(failed=1)
    assert "hello[flask-sqlite3]: " in outcome.text
    assert "requests failed (reset " in outcome.text


def test_a_test_without_a_single_answer_fails(run: RunWebbench, pytester: pytest.Pytester) -> None:
    """Neither right nor wrong: all requests are in flight when the time is up."""
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('hello', duration_s=0.2)")
    outcome = run("test_mine.py", FLASK, latency_s=1.0)
    outcome.counts(failed=1)
    assert "hello[flask-sqlite3]: no request was completed" in outcome.text


def test_a_stack_that_does_not_start_fails_its_tests_with_the_cause(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=ASKING)
    failure = StartError("flask-sqlite3 did not start: it exited with code 1", hint="look at its log")
    outcome = run("test_mine.py", "--webbench-stack=flask-*", failures={"flask-sqlite3": failure})
    outcome.counts(passed=2, errors=2)
    outcome.result.stdout.fnmatch_lines(
        ["flask-sqlite3 did not start: it exited with code 1", "Next step: look at its log"]
    )
    assert "During handling of the above exception" not in outcome.text


def test_a_scenario_that_fails_the_check_fails_the_tests_that_measure_it(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_wrong(webbench):
            webbench("hello")

        def test_right(webbench):
            webbench("get_item")

        def test_asking(webbench_stack):
            assert set(webbench_stack.wrong) == {"hello"}
    """
    )
    outcome = run("test_mine.py", FLASK, JSON, greetings={"flask-sqlite3": "Hi"})
    outcome.counts(passed=2, failed=1)
    said = 'flask-sqlite3 gave a wrong response to GET /hello: "message" is "Hi", expected "Hello, World!"'
    assert said in outcome.text
    assert f"FAILED flask-sqlite3: {said}" in " ".join(outcome.text.split())
    assert set(outcome.rows()) == {"test_right[flask-sqlite3]"}
    assert outcome.doubles.launcher.events[-1] == "end flask-sqlite3"


def test_an_unknown_scenario_is_named_with_the_nearest(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('get_itm')")
    outcome = run("test_mine.py", FLASK)
    outcome.counts(failed=1)
    assert "no scenario is called 'get_itm'; did you mean 'get_item'?" in outcome.text
    assert "Traceback" not in outcome.text


def test_too_many_deletions_for_the_records_are_told(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('delete_item', requests=500)")
    outcome = run("test_mine.py", FLASK)
    outcome.counts(failed=1)
    assert "delete_item cannot make 500 requests out of 60 records" in outcome.text


def test_seeding_fills_the_database_again(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import json
        import urllib.request

        def count(stack):
            with urllib.request.urlopen(f"{stack.base_url}/items/") as answer:
                return len(json.load(answer))

        def test_seed(webbench_stack):
            assert count(webbench_stack) == 60
            request = urllib.request.Request(f"{webbench_stack.base_url}/items/3", method="DELETE")
            urllib.request.urlopen(request).close()
            assert count(webbench_stack) == 59
            webbench_stack.seed()
            assert count(webbench_stack) == 60
    """)
    run("test_seeding_fills_the_database_again.py", FLASK).counts(passed=1)


def test_disabled_benchmarks_are_tried_once(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="def test_it(webbench): assert len(webbench('hello').time_per_request_s) == 1"
    )
    outcome = run("test_mine.py", FLASK, "--benchmark-disable")
    outcome.counts(passed=1)
    assert len(outcome.doubles.engine.loads) == 1


def test_two_tests_may_measure_one_scenario_with_other_numbers(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_mine="""
        def test_few(webbench):
            webbench("get_item", users=2, rounds=2)

        def test_many(webbench):
            webbench("get_item", users=8, rounds=4)

        def test_like_few(webbench):
            webbench("get_item", users=2, rounds=3)
    """
    )
    outcome = run("test_mine.py", "--webbench-stack=flask-*")
    outcome.counts(passed=6)
    assert outcome.exit_code == 0
    assert (
        "get_item: one record\n2 users, 250 requests, closed loop, fake launcher, engine fake" in outcome.text
    )
    assert (
        "get_item: one record\n8 users, 250 requests, closed loop, fake launcher, engine fake" in outcome.text
    )


def test_a_live_figure_and_one_of_the_plan_stand_in_one_report(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('hello', rounds=3)")
    outcome = run("test_mine.py", "webbench/items::hello", "--webbench-stack=flask-*")
    outcome.counts(passed=4)
    assert outcome.exit_code == 0
    load = "50 users, 0.4 s, closed loop, fake launcher, engine fake"
    assert [line for line in outcome.result.outlines if line.startswith(load)] == [
        load,
        f"{load}, rounds from one launch",
    ]


# --- in the folder of the run, and in the report ----------------------------------------------------


def record_of(outcome: Outcome) -> SavedRun:
    (folder,) = outcome.folder.glob(".webbench/*-*")
    return read_run(folder)


def test_what_a_test_measures_is_in_the_folder_of_the_run_and_in_the_report(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=MEASURING)
    outcome = run("test_mine.py", FLASK)
    outcome.counts(passed=2)
    (folder,) = outcome.folder.glob(".webbench/*-*")
    assert f"webbench: report: {folder / 'report.html'}" in outcome.text
    trials = [line["trial"]["trial"] for line in outcome.lines_of_trials() if "trial" in line]
    assert [(each["cell"]["scenario"], each["round"], each["test"]) for each in trials] == [
        *(("get_item", number, "test_mine.py::test_scenario[flask-sqlite3]") for number in range(3)),
        ("GET /items/7", 0, "test_mine.py::test_request[flask-sqlite3]"),
    ]
    record = record_of(outcome)
    assert record.summaries == ()
    assert [(str(each.cell), each.users, len(each.rounds)) for each in record.live] == [
        ("get_item[flask-sqlite3]", 4, 3),
        ("GET /items/7[flask-sqlite3]", 2, 1),
    ]
    assert "flask-sqlite3" in record.metadata.stacks
    assert main(["report", str(folder), "--html", "--markdown"]) == 0
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    for shown in ("4 users, 80 requests", "rounds from one launch", "GET /items/7"):
        assert shown in page
        assert shown in text


def test_what_a_failed_test_measured_is_not_valid_in_the_report(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): assert webbench('hello').p95_s < 0.005")
    outcome = run("test_mine.py", FLASK)
    outcome.counts(failed=1)
    (result,) = record_of(outcome).live
    assert result.validity.reasons == ("its test failed",)


def test_the_last_attempt_of_a_test_counts_in_the_report(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        attempts = []

        def test_it(webbench):
            attempts.append(webbench("hello", rounds=3 - len(attempts)))
            assert len(attempts) == 2
    """
    )
    outcome = run("test_mine.py", FLASK, "-p", "rerunfailures", "--reruns=1")
    (result,) = record_of(outcome).live
    assert len(result.rounds) == 2
    assert result.validity.valid


def test_planned_and_live_results_of_one_cell_do_not_mix_in_the_report(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_it(webbench): webbench('hello', rounds=3)")
    record = record_of(run("test_mine.py", "webbench/items::hello", FLASK))
    assert [len(each.rounds) for each in record.summaries] == [2]
    assert [len(each.rounds) for each in record.live] == [3]


def test_a_stack_that_fails_a_test_is_named_in_the_folder_of_the_run(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine=ASKING)
    failure = StartError("flask-sqlite3 did not start: it exited with code 1")
    outcome = run("test_mine.py", FLASK, failures={"flask-sqlite3": failure})
    assert record_of(outcome).stack_failures == {"flask-sqlite3": str(failure)}
