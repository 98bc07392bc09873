"""What the runs of the benchmark of the gate add up to, and which goals they miss."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from gate_bench.deciding import Decided, decide, goals
from gate_bench.parts import PARTS, Part
from gate_bench.runs import Found, Ratio, Rounds, Run, Work

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import Verdict

HELLO = Cell(scenario="hello", stack="gate-flask-sqlite3")
GET_ITEM = Cell(scenario="get_item", stack="gate-flask-sqlite3")
SAME, GROWN = PARTS["counts-aa"], PARTS["counts-ab2"]
SMALL = PARTS["counts-ab05"]


def run(
    verdicts: Mapping[Cell, Verdict],
    *,
    number: int = 0,
    ratio: float = 1.0,
    whole_s: float = 20.0,
    busy: bool = False,
    why: str = "",
) -> Run:
    return Run(
        part="",
        number=number,
        budget_s=None,
        seconds=whole_s,
        found=tuple(
            Found(
                cell=cell,
                metric=metric,
                verdict=verdict if metric == "instructions" else Verdict.NO_CHANGE,
                pairs=2,
                ratio=Ratio(estimate=ratio),
                base=1.0,
                head=ratio,
                why=why if metric == "instructions" else "",
            )
            for cell, verdict in verdicts.items()
            for metric in ("instructions", "errors")
        ),
        rounds=tuple(Rounds(cell=cell, base_s=(), head_s=()) for cell in verdicts),
        work=Work(),
        needed_s=None,
        whole_s=whole_s,
        busy=busy,
    )


def missed(decided: Decided, size: float | None = None) -> list[str]:
    return [each.text for each in goals(decided, size=size) if not each.met]


def test_a_cell_is_decided_if_all_its_metrics_are_and_others_are_named_with_the_reason() -> None:
    open_run = run({HELLO: Verdict.INCONCLUSIVE}, number=1, busy=True, why="unsteady")
    made = decide(SAME, [run({HELLO: Verdict.NO_CHANGE}), open_run], failed_runs=0)
    assert (made.no_change, made.main_no_change, len(made.same)) == (1, 1, 2)
    assert [each.named() for each in made.left_open] == [
        "hello[gate-flask-sqlite3] in run 2, busy: instructions inconclusive (1.0000): unsteady"
    ]


def test_a_metric_beside_instructions_can_leave_a_cell_open_too() -> None:
    same = run({HELLO: Verdict.NO_CHANGE})
    syscalls = replace(same.found[0], metric="syscalls", verdict=Verdict.INCONCLUSIVE)
    made = decide(SAME, [replace(same, found=(*same.found, syscalls))], failed_runs=0)
    assert (made.no_change, made.main_no_change) == (0, 1)


@pytest.mark.parametrize("verdict", [Verdict.SLOWER, Verdict.FASTER])
def test_one_alarm_misses_a_goal(verdict: Verdict) -> None:
    runs = [run({HELLO: Verdict.NO_CHANGE})] * 99 + [run({HELLO: verdict})]
    (text,) = missed(decide(SAME, runs, failed_runs=0))
    assert "called slower or faster" in text


@pytest.mark.parametrize(("undecided", "is_missed"), [(5, False), (6, True)])
def test_of_200_cells_195_have_to_be_decided(undecided: int, is_missed: bool) -> None:
    runs = [run({HELLO: Verdict.NO_CHANGE})] * (200 - undecided)
    made = decide(SAME, [*runs, *[run({HELLO: Verdict.INCONCLUSIVE})] * undecided], failed_runs=0)
    assert bool(missed(made)) is is_missed


@pytest.mark.parametrize(
    ("part", "verdict", "ratio", "is_missed"),
    [
        (GROWN, Verdict.SLOWER, 1.0202, False),
        (GROWN, Verdict.NO_CHANGE, 1.0202, True),
        (SMALL, Verdict.NO_CHANGE, 1.0051, False),
        (SMALL, Verdict.SLOWER, 1.0051, True),
        (GROWN, Verdict.SLOWER, 1.03, True),  # not what was built in
    ],
)
def test_growth_has_to_be_found_if_it_is_beyond_the_limit_and_by_its_size(
    part: Part, verdict: Verdict, ratio: float, is_missed: bool
) -> None:
    found = run({HELLO: Verdict.NO_CHANGE, GET_ITEM: verdict}, ratio=ratio)
    assert bool(missed(decide(part, [found], failed_runs=0), size=part.growth)) is is_missed


def test_the_other_cell_has_to_stay_as_it_is() -> None:
    found = run({HELLO: Verdict.SLOWER, GET_ITEM: Verdict.SLOWER}, ratio=1.02)
    (text,) = missed(decide(GROWN, [found], failed_runs=0), size=0.02)
    assert "the same" in text


def test_a_run_without_verdicts_is_missed_and_is_not_one_that_found_the_growth() -> None:
    found = run({HELLO: Verdict.NO_CHANGE, GET_ITEM: Verdict.SLOWER}, ratio=1.02)
    texts = missed(decide(GROWN, [found], failed_runs=1), size=0.02)
    assert len(texts) == 2


def test_only_runs_on_a_quiet_machine_have_to_be_in_time() -> None:
    found = run({HELLO: Verdict.NO_CHANGE, GET_ITEM: Verdict.SLOWER}, ratio=1.02)
    slow = replace(found, whole_s=31.0)
    assert missed(decide(GROWN, [found, replace(slow, busy=True)], failed_runs=0)) == []
    (text,) = missed(decide(GROWN, [found, slow], failed_runs=0))
    assert "at most 30 s" in text


def test_nothing_is_asked_of_the_runs_by_time() -> None:
    assert goals(decide(PARTS["times-aa"], [run({HELLO: Verdict.SLOWER})], failed_runs=0), size=None) == []
