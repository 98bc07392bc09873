"""Verdicts as text and as markdown."""

import math
from dataclasses import replace

from pytest_webbench.analysis.gate import parse_threshold
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Comparison, Interval, Verdict
from pytest_webbench.report.verdicts import describe_regression, render_verdicts, verdicts_as_markdown

SLOWER = Comparison(
    cell=Cell(scenario="list_items", stack="flask-sqlite3"),
    base_stack="flask-sqlite3@base",
    metric="p99",
    threshold=parse_threshold("p99: 10%"),
    verdict=Verdict.SLOWER,
    base=0.0412,
    head=0.0507,
    ratio=Interval(estimate=1.2304, low=1.151, high=1.309),
    pairs=8,
    p_value=0.001,
    smallest_effect=0.14,
)
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
RATIO = "1.230 | 1.151 - 1.309 | +10 % |"
MEMORY = "50 MiB | 51 MiB | 1.020 | 1.010 - 1.030 | +5 % and 8 MiB |"
UNKNOWN = Interval(estimate=math.nan, low=math.nan, high=math.nan)


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


def test_the_table_has_what_matters_first_and_says_what_would_decide() -> None:
    text = render_verdicts([SAME, OPEN, SLOWER], about="main (1a2b3c4)", needed_s=93, width=120, colour=False)
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[0] == "against main (1a2b3c4): 1 slower, 1 inconclusive, 1 no change"
    assert " ".join(lines[3].split()) == (
        "slower list_items[flask-sqlite3] p99 41.2 ms 50.7 ms 1.230 1.151 - 1.309 +10 %"
    )
    assert lines[4].startswith("inconclusive")
    assert lines[5].split()[:7] == ["no", "change", "hello[flask-sqlite3]", "memory", "50", "MiB", "51"]
    assert "  time of list_items[flask-sqlite3]: about 14 rounds would decide it, 8 were made" in lines
    assert "  --webbench-budget=93s (1 min 33 s) would probably do" in lines
    assert "found in four of five such runs: memory 6.0 %, time 14.0 %, p99 14.0 %" in text


def test_markdown_for_a_pull_request() -> None:
    markdown = verdicts_as_markdown(
        [SAME, SLOWER], about="main (1a2b3c4)", needed_s=None, details="all stacks: Python 3.13.0"
    )
    assert (
        markdown
        == f"""## Benchmarks against main (1a2b3c4)

**1 slower, 1 no change**

- \N{CROSS MARK} p99 of list\\_items\\[flask-sqlite3\\] is 1.23 times the base \\[1.15, 1.31\\], allowed 1.10
- growth that would have been found in four of five such runs: memory 6.0 %, p99 14.0 %

|  | Cell | Metric | Base | Now | Ratio | 95 % interval | Allowed |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
| \N{CROSS MARK} slower | list\\_items\\[flask-sqlite3\\] | p99 | 41.2 ms | 50.7 ms | {RATIO}

<details><summary>No change beyond the threshold: 1</summary>

|  | Cell | Metric | Base | Now | Ratio | 95 % interval | Allowed |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |
| \N{WHITE HEAVY CHECK MARK} no change | hello\\[flask-sqlite3\\] | memory | {MEMORY}

</details>

<details><summary>How this was measured</summary>

```text
all stacks: Python 3.13.0
```

</details>
"""
    )


def test_nothing_in_a_name_or_a_log_becomes_markup() -> None:
    evil = replace(SLOWER, cell=Cell(scenario="x|y`<img src=1>", stack="*a*\n# b"))
    details = "```\n<script>\n````"
    markdown = verdicts_as_markdown(
        [evil], about="<b>main", needed_s=None, details=details, failures=["stack\x1b[31m: <i>no</i>"]
    )
    assert "<img" not in markdown
    assert "<b>" not in markdown
    assert "<i>" not in markdown
    assert "\x1b" not in markdown
    assert "\n# b" not in markdown
    assert "x\\|y\\`" in markdown
    assert "`````text\n```\n<script>\n````\n`````" in markdown


def test_a_run_without_a_comparison_says_so() -> None:
    text = verdicts_as_markdown([], about="main", needed_s=None, details="")
    assert text == "## Benchmarks against main\n\n**nothing was compared**\n\n"
