"""The results of a run as content, for every format."""

import pytest

from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import LaunchRecord
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Room, fitted_parts
from pytest_webbench.report.content.results import make_cards, results_sections, scenario_groups
from pytest_webbench.report.content.text import duration
from tests.builders import make_run, make_summary
from tests.report.samples import three_stacks


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1 s"),
        (0.4, "1 s"),
        (1.4, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (160, "2 min 40 s"),
        (3599.7, "1 h 0 min"),
        (3900, "1 h 5 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_only_cells_of_one_launcher_engine_and_load_are_ranked_with_each_other() -> None:
    one = make_summary([0.02], stack="a")
    others = [
        make_summary([0.01], stack="b", launch=LaunchRecord(launcher="attached", startup_s=None)),
        make_summary([0.01], stack="c", users=99),
        make_summary([0.01], stack="d", amount=Amount(requests=7)),
        make_summary([0.01], stack="e", engine="k6"),
    ]
    assert scenario_groups([one, *others]) == [(each,) for each in (one, *others)]
    assert scenario_groups([one, make_summary([0.01], stack="f")]) == [(one, make_summary([0.01], stack="f"))]


def test_a_group_of_scenarios_stands_in_the_order_of_its_summaries() -> None:
    cells = tuple(
        make_summary([0.01], cell=Cell(scenario=name, stack="a")) for name in ("hello", "echo", "hello")
    )
    (section,) = results_sections([SavedRun(source="", summaries=cells)])
    assert [part.title for part in section.parts] == ["hello", "echo"]


def test_ties_share_a_rank_in_tables_and_on_cards() -> None:
    record, ranks = three_stacks(), {"flask-sqlite3": "1=", "fastapi-sqlite3": "1=", "django-drf": "3"}
    (card,) = make_cards(record)
    assert {row.stack: row.rank for row in card.rows} == ranks
    (section,) = results_sections([record])
    assert {row[0]: row[1] for row in section.parts[0].charts[0].table.rows} == ranks


def test_a_brief_format_has_one_table_of_a_scenario_with_fewer_columns() -> None:
    (section,) = results_sections([make_run()])
    (part,), (full,) = fitted_parts(section, Room.BRIEF), fitted_parts(section, Room.FULL)
    (table,) = part.tables
    assert not part.charts
    names = [column.name for column in table.columns]
    assert names == ["stack", "rank", "ms", "95 % interval", "x slower", "p95 ms", "errors", "CPU ms/req"]
    assert {len(row) for row in table.rows} == {len(names)}
    assert [len(each.table.columns) for each in full.charts] == [10, 6, 4]
