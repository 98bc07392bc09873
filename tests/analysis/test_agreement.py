"""Published results beside ours, and how far the two orders agree."""

import pytest

from pytest_webbench.analysis.cross_run import agreement, set_beside
from pytest_webbench.model.load import Schedule
from pytest_webbench.model.results import CellSummary, Validity
from pytest_webbench.model.suite import Published, Unit
from pytest_webbench.suites.items import SUITE
from tests.builders import make_summary

PUBLISHED = Published(
    title="a study",
    citation="Somebody",
    figures={"get_item": {"a": 2.0, "b": 4.0, "c": 8.0, "d": 9.0}},
    approximate=("get_item[b]",),
)


def measured(**latencies_s: float) -> list[CellSummary]:
    """Stacks whose rounds tell them apart, unless their latencies are the same."""
    return [
        make_summary([value, value * 1.001, value * 0.999], stack=name) for name, value in latencies_s.items()
    ]


def test_the_same_order_agrees_and_the_opposite_one_disagrees() -> None:
    assert agreement({"a": 1, "b": 2, "c": 3}, {"a": 10, "b": 20, "c": 30}) == pytest.approx(1)
    assert agreement({"a": 1, "b": 2, "c": 3}, {"a": 3, "b": 2, "c": 1}) == pytest.approx(-1)


def test_agreement_is_kendalls_tau_b_with_its_correction_for_ties() -> None:
    """Worked out by hand: 5 concordant pairs, none discordant, one tied on one side: 5 / sqrt(6 * 5)."""
    one = {"a": 1, "b": 2, "c": 3, "d": 4}
    other = {"a": 1, "b": 1, "c": 3, "d": 4}
    assert agreement(one, other) == pytest.approx(5 / (6 * 5) ** 0.5)


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": 2}, {"a": 1, "b": 2}), ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 1, "c": 1})],
)
def test_too_few_or_all_alike_say_nothing(one: dict[str, float], other: dict[str, float]) -> None:
    assert agreement(one, other) is None


def test_figures_stand_beside_each_other_as_ratios_to_the_best_that_both_have() -> None:
    found = set_beside(PUBLISHED, "get_item", measured(b=0.010, c=0.030, d=0.020))
    assert found is not None
    rows = {each.stack: each for each in found.rows}
    assert rows["a"].ours is None
    assert rows["a"].our_rank is None
    assert rows["a"].published_ratio is None
    assert [rows[name].published_ratio for name in "bcd"] == [1.0, 2.0, 2.25]
    assert [rows[name].ours_ratio for name in "bcd"] == pytest.approx([1, 3, 2], rel=1e-3)
    assert [rows[name].our_rank for name in "bcd"] == [1, 3, 2]
    assert [rows[name].approximate for name in "bcd"] == [True, False, False]
    assert found.common == 3
    assert found.tau == pytest.approx(1 / 3)
    assert not found.ties


def test_our_ties_are_ties() -> None:
    found = set_beside(PUBLISHED, "get_item", measured(a=0.010, b=0.020, c=0.020, d=0.030))
    assert found is not None
    assert found.ties
    assert found.tau == pytest.approx(5 / (6 * 5) ** 0.5)


def test_rates_are_ranked_from_the_most() -> None:
    rates = Published(title="a", citation="b", figures={"get_item": {"a": 300.0, "b": 200.0, "c": 100.0}})
    summaries = [
        make_summary([value, value * 1.001], stack=name, unit=Unit.RATE)
        for name, value in (("a", 0.01), ("b", 0.02), ("c", 0.04))
    ]
    found = set_beside(rates, "get_item", summaries)
    assert found is not None
    assert found.tau == pytest.approx(1)
    assert [each.published_ratio for each in found.rows] == pytest.approx([1, 1.5, 3])
    assert [each.ours_ratio for each in found.rows] == pytest.approx([1, 2, 4], rel=1e-3)


def test_invalid_cells_have_no_part_in_it() -> None:
    invalid = make_summary([0.01, 0.01], stack="a", validity=Validity(reasons=("a reason",)))
    found = set_beside(PUBLISHED, "get_item", [invalid, *measured(b=0.01, c=0.02)])
    assert found is not None
    assert found.common == 2
    assert found.tau is None


def test_what_was_not_published_or_is_an_open_loop_is_not_set_beside() -> None:
    assert set_beside(PUBLISHED, "hello", measured(a=0.01)) is None
    assert set_beside(PUBLISHED, "get_item", []) is None
    assert set_beside(PUBLISHED, "get_item", [make_summary([0.01], schedule=Schedule(rate=100.0))]) is None


def test_the_paper_has_every_scenario_and_says_where_it_contradicts_itself() -> None:
    (paper,) = SUITE.published
    assert {len(stacks) for stacks in paper.figures.values()} == {5}
    assert set(paper.figures) == {
        "hello", "echo", "list_items", "get_item", "create_item", "update_item", "delete_item",
    }  # fmt: skip
    assert any("twice as fast" in note for note in paper.notes)
    assert paper.figures["list_items"]["flask-sqlite3"] == 28.2
