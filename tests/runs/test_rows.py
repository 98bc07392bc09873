"""Rows of pytest-benchmark's JSON, written and read."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.cross_run import launch_facts
from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.load import Amount, Arrivals, Loop, Schedule
from pytest_webbench.model.measurement import LaunchRecord
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.metadata import provenance_of
from pytest_webbench.runs.rows import extra_info, other_formats, read_row
from tests.builders import make_round, make_summary

SETTINGS = Settings(seed=7, generators=3)
LAUNCH = LaunchRecord(
    launcher="container",
    startup_s=0.4,
    versions={"python": "3.13.1"},
    config={"workers": 4, "threads": "-", "engine": "Docker 28", "cpus": "2", "own": "setting"},
)
OPEN = Schedule(rate=1234.5678, arrivals=Arrivals.POISSON, seed=3, offset_s=0.25)
SUMMARY = make_summary((0.01, 0.011))


@pytest.mark.parametrize(
    "summary",
    [
        SUMMARY,
        make_summary((0.01, 0.011), unit=Unit.RATE),
        replace(SUMMARY, launch=LAUNCH),
        replace(SUMMARY, schedule=OPEN),
        replace(SUMMARY, turns=8, draws_per_s=(1.0, 2.0), values={"p50": 0.01}),
    ],
)
def test_a_result_comes_back_with_all_that_is_known_of_it(summary: CellSummary) -> None:
    found, provenance = read_row(json.loads(json.dumps(extra_info(summary, SETTINGS))))
    assert found == summary
    assert provenance == provenance_of(summary, profile=SETTINGS.profile, generators=3)


def test_the_configuration_of_a_launch_is_typed() -> None:
    found = provenance_of(replace(SUMMARY, launch=LAUNCH), profile=None, generators=None)
    assert (found.workers, found.threads, found.container_runtime, found.cpus) == (4, None, "Docker 28", "2")
    assert found.settings == {"own": "setting"}
    assert launch_facts(found) == {
        "workers": "4",
        "threads": "not known",
        "container engine": "Docker 28",
        "processors of the container": "2",
        "own": "setting",
    }


def test_the_note_of_a_launch_has_its_code() -> None:
    launch = replace(LAUNCH, notes=(Code.FILES_UNVERIFIED.reason(),))
    noted = summarise([make_round(launch=launch)], unit=Unit.TIME, planned=1)
    validity = extra_info(noted, SETTINGS)["webbench"]["validity"]
    assert validity["warnings"] == [Code.FILES_UNVERIFIED.reason()]
    assert validity["warning_codes"] == ["files-unverified"]


def test_a_result_without_a_response_comes_back_unknown() -> None:
    row = extra_info(replace(SUMMARY, rounds=(), values={}), SETTINGS)
    assert row["webbench"]["p50_s"] is row["webbench"]["mean_response_time_s"] is None
    found, _ = read_row(row)
    assert str(found.p50_s) == str(found.result.estimate) == "nan"


def first_format(summary: CellSummary = SUMMARY, **config: Any) -> dict[str, Any]:
    """``extra_info`` of a row as the first format had it."""
    info = extra_info(summary, SETTINGS)
    info["webbench"]["format"] = 1
    del info["webbench"]["unit"], info["webbench"]["config"]["schedule"]
    info["webbench"]["config"].update(config)
    return info


@pytest.mark.parametrize(
    ("words", "loop"),
    [
        ("closed loop", Loop()),
        ("open loop, 50/s constant", Loop(schedule=Schedule(rate=50))),
        (
            "open loop, 1,234.57/s poisson",
            Loop(schedule=Schedule(rate=1234.57, arrivals=Arrivals.POISSON)),
        ),
    ],
)
def test_the_first_format_told_a_loop_in_words_alone(words: str, loop: Loop) -> None:
    summary, provenance = read_row(first_format(model=words))
    assert provenance.loop == loop
    assert summary.schedule == loop.schedule


@pytest.mark.parametrize(
    ("amount", "words", "unit"),
    [
        (Amount(requests=10), "closed loop", Unit.TIME),
        (Amount(duration_s=1), "closed loop", Unit.RATE),
        (Amount(duration_s=1), "open loop, 50/s constant", Unit.TIME),
    ],
)
def test_the_first_format_had_no_unit(amount: Amount, words: str, unit: Unit) -> None:
    summary, _ = read_row(first_format(replace(SUMMARY, amount=amount), model=words))
    assert summary.unit is unit


@pytest.mark.parametrize(("command", "known"), [("serve", None), ("serve --workers={workers}", 2)])
def test_the_oldest_rows_have_the_workers_that_were_asked_for(command: str, known: int | None) -> None:
    info = first_format(workers=2, command=command)
    del info["webbench"]["config"]["workers_asked"]
    _, provenance = read_row(info)
    assert provenance.workers == known


@pytest.mark.parametrize(
    "damage", [{"rounds": 1}, {"rounds": [{"round": 1}]}, {"config": {}}, {"validity": None}, {"unit": "km"}]
)
def test_what_is_damaged_is_a_value_error(damage: dict[str, Any]) -> None:
    info = extra_info(SUMMARY, SETTINGS)
    info["webbench"].update(damage)
    with pytest.raises(ValueError, match=r"."):
        read_row(info)


def test_formats_that_cannot_be_read_are_found() -> None:
    def rows(*formats: object) -> list[dict[str, Any]]:
        return [{"extra_info": {"webbench": {"format": each}}} for each in formats]

    assert other_formats({"benchmarks": [*rows(1, 2), {"extra_info": {}}, {}]}) == []
    assert other_formats({"benchmarks": rows(2, 3)}) == [3]
    assert other_formats({"benchmarks": [], "webbench_format": 4}) == [4]
    assert other_formats({"benchmarks": rows(None)}) == [None]
