"""In what results came about differently, and whether they can be compared in spite of it."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.cross_run import differences, machine_differences, match_baselines
from pytest_webbench.model.load import Amount, Loop, Schedule
from pytest_webbench.model.measurement import Machine, Provenance
from pytest_webbench.model.plan import PROFILES

KNOWN = Provenance(
    launcher="process",
    engine="native",
    loop=Loop(),
    users=10,
    amount=Amount(duration_s=0.4),
    records=1500,
    profile=PROFILES["quick"],
    turns=1,
    generators=1,
    workers=2,
    threads=2,
    versions={"python": "3.13.1", "flask": "3.1.0"},
)
OPEN = Loop(schedule=Schedule(rate=50))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"launcher": "container"}, "launcher process then, container now"),
        ({"engine": "k6"}, "engine native then, k6 now"),
        ({"loop": OPEN}, "loop closed loop then, open loop, 50/s constant now"),
        ({"users": 20}, "users 10 then, 20 now"),
        ({"records": 10}, "records 1500 then, 10 now"),
    ],
)
def test_another_path_ruler_or_load_cannot_be_compared(change: dict[str, Any], said: str) -> None:
    (found,) = differences(KNOWN, replace(KNOWN, **change, workers=9))
    assert str(found) == said
    assert not found.comparable


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workers": 4}, "workers 2 then, 4 now"),
        ({"threads": 8}, "threads 2 then, 8 now"),
        ({"generators": 3}, "generators 1 then, 3 now"),
        ({"turns": 8}, "turns of a round 1 then, 8 now"),
        ({"amount": Amount(duration_s=10)}, "amount 0.4 s then, 10 s now"),
        ({"amount": Amount(requests=50)}, "amount 0.4 s then, 50 requests now"),
        ({"versions": {"python": "3.14.0", "flask": "4"}}, "Python of the stack 3.13.1 then, 3.14.0 now"),
        ({"profile": PROFILES["paper"]}, "profile quick then, paper now"),
        (
            {"profile": replace(PROFILES["quick"], rounds=9)},
            "rounds of the profile quick 5 then, 9 now",
        ),
    ],
)
def test_what_else_differs_is_said_and_compared(change: dict[str, Any], said: str) -> None:
    (found,) = differences(KNOWN, replace(KNOWN, **change))
    assert str(found) == said
    assert found.comparable


def test_containers_and_machines_differ_by_name() -> None:
    base = replace(
        KNOWN, network="loopback", container_runtime="Docker 28", base_image="a", cpus="1", memory="all"
    )
    now = replace(
        KNOWN, network="proxy", container_runtime="Podman 5", base_image="b", cpus="2", memory="512 MiB"
    )
    machine = Machine(processor="One", cores=2)
    found = differences(
        replace(base, machine=machine), replace(now, machine=replace(machine, processor="Another"))
    )
    assert [str(each) for each in found] == [
        "network loopback then, proxy now",
        "container engine Docker 28 then, Podman 5 now",
        "base image a then, b now",
        "processors of the container 1 then, 2 now",
        "memory of the container all then, 512 MiB now",
        "machine, processor: One then, Another now",
    ]


def test_versions_of_packages_are_what_is_compared() -> None:
    assert differences(KNOWN, replace(KNOWN, versions={"python": "3.13.1", "flask": "4"})) == []


def test_rates_that_read_the_same_are_the_same() -> None:
    """Rates of the first format were kept with the six digits in which they are told."""
    told, exact = (Loop(schedule=Schedule(rate=rate, seed=int(rate))) for rate in (1234.57, 1234.5678))
    assert differences(replace(KNOWN, loop=told), replace(KNOWN, loop=exact)) == []


@pytest.mark.parametrize("known", [Provenance(launcher="process", users=10), replace(KNOWN, workers=None)])
def test_what_is_known_of_one_alone_is_no_difference(known: Provenance) -> None:
    assert differences(KNOWN, known) == differences(known, KNOWN) == []
    assert [each.what for each in differences(replace(KNOWN, users=5), known)] == ["users"]


def test_figures_of_another_plugin_are_not_compared() -> None:
    assert differences(None, None) == []
    (found,) = differences(None, KNOWN)
    assert str(found) == "measured by pytest-benchmark then, webbench now"
    assert not found.comparable


def test_benchmarks_are_told_by_baseline_and_difference() -> None:
    other = replace(KNOWN, engine="k6")
    found = match_baselines(
        {"old": {"a": KNOWN, "b": KNOWN, "c": other}, "new": {"a": other}},
        {"a": KNOWN, "b": replace(KNOWN, workers=4), "d": KNOWN, "plain": None},
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
