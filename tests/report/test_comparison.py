"""Verdicts as content, for every format."""

import math
from dataclasses import replace
from typing import Any

from pytest_webbench.analysis.gate import parse_threshold
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Comparison, Interval, Verdict
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Note, NoteKind
from pytest_webbench.report.content.comparison import (
    comparison_sections,
    describe_regression,
    pull_request_parts,
)
from tests.report.samples import SLOWER

SAME = replace(
    SLOWER,
    cell=Cell(scenario="hello", stack="flask-sqlite3"),
    metric="memory",
    threshold=parse_threshold("memory: 5% and 8m"),
    verdict=Verdict.NO_CHANGE,
    base=50 * 2.0**20,
    head=51 * 2.0**20,
    ratio=Interval(estimate=1.02, low=1.01, high=1.03),
    smallest_effect=0.06,
)
OPEN = replace(SLOWER, verdict=Verdict.INCONCLUSIVE, metric="time", pairs_needed=14)
UNKNOWN = Interval(estimate=math.nan, low=math.nan, high=math.nan)


def compared(*comparisons: Comparison, **changes: Any) -> SavedRun:
    return SavedRun(source="a run", against="main (1a2b3c4)", comparisons=comparisons, **changes)


def test_the_line_with_which_a_test_fails() -> None:
    assert describe_regression(SLOWER) == (
        "p99 of list_items[flask-sqlite3] is 1.23 times the base [1.15, 1.31], allowed 1.10"
    )
    errors = replace(
        SLOWER, metric="errors", threshold=parse_threshold("errors: 0"), base=0, head=3, ratio=UNKNOWN
    )
    assert describe_regression(errors) == (
        "errors of list_items[flask-sqlite3]: 3, where the base has 0, allowed 0 more a round"
    )


def test_what_matters_stands_first_and_what_would_decide_is_said() -> None:
    (section,) = comparison_sections([compared(SAME, OPEN, SLOWER, needed_s=93)])
    (part,) = section.parts
    assert part.title == "Against main (1a2b3c4): 1 slower, 1 inconclusive, 1 no change"
    (chart,) = part.charts
    assert chart.table.rows == (
        ("slower", "list_items[flask-sqlite3]", "p99", "41.2 ms", "50.7 ms", *RATIO),
        ("inconclusive", "list_items[flask-sqlite3]", "time", "41.2 ms", "50.7 ms", *RATIO),
        ("no change", "hello[flask-sqlite3]", "memory", "50 MiB", "51 MiB", *MEMORY),
    )
    effects = "memory 6.0 %, time 14.0 %, p99 14.0 %"
    assert part.notes == (
        Note(
            subject="time of list_items[flask-sqlite3]",
            text="about 14 rounds would decide it; 8 were made",
        ),
        Note(text="undecided: try --webbench-budget=93s"),
        Note(text=f"smallest increase this run could detect (80 % power): {effects}"),
    )


RATIO = ("1.230", "1.151 - 1.309", "+10 %")
MEMORY = ("1.020", "1.010 - 1.030", "+5 % and 8 MiB")


def test_a_pull_request_is_told_of_failures_first_and_of_what_is_unchanged_on_request() -> None:
    record = compared(SAME, SLOWER, stack_failures={"django-drf": "it exited"})
    first, notable, rest = pull_request_parts(record)
    assert first.title == "1 slower, 1 no change"
    assert first.notes[:2] == (
        Note(kind=NoteKind.FAILED, text="django-drf: it exited"),
        Note(kind=NoteKind.FAILED, text=describe_regression(SLOWER)),
    )
    assert [row[0] for row in notable.tables[0].rows] == [Verdict.SLOWER]
    assert (rest.folded, rest.title) == (True, "No change beyond the threshold: 1")


def test_what_cannot_be_judged_is_said_once_for_its_metrics() -> None:
    why = "no pair of rounds can be compared"
    barred = [replace(OPEN, metric=metric, why=why, smallest_effect=None) for metric in ("time", "cpu")]
    (section,) = comparison_sections([compared(*barred)])
    assert section.parts[0].title.endswith(": nothing could be compared, 2 inconclusive")
    assert section.parts[0].notes == (Note(subject="time, cpu of list_items[flask-sqlite3]", text=why),)


def test_a_run_without_a_comparison_says_so() -> None:
    (section,) = comparison_sections([compared()])
    assert section.parts[0].title == "Against main (1a2b3c4): nothing was compared"
    assert [part.title for part in pull_request_parts(compared())] == ["nothing was compared"]
    assert list(comparison_sections([SavedRun(source="a run")])) == []
