"""Where the time goes: as content, on a terminal and in charts."""

import json
from typing import Any

import pytest

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.charts import Charts
from pytest_webbench.report.content.hot_spots import (
    describe_difference,
    describe_profile,
    hot_spot_sections,
)
from pytest_webbench.report.terminal import render_hot_spots

HOSTILE = "a\x1b[31mb[bold]<script>"


def profile(
    stack: str = "slow", *, cpu_ms: float | None = None, scenario: str = "list", **parts: int
) -> CodeProfile:
    files = {"orm": "sqlalchemy/a.py", "app": "./a.py", "json": "orjson/a.py", "odd": "x.py"}
    return CodeProfile(
        cell=Cell(scenario=scenario, stack=stack),
        rate_hz=100,
        stacks={f"main (x.py:1);f ({files[name]}:3)": count for name, count in parts.items()},
        cpu_s_per_request=None if cpu_ms is None else cpu_ms / 1000,
    )


SLOW = profile("slow", cpu_ms=40.0, orm=300, app=80, odd=20)
FAST = profile("fast", cpu_ms=8.0, json=200, app=200)


def text(*profiles: CodeProfile) -> str:
    rendered = render_hot_spots(profiles, width=120, colour=False)
    return "\n".join(line.rstrip() for line in rendered.splitlines())


def test_a_scenario_in_full() -> None:
    assert text(SLOW, FAST).strip() == EXPECTED.strip()


EXPECTED = """
list: CPU time per request, and share of the samples [95 % interval]
slow takes 40 ms of CPU time per request of list, fast 8 ms: 32 ms more.
ORM: 30 against 0 ms, 30 ms more [28.2, 31.6], 94 % of the difference.
application: 8 against 4 ms, 4 ms more [2.5, 5.72], 12 % of the difference.
JSON: 0 against 4 ms, 4 ms less [3.46, 4.39].
other: 2 against 0 ms, 2 ms more [1.3, 3.04], 6 % of the difference.
part                          slow                  fast
────────────────────────────────────────────────────────
ORM           30 ms, 75 % [71, 79]                     -
JSON                             -   4 ms, 50 % [45, 55]
application    8 ms, 20 % [16, 24]   4 ms, 50 % [45, 55]
other             2 ms, 5 % [3, 8]                     -
all             40 ms, 400 samples     8 ms, 400 samples
"""


def test_without_cpu_time_there_are_shares_and_no_reasons() -> None:
    shown = text(profile("one", orm=3, app=1), profile("two", app=4))
    assert "75 % [30, 95]" in shown
    assert "takes" not in shown


def test_what_was_not_explained_is_said_with_the_reason() -> None:
    nothing = CodeProfile(cell=SLOW.cell, rate_hz=100, reason="py-spy may not look\nNext step: be root")
    shown = text(nothing, FAST)
    assert "  note slow: not explained: py-spy may not look\nNext step: be root" in shown
    assert "fast" in shown
    waiting = CodeProfile(cell=SLOW.cell, rate_hz=100, stacks={"epoll_wait (libc.so.6)": 5})
    assert "  note slow: not explained: the server was idle" in text(waiting)


def test_many_stacks_stand_in_several_tables() -> None:
    shown = text(*(profile(f"stack-{number}", cpu_ms=1.0 + number, app=100) for number in range(6)))
    assert shown.count("\napplication ") == 2
    assert "stack-5 takes 6 ms of CPU time per request of list, stack-0 1 ms" in shown


def test_nothing_steers_the_terminal() -> None:
    shown = text(profile(HOSTILE, cpu_ms=1.0, app=3))
    assert "\x1b" not in shown
    assert "[bold]" in shown


def test_the_other_way_round_the_signs_change() -> None:
    first, second, *_ = describe_difference(FAST, SLOW)
    assert first.endswith("32 ms less.")
    assert second.startswith("ORM: 0 against 30 ms, 30 ms less [28.2, 31.6], 94 % of the difference.")


def test_what_the_samples_do_not_tell_is_said() -> None:
    *_, last = describe_difference(
        profile("a", cpu_ms=10.0, app=5, orm=5), profile("b", cpu_ms=10.0, app=6, orm=4)
    )
    assert last == "The samples do not show whether these differ: application, ORM."


@pytest.mark.parametrize("other", [profile("fast", app=3), profile("fast", cpu_ms=3.0)])
def test_without_cpu_time_or_samples_nothing_is_explained(other: CodeProfile) -> None:
    assert describe_difference(SLOW, other) == []


def test_a_line_for_each_profile() -> None:
    assert describe_profile(SLOW) == "list[slow], 400 samples"
    nothing = CodeProfile(cell=SLOW.cell, rate_hz=100, reason="it may not\n    evidence")
    assert describe_profile(nothing) == "list[slow]: no samples, it may not"


def rows(spec: dict[str, Any]) -> list[dict[str, Any]]:
    json.dumps(spec)  # it is JSON
    (found,) = spec["datasets"].values()
    assert isinstance(found, list)
    return found


def test_the_flame_graph_has_a_rectangle_for_each_function() -> None:
    found = rows(Charts().flame(SLOW).to_dict())
    assert [(each["label"], each["top"], each["samples"]) for each in found] == [
        ("main (x.py)", 0, 400),
        ("f (sqlalchemy/a.py)", 1, 300),
        ("f (./a.py)", 1, 80),
        ("f (x.py)", 1, 20),
    ]
    assert found[0]["shown"] == "main (x.py)"
    assert len(found[3]["shown"]) < len("f (x.py)")


def test_the_table_of_a_flame_graph_has_its_widest_calls() -> None:
    (section,) = hot_spot_sections([SavedRun(source="a run", explained=(SLOW,))])
    ((bars, graph),) = (part.charts for part in section.parts)
    assert bars.table.rows[-1] == ("all", "40 ms, 400 samples")
    assert graph.title == "slow: calls, the outermost on top"
    assert graph.table.rows[:2] == (
        ("main (x.py)", "other", "100.0 %", "400"),
        ("f (sqlalchemy/a.py)", "ORM", "75.0 %", "300"),
    )


def test_the_bars_are_in_milliseconds_where_all_are_known() -> None:
    found = rows(Charts().part_times([SLOW, FAST]).to_dict())
    assert {(each["stack"], each["part"], round(each["value"], 6)) for each in found} == {
        ("slow", "ORM", 30),
        ("slow", "application", 8),
        ("slow", "other", 2),
        ("fast", "JSON", 4),
        ("fast", "application", 4),
    }


def test_the_bars_are_in_shares_where_one_is_not_known() -> None:
    found = rows(Charts().part_times([SLOW, profile("new", app=5)]).to_dict())
    assert max(each["value"] for each in found) == 1.0


def test_charts_of_nothing_can_be_made() -> None:
    nothing = CodeProfile(cell=SLOW.cell, rate_hz=100, reason="no")
    assert Charts().flame(nothing).to_dict()
    assert rows(Charts().part_times([]).to_dict()) == []
