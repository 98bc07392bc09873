"""Files of earlier versions are read."""

from pathlib import Path

from pytest_webbench.analysis.cross_run import compare_runs
from pytest_webbench.model.load import Loop, Schedule
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Verdict
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.store import read_run

RECORDED = Path(__file__).parents[1] / "recorded"
HELLO, ITEM, LIST = (Cell(scenario=name, stack="django-drf") for name in ("hello", "get_item", "list_items"))


def test_the_folder_of_a_run_of_the_first_format_is_read() -> None:
    run = read_run(RECORDED / "run")
    assert run.stacks() == ("flask-sqlite3", "django-drf")
    assert {each.cell.scenario for each in run.summaries} == {"hello", "get_item", "list_items"}
    assert len(run.measurements) == 18
    assert run.plan is not None
    assert run.plan.seed == 7
    assert run.against == "stack flask-sqlite3"
    assert run.comparisons[0].verdict is Verdict.INCONCLUSIVE
    assert {each.cell for each in run.comparisons} == {HELLO, ITEM, LIST}
    assert [each.cell for each in run.explained] == [HELLO]
    assert run.notes == ()
    provenance = run.provenances[LIST]
    assert provenance.loop is not None
    assert provenance.loop.schedule is not None
    assert provenance.loop.schedule.rate == 50
    assert (provenance.launcher, provenance.workers, provenance.generators) == ("process", 2, 1)
    assert provenance.machine == run.metadata.machine


def test_rows_of_the_first_format_are_read_as_the_run_that_they_come_from() -> None:
    run, rows = read_run(RECORDED / "run"), read_run(RECORDED / "benchmark.json")
    assert {each.cell for each in rows.summaries} == {HELLO, ITEM, LIST}
    for row in rows.summaries:
        (cell,) = (each for each in run.summaries if each.cell == row.cell)
        assert row.unit is cell.unit
        assert row.rounds == cell.rounds
        assert (row.users, row.amount, row.turns) == (cell.users, cell.amount, cell.turns)
        assert (row.requests_sent, row.errors, row.validity) == (
            cell.requests_sent,
            cell.errors,
            cell.validity,
        )
    known = rows.provenances[LIST]
    assert known.loop == Loop(schedule=Schedule(rate=50))
    assert known.profile is not None
    assert known.profile.name == "smoke"
    assert {each.unit for each in rows.summaries} == {Unit.RATE, Unit.TIME}
    assert not compare_runs(rows, run).differing


def test_a_stored_baseline_of_the_first_format_is_read() -> None:
    baseline = read_run(RECORDED / "baseline.json")
    assert {str(each.cell): str(baseline.provenances[each.cell].loop) for each in baseline.summaries} == {
        "get_item[flask-sqlite3]": "closed loop",
        "hello[flask-sqlite3]": "closed loop",
        "list_items[flask-sqlite3]": "open loop, 200/s constant",
    }
    assert all(each.validity.valid for each in baseline.summaries)
