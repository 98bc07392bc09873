"""Reports as Markdown, as a whole; ports, ids and times are masked."""

import re
from dataclasses import replace
from pathlib import Path

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.markdown import render_pull_request, render_report
from tests.builders import make_run
from tests.report.samples import CELLS, SLOWER
from tests.report.test_comparison import SAME

SNAPSHOT = Path(__file__).parent / "snapshots/results.md"
PULL_REQUEST = Path(__file__).parent / "snapshots/pull_request.md"


def masked(text: str) -> str:
    """``text`` without what differs from run to run."""
    text = re.sub(r"\d{8}-\d{6}-\d+", "RUN", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    return re.sub(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d\+\d\d:\d\d", "TIME", text)


def rendered(record: SavedRun) -> str:
    return masked(render_report([record]))


def test_the_results_of_a_run() -> None:
    assert rendered(make_run(CELLS)).partition("## Configuration")[0] == SNAPSHOT.read_text(encoding="utf-8")


def test_failures_are_shown_as_they_were_said_and_nothing_ends_their_block() -> None:
    text = rendered(make_run(CELLS, stack_failures={"a|b": "it exited\n```\n# not a heading"}))
    assert "### a\\|b failed\n\n````text\nit exited\n```\n# not a heading\n````" in text


def test_a_comment_on_a_pull_request() -> None:
    record = replace(make_run(CELLS), against="main (1a2b3c4)", comparisons=(SAME, SLOWER))
    text, _, configuration = render_pull_request(record).partition("<details><summary>How this was measured")
    assert text == PULL_REQUEST.read_text(encoding="utf-8")
    assert "all stacks: Python not known" in configuration
    assert "| stack | start-up s | peak MiB | versions | own settings |" in configuration
    assert configuration.endswith("\n</details>\n")


def test_nothing_in_a_name_or_a_log_becomes_markup() -> None:
    evil = replace(SLOWER, cell=Cell(scenario="x|y`<img src=1>", stack="*a*\n# b"))
    record = SavedRun(
        source="a run",
        against="<b>main",
        comparisons=(evil,),
        stack_failures={"stack\x1b[31m": "<i>no</i>\n```\n<script>\n````"},
    )
    for text in (render_pull_request(record), render_report([record])):
        unfenced = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
        assert not re.search(r"<(?!/?(details|summary)>)", unfenced)
        assert "\x1b" not in text
        assert "\n# b" not in text
        assert "x\\|y\\`" in text
    assert "`````text\n<i>no</i>\n```\n<script>\n````\n`````" in render_report([record])
