"""In what figures came about otherwise, and whether they can be compared in spite of it."""

from typing import Any

import pytest

from pytest_webbench.analysis.cross_run import compare_origins, differences, machine_differences
from pytest_webbench.model.codec import to_json
from pytest_webbench.model.plan import PROFILES


def make_origin(**changes: Any) -> dict[str, Any]:
    config = {
        "workers": 2,
        "threads": 2,
        "workers_asked": 2,
        "seed": 1,
        "command": "gunicorn app",
        "profile": to_json(PROFILES["quick"]),
        "users": 10,
        "amount": {"duration_s": 0.4, "requests": None},
        "records": 1500,
        "model": "closed loop",
        "generators": 1,
    }
    origin = {
        "launcher": "process",
        "engine": "native",
        "profile": "quick",
        "versions": {"python": "3.13.1", "flask": "3.1.0"},
    }
    own = {name: value for name, value in changes.items() if name in origin}
    return {**origin, **own, "config": {**config, **{k: v for k, v in changes.items() if k not in own}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"launcher": "container"}, "launcher process then, container now"),
        ({"engine": "k6"}, "engine native then, k6 now"),
        (
            {"model": "open loop, 50/s constant"},
            "loop closed loop then, open loop, 50/s constant now",
        ),
        ({"users": 20}, "users 10 then, 20 now"),
        ({"records": 10}, "records 1500 then, 10 now"),
    ],
)
def test_another_path_ruler_or_load_cannot_be_compared(change: dict[str, Any], said: str) -> None:
    (found,) = differences(make_origin(), make_origin(**change, workers=9))
    assert str(found) == said
    assert not found.comparable


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workers": 4}, "workers 2 then, 4 now"),
        ({"threads": 8}, "threads 2 then, 8 now"),
        ({"generators": 3}, "generators 1 then, 3 now"),
        ({"amount": {"duration_s": 10.0, "requests": None}}, "amount 0.4 s then, 10 s now"),
        ({"amount": {"duration_s": None, "requests": 50}}, "amount 0.4 s then, 50 requests now"),
        (
            {"versions": {"python": "3.14.0", "flask": "4"}},
            "Python of the stack 3.13.1 then, 3.14.0 now",
        ),
        ({"profile": "paper"}, "profile quick then, paper now"),
    ],
)
def test_what_else_differs_is_said_and_compared(change: dict[str, Any], said: str) -> None:
    (found,) = differences(make_origin(), make_origin(**change))
    assert str(found) == said
    assert found.comparable


def test_a_profile_of_the_same_name_may_have_other_numbers() -> None:
    base = make_origin()
    base["config"]["profile"] = {**base["config"]["profile"], "rounds": 9}
    (found,) = differences(base, make_origin())
    assert str(found) == "rounds of the profile quick 9 then, 5 now"


@pytest.mark.parametrize("change", [{"seed": 2}, {"command": "uvicorn"}, {"versions": {"python": "3.13.1"}}])
def test_what_varies_or_is_compared_is_no_difference(change: dict[str, Any]) -> None:
    assert differences(make_origin(), make_origin(**change)) == []


def test_what_is_not_known_before_the_measurement_is_no_difference() -> None:
    planned = {"launcher": "process", "config": {"records": None, "users": 10}}
    assert differences(make_origin(), planned) == []
    assert [each.what for each in differences(make_origin(users=5), planned)] == ["users"]


def test_figures_of_another_plugin_are_not_compared() -> None:
    assert differences(None, None) == []
    (found,) = differences(None, make_origin())
    assert str(found) == "measured by pytest-benchmark then, webbench now"
    assert not found.comparable


def test_benchmarks_are_told_by_baseline_and_difference() -> None:
    base, other = make_origin(), make_origin(engine="k6")
    found = compare_origins(
        {"old": {"a": base, "b": base, "c": other}, "new": {"a": other}},
        {"a": base, "b": make_origin(workers=4), "d": base, "plain": None},
    )
    assert found.missing == ("d",)
    assert found.fit == {("old", "a"), ("old", "b")}
    said = {(baseline, str(each)): names for (baseline, each), names in found.differing.items()}
    assert said == {
        ("old", "workers 2 then, 4 now"): ("b",),
        ("new", "engine k6 then, native now"): ("a",),
    }


def test_machines_differ_in_what_does_not_vary_by_itself() -> None:
    cpu = {"brand_raw": "A", "count": 8, "hz_actual": [1, 0], "flags": ["fpu"] * 40}
    base = {"node": "one", "python_build": ["main", "today"], "cpu": cpu}
    assert machine_differences(base, {**base, "python_build": ("main", "today")}) == []
    assert machine_differences(base, {**base, "cpu": {**cpu, "hz_actual": [2, 0]}}) == []
    other = {**base, "node": "two", "cpu": {**cpu, "count": 4, "flags": []}}
    said = [str(each) for each in machine_differences(base, other)]
    assert said[:2] == ["machine, node: one then, two now", "machine, cpu.count: 8 then, 4 now"]
    assert said[2].endswith("… then, [] now")
    assert len(said[2]) < 120
    assert [str(each) for each in machine_differences({}, {"release": "6.1"})] == [
        "machine, release: unknown then, 6.1 now"
    ]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ({"workers": "-"}, {"workers": 2}),
        ({"threads": 2}, {"threads": "-"}),
    ],
)
def test_workers_and_threads_that_are_not_known_are_no_difference(
    then: dict[str, Any], now: dict[str, Any]
) -> None:
    assert differences(make_origin(**then), make_origin(**now)) == []


@pytest.mark.parametrize(("command", "known"), [("serve", False), ("serve --workers={workers}", True)])
def test_older_files_have_the_workers_that_were_asked_for(command: str, known: bool) -> None:
    old = make_origin(workers=2, command=command)
    del old["config"]["workers_asked"]
    assert bool(differences(old, make_origin(workers=1, command=command))) == known
