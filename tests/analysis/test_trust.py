"""What the first screen says of whether a run can be trusted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.diagnostics import judge_trust, overall
from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.measurement import MachineUsage, Measurement
from pytest_webbench.model.results import Diagnostic, Level
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.suite import Unit
from tests.builders import make_result, make_round, make_run

QUIET = MachineUsage(elapsed_s=0.25, busy_s=0.1, steal_s=0.0)


def run_of(rounds: Sequence[Measurement], **changes: Any) -> SavedRun:
    summary = summarise(list(rounds), unit=Unit.TIME, planned=len(rounds))
    return replace(make_run(), measurements=tuple(rounds), summaries=(summary,), **changes)


def rounds(machine: MachineUsage | None = QUIET, **changes: Any) -> list[Measurement]:
    """Three rounds of a quarter of a second."""
    return [make_round(make_result(**changes), round_=number, machine=machine) for number in range(3)]


def found(record: SavedRun) -> dict[str, Diagnostic]:
    return {each.subject: each for each in judge_trust(record)}


def test_a_run_in_which_all_is_well_is_good() -> None:
    findings = judge_trust(run_of(rounds()))
    assert overall(findings) is Level.GOOD
    assert {each.level for each in findings} == {Level.GOOD}


def test_nothing_measured_is_said() -> None:
    findings = judge_trust(replace(make_run(), measurements=(), summaries=()))
    assert [each.text for each in findings] == ["Nothing was measured."]
    assert overall(findings) is Level.BAD


def test_steal_is_a_share_of_all_processors() -> None:
    taken = replace(QUIET, steal_s=0.05)  # of 2 processors for a quarter of a second
    assert found(run_of(rounds(taken)))["steal"].text == "The host took 10 % of the CPU time away (steal)."
    assert found(run_of(rounds(taken)))["steal"].level is Level.BAD


def test_what_others_used_is_what_neither_server_nor_generator_did() -> None:
    busy = replace(QUIET, busy_s=0.3)  # the server used 0.05, the generator 0.025, of 0.5 in all
    finding = found(run_of(rounds(busy)))["others"]
    assert "used 45 % of the CPU time" in finding.text
    assert finding.level is Level.BAD
    ours = replace(busy, own_s=0.2)  # pytest itself
    assert found(run_of(rounds(ours)))["others"].text.endswith("used 5.0 % of the CPU time.")


@pytest.mark.parametrize("machine", [None, MachineUsage(), MachineUsage(elapsed_s=0.25)])
def test_what_is_not_known_is_not_claimed(machine: MachineUsage | None) -> None:
    findings = judge_trust(run_of(rounds(machine)))
    unknown = {each.subject for each in findings if each.level is Level.UNKNOWN}
    assert unknown == {"steal", "others"}
    assert overall(findings) is Level.GOOD


def test_without_a_machine_no_share_of_it_is_claimed() -> None:
    record = run_of(rounds())
    findings = found(replace(record, metadata=replace(record.metadata, machine=None)))
    assert findings["steal"].level is Level.UNKNOWN
    assert "server" not in findings


def test_a_busy_generator_may_have_been_the_limit() -> None:
    assert found(run_of(rounds(generator_busy=0.8)))["generator"].level is Level.DOUBTFUL
    assert found(run_of(rounds(generator_busy=0.95)))["generator"].level is Level.BAD


def test_unequal_connections_are_said_with_the_worst_case() -> None:
    uneven = [*rounds(held=(2, 2)), make_round(make_result(held=(3, 1)), round_=3, machine=QUIET)]
    finding = found(run_of(uneven))["balance"]
    assert finding.text.startswith("In 1 of 4 rounds connections were spread unevenly")
    assert "at worst 3 and 1" in finding.text
    assert found(run_of(rounds(held=(2, 2))))["balance"].level is Level.GOOD
    assert "balance" not in found(run_of(rounds()))


def test_errors_and_invalid_cells_are_counted() -> None:
    record = run_of(rounds(sent=102, errors={"reset": 2}))
    assert (
        found(record)["responses"].text == "6 of 306 requests failed; the affected benchmarks are not valid."
    )
    assert found(record)["validity"].text.startswith("0 of 1 benchmarks are valid")
    assert found(record)["validity"].level is Level.BAD


def test_one_round_says_nothing_of_the_spread() -> None:
    assert found(run_of(rounds()[:1]))["spread"].level is Level.DOUBTFUL


def test_a_stack_that_failed_is_named() -> None:
    findings = found(run_of(rounds(), stack_failures={"django-drf": "it exited"}))
    assert findings["stacks"].text == "1 stack could not be measured to the end: django-drf."
