"""Results as Markdown, as a whole; ports, ids and times are masked."""

import re
from dataclasses import replace
from pathlib import Path

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Validity
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.results_markdown import results_as_markdown
from tests.builders import make_run, make_summary

SNAPSHOT = Path(__file__).parent / "snapshots/results.md"
CELLS = {
    Cell(scenario="get_item", stack="flask-sqlite3"): (0.010, 0.0101, 0.0099),
    Cell(scenario="get_item", stack="fastapi-sqlite3"): (0.010, 0.0102, 0.0098),
    Cell(scenario="get_item", stack="django-drf"): (0.030, 0.0301, 0.0299),
}


def masked(text: str) -> str:
    """``text`` without what differs from run to run."""
    text = re.sub(r"\d{8}-\d{6}-\d+", "RUN", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d\+\d\d:\d\d", "TIME", text)


def rendered(record: RunRecord) -> str:
    return masked(results_as_markdown([record]))


def test_the_results_of_a_run() -> None:
    assert rendered(make_run(CELLS)).partition("## Configuration")[0] == SNAPSHOT.read_text(encoding="utf-8")


def test_how_it_was_measured_follows() -> None:
    text = rendered(make_run(CELLS)).partition("## Configuration")[2]
    assert "- started: TIME" in text
    assert "- saved as: RUN" in text
    assert "```text\npytest --webbench --webbench-seed=7\n```" in text
    assert "- processor: A Processor" in text


def test_invalid_cells_keep_their_reasons() -> None:
    record = make_run(CELLS)
    reason = "3 of 300 requests failed (wrong_status 3)"
    bad = make_summary([0.01, 0.01], stack="django-drf", validity=Validity(reasons=(reason,)))
    text = rendered(replace(record, summaries=(*record.summaries[:2], bad)))
    assert "| django-drf | - | 10.00 |" in text
    assert r"- **invalid** django-drf: 3 of 300 requests failed (wrong\_status 3)" in text


def test_failures_are_shown_as_they_were_said_and_nothing_ends_their_block() -> None:
    text = rendered(make_run(CELLS, stack_failures={"a|b": "it exited\n```\n# not a heading"}))
    assert "### a\\|b failed\n\n````text\nit exited\n```\n# not a heading\n````" in text
