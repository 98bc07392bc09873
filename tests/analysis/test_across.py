"""Two saved runs compared."""

import math
from dataclasses import replace

import pytest
from scipy.stats import t

from pytest_webbench.analysis.cross_run import compare_runs, independent_ratio
from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.measurement import Machine
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Validity
from pytest_webbench.model.suite import Unit
from tests.builders import GET_ITEM, make_run

ECHO = Cell(scenario="echo", stack="flask-sqlite3")


def test_the_interval_is_welchs_on_logarithms() -> None:
    """By hand: logs 0, 1, 2 and 0, 0.2: centre 0.9, errors 1/3 and 0.01, 2.117 degrees, t 4.08."""
    ratio = independent_ratio([1.0, math.e, math.e**2], [1.0, math.exp(0.2)])
    freedom = (1 / 3 + 0.01) ** 2 / ((1 / 3) ** 2 / 2 + 0.01**2 / 1)
    half = t.ppf(0.975, freedom) * math.sqrt(1 / 3 + 0.01)
    assert ratio.estimate == pytest.approx(math.exp(0.9))
    assert ratio.low == pytest.approx(math.exp(0.9 - half))
    assert ratio.high == pytest.approx(math.exp(0.9 + half))


def test_one_round_has_an_interval_without_end() -> None:
    ratio = independent_ratio([2.0], [1.0, 1.1])
    assert (ratio.low, ratio.high) == (0.0, math.inf)


def test_rounds_that_are_all_alike_have_an_interval_without_width() -> None:
    assert independent_ratio([2.0, 2.0], [1.0, 1.0]).low == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("head", "verdict"),
    [
        ((0.02, 0.0201, 0.0199), "slower"),
        ((0.005, 0.0051, 0.0049), "faster"),
        ((0.01, 0.0102, 0.0099), "indistinguishable"),
    ],
)
def test_what_rounds_show_is_said_and_what_not_is_not(head: tuple[float, ...], verdict: str) -> None:
    found = compare_runs(make_run({GET_ITEM: (0.01, 0.0101, 0.0099)}), make_run({GET_ITEM: head}))
    (cell,) = found.cells
    assert cell.verdict == verdict


def test_the_ratio_is_that_of_the_results_that_are_shown() -> None:
    """With few requests, users idle at the end: time per request grows where the response time does not."""
    base = make_run()
    stretched = [
        replace(each, load=replace(each.load, elapsed_s=1.5 * each.load.elapsed_s))
        for each in base.measurements
    ]
    summary = replace(summarise(stretched, unit=Unit.TIME, planned=3), validity=Validity())
    (cell,) = compare_runs(base, replace(base, summaries=(summary,))).cells
    assert cell.ratio is not None
    assert cell.ratio.estimate == pytest.approx(cell.head.result.estimate / cell.base.result.estimate)


def test_another_launcher_is_not_comparable_and_nothing_is_ranked() -> None:
    base, head = make_run(), make_run()
    contained = replace(head.provenances[GET_ITEM], launcher="container")
    found = compare_runs(base, replace(head, provenances={GET_ITEM: contained}))
    (cell,) = found.cells
    assert cell.ratio is None
    assert cell.reason == "launcher process then, container now"
    assert [each.comparable for each in found.differing] == [False]


def test_an_invalid_cell_is_not_compared() -> None:
    base = make_run()
    invalid = replace(base.summaries[0], validity=Validity(reasons=("a reason",)))
    found = compare_runs(base, replace(base, summaries=(invalid,)))
    assert found.cells[0].reason == "invalid in the second run"


def test_cells_of_one_run_alone_and_other_machines_are_said() -> None:
    base = make_run({GET_ITEM: (0.01, 0.01), ECHO: (0.01, 0.01)})
    head = make_run({GET_ITEM: (0.01, 0.01)}, about={"machine": Machine(processor="Another", cores=2)})
    found = compare_runs(base, head)
    assert found.only_base == (ECHO,)
    assert found.only_head == ()
    assert "machine, processor: A Processor then, Another now" in map(str, found.differing)
