"""What pytest-benchmark gets: the measured rounds, and all that is known about them."""

import json
from typing import Any

import pytest

from pytest_webbench.analysis.metrics import time_per_request_s
from pytest_webbench.model.codec import from_json
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.suites.items import SCENARIOS
from tests.flow.conftest import Outcome, RunWebbench

ONE = "webbench/items::get_item[flask-sqlite3]"
JSON = "--benchmark-json=figures.json"


def measured(outcome: Outcome) -> dict[str, list[Measurement]]:
    """The rounds of each cell as they were written after each trial."""
    rounds: dict[str, list[Measurement]] = {}
    for line in outcome.lines_of_trials():
        measurement = from_json(Measurement, line["trial"])
        rounds.setdefault(str(measurement.trial.cell), []).append(measurement)
    return {name: sorted(each, key=lambda one: one.trial.round) for name, each in rounds.items()}


def test_every_row_holds_exactly_the_measured_rounds(run: RunWebbench) -> None:
    names = ("django-drf", "fastapi-sqlalchemy")
    outcome = run(JSON, "--webbench-rounds=3", f"--webbench-stack={','.join(names)}")
    outcome.counts(passed=14)
    rows, rounds = outcome.rows(), measured(outcome)
    assert set(rows) == set(rounds) == {f"{each.name}[{name}]" for each in SCENARIOS for name in names}
    for name, row in rows.items():
        figures = [time_per_request_s(each) for each in rounds[name]]
        assert row["stats"]["data"] == figures, name
        assert row["stats"]["rounds"] == 3
        assert row["stats"]["iterations"] == 1
        rate = 3 / sum(figures)
        assert row["stats"]["ops"] == pytest.approx(rate)
        assert row["fullname"] == f"webbench/items::{name}"
        assert row["params"] == {"stack": row["extra_info"]["stack"]}
        assert row["options"]["timer"] == "webbench_virtual_clock"


def test_rows_are_grouped_by_scenario(run: RunWebbench) -> None:
    outcome = run(JSON, "--webbench-stack=flask-*", "--webbench-scenario=hello,get_item")
    assert {row["group"] for row in outcome.rows().values()} == {"hello", "get_item"}
    assert "benchmark 'hello': 2 tests" in outcome.text
    assert "benchmark 'get_item': 2 tests" in outcome.text


def test_extra_info_says_all_that_is_known_of_a_cell(run: RunWebbench) -> None:
    outcome = run(ONE, JSON, "--webbench-requests=get_item=100", "--webbench-users=get_item=5")
    info = outcome.rows()["get_item[flask-sqlite3]"]["extra_info"]
    assert {name: info[name] for name in ("stack", "scenario", "metric")} == {
        "stack": "flask-sqlite3",
        "scenario": "get_item",
        "metric": "time_per_request",
    }
    ours: dict[str, Any] = info["webbench"]
    rounds = measured(outcome)["get_item[flask-sqlite3]"]
    latencies = sorted(value for each in rounds for value in each.load.latency_ns.samples)
    assert ours.pop("config") == {
        "seed": 11,
        "profile": {**_profile("quick"), "rounds": 2},
        "users": 5,
        "amount": {"duration_s": None, "requests": 100},
        "records": 60,
        "model": "closed loop",
        "schedule": None,
        "turns": 1,
        "generators": 1,
        "workers_asked": 2,
    }
    own_rounds = ours.pop("rounds")
    assert [each["p95_s"] for each in own_rounds] == [
        sorted(each.load.latency_ns.samples)[94] / 1e9 for each in rounds
    ]
    assert own_rounds[1] == {
        "round": 1,
        "time_per_request_s": time_per_request_s(rounds[1]),
        "mean_response_time_s": pytest.approx(rounds[1].load.latency_ns.sum_ns / 100 / 1e9),
        "p50_s": sorted(rounds[1].load.latency_ns.samples)[49] / 1e9,
        "p95_s": sorted(rounds[1].load.latency_ns.samples)[94] / 1e9,
        "p99_s": sorted(rounds[1].load.latency_ns.samples)[98] / 1e9,
        "server_cpu_s_per_request": 0.0001,
    }
    assert ours == {
        "format": 2,
        "unit": "ms",
        "requests_sent": 200,
        "requests_ok": 200,
        "errors": {},
        "in_flight": 0,
        "mean_response_time_s": pytest.approx(sum(latencies) / 200 / 1e9),
        "p50_s": latencies[99] / 1e9,
        "p95_s": latencies[189] / 1e9,
        "p99_s": latencies[197] / 1e9,
        "ttfb_p50_s": latencies[99] / 1e9,
        "service_p50_s": latencies[99] / 1e9,
        "dropped": 0,
        "lag_s": 0.0,
        "percentile_error": 0.0,
        "draws_per_s": [],
        "server_cpu_s_per_request": 0.02 / 200,
        "server_peak_rss_bytes": 1 << 20,
        "readings": {"cpu_s": 0.02, "peak_rss_bytes": 1 << 20},
        "server_throttled_s": None,
        "server_oom_kills": None,
        "generator_cpu_fraction": pytest.approx(max(_cpu_fraction(each) for each in rounds)),
        "startup_s": 0.1,
        "launcher": "fake",
        "engine": "fake",
        "profile": "quick",
        "versions": {},
        "validity": {
            "valid": True,
            "reasons": [],
            "warnings": [],
            "reason_codes": [],
            "warning_codes": [],
        },
    }


def _profile(name: str) -> Any:
    from pytest_webbench.model.codec import to_json
    from pytest_webbench.model.plan import PROFILES

    return json.loads(json.dumps(to_json(PROFILES[name])))


def _cpu_fraction(measurement: Measurement) -> float:
    return measurement.load.generator_cpu_s / measurement.load.elapsed_s


def test_requests_in_flight_at_a_deadline_are_told(run: RunWebbench) -> None:
    outcome = run("webbench/items::hello[django-drf]", JSON, "--webbench-duration=0.105")
    ours = outcome.rows()["hello[django-drf]"]["extra_info"]["webbench"]
    assert ours["in_flight"] > 0
    assert ours["requests_sent"] == ours["requests_ok"] + ours["in_flight"]


def test_the_json_is_json_for_everyone(run: RunWebbench) -> None:
    """NaN and Infinity are Python's own. The machine in it does not vary with the clock rate."""
    outcome = run(JSON, "--webbench-rounds=1", "--webbench-stack=flask-sqlite3")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    data = json.loads((outcome.folder / "figures.json").read_text(), parse_constant=refuse)
    assert data["machine_info"]["cpu"] == {"brand_raw": "a processor"}


# --- saving and comparing ---------------------------------------------------------------------------


def test_a_second_run_compares_with_the_first(run: RunWebbench) -> None:
    first = run(ONE, "--benchmark-autosave")
    assert [set(rows) for rows in first.saved()] == [{"get_item[flask-sqlite3]"}]
    second = run(ONE, "--benchmark-compare", "--webbench-seed=12")
    second.counts(passed=1)
    second.result.stderr.fnmatch_lines(["Comparing against benchmarks from: *0001_*.json"])
    second.result.stdout.fnmatch_lines(
        [
            "get_item[[]flask-sqlite3[]] (0001_*",
            "get_item[[]flask-sqlite3[]] (NOW) *",
        ]
    )


@pytest.mark.parametrize(("latency_s", "regressed"), [(0.0102, False), (0.02, True)])
def test_a_regression_fails_the_run(run: RunWebbench, latency_s: float, regressed: bool) -> None:
    run(ONE, "--benchmark-autosave").counts(passed=1)
    outcome = run(ONE, "--benchmark-compare", "--benchmark-compare-fail=mean:20%", latency_s=latency_s)
    assert ("Performance has regressed" in outcome.text + outcome.errors) == regressed
    assert (outcome.exit_code != 0) == regressed


def test_saving_under_a_name(run: RunWebbench) -> None:
    outcome = run(ONE, "--benchmark-save=before", "--benchmark-save-data")
    (file,) = outcome.folder.glob(".benchmarks/*/*.json")
    assert file.name == "0001_before.json"
    (rows,) = outcome.saved()
    expected = [time_per_request_s(each) for each in measured(outcome)["get_item[flask-sqlite3]"]]
    assert rows["get_item[flask-sqlite3]"]["stats"]["data"] == expected


def test_runs_with_one_seed_are_the_same(run: RunWebbench) -> None:
    runs = [run(ONE, JSON), run(ONE, JSON)]
    assert (
        runs[0].rows()["get_item[flask-sqlite3]"]["stats"]
        == runs[1].rows()["get_item[flask-sqlite3]"]["stats"]
    )


# --- the switches of pytest-benchmark ---------------------------------------------------------------


def test_benchmark_only_keeps_the_suite_and_skips_other_tests(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    run("--benchmark-only", ONE, "test_mine.py").counts(passed=1, skipped=1)


def test_benchmark_skip_launches_nothing(run: RunWebbench) -> None:
    outcome = run("--benchmark-skip")
    outcome.counts(skipped=35)
    assert outcome.doubles.launcher.events == []


def test_benchmark_disable_tries_each_cell_once_and_times_nothing(run: RunWebbench) -> None:
    outcome = run("--benchmark-disable", JSON, "--webbench-stack=flask-sqlite3")
    outcome.counts(passed=7)
    assert len(outcome.doubles.engine.loads) == 7
    assert outcome.doubles.launcher.events == [
        "prepare flask-sqlite3",
        "run for flask-sqlite3: '{python}' -m flask init-db",
        "start flask-sqlite3",
        "end flask-sqlite3",
    ]
    assert (
        "webbench: --benchmark-disable: each benchmark is tried once, nothing is timed"
        in outcome.result.outlines
    )
    assert "req/s" not in outcome.text
    assert not outcome.has_json()


def test_benchmark_disable_still_finds_wrong_answers(run: RunWebbench) -> None:
    wrong = {"flask-sqlite3": "Hello!"}
    outcome = run("--benchmark-disable", "--webbench-scenario=hello", greetings=wrong)
    outcome.counts(passed=4, failed=1)


def test_benchmark_enable_wins_over_disable(run: RunWebbench) -> None:
    outcome = run("--benchmark-disable", "--benchmark-enable", ONE, JSON)
    assert outcome.rows()["get_item[flask-sqlite3]"]["stats"]["rounds"] == 2


def test_options_of_pytest_benchmark_cannot_change_what_was_measured(run: RunWebbench) -> None:
    options = (
        "--benchmark-min-rounds=9",
        "--benchmark-warmup=on",
        "--benchmark-timer=time.process_time",
        "--benchmark-disable-gc",
        "--benchmark-max-time=0.000001",
        "--benchmark-calibration-precision=1",
    )
    outcome = run(ONE, JSON, *options)
    expected = [time_per_request_s(each) for each in measured(outcome)["get_item[flask-sqlite3]"]]
    assert outcome.rows()["get_item[flask-sqlite3]"]["stats"]["data"] == expected


def test_marks_of_the_user_are_merged_and_cannot_replace_the_clock(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_mine="""
        import time
        import pytest

        pytestmark = pytest.mark.benchmark(group="of the module", disable_gc=True)

        @pytest.mark.benchmark(group="mine", timer=time.perf_counter, min_rounds=7)
        def test_marked(webbench):
            webbench("get_item", rounds=3)

        def test_unmarked(webbench):
            webbench("get_item", rounds=3)
        """
    )
    outcome = run("test_mine.py", JSON, "--webbench-stack=flask-sqlite3")
    outcome.counts(passed=2)
    rows = outcome.rows()
    marked, unmarked = rows["test_marked[flask-sqlite3]"], rows["test_unmarked[flask-sqlite3]"]
    assert (marked["group"], unmarked["group"]) == ("mine", "of the module")
    assert marked["options"]["disable_gc"] is True
    for row in (marked, unmarked):
        assert row["options"]["timer"] == "webbench_virtual_clock"
        assert row["stats"]["rounds"] == 3
        assert row["stats"]["mean"] == pytest.approx(0.001, rel=0.1)  # 10 users, 10 ms


def test_marks_that_a_conftest_adds_to_the_items_do_no_harm(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest("""
        import time
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.benchmark(timer=time.perf_counter))
    """)
    outcome = run(ONE, JSON)
    outcome.counts(passed=1)
    expected = [time_per_request_s(each) for each in measured(outcome)["get_item[flask-sqlite3]"]]
    assert outcome.rows()["get_item[flask-sqlite3]"]["stats"]["data"] == expected


def test_a_clock_that_is_not_ours_is_never_silently_recorded(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest("""
        import time
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.benchmark(timer=time.perf_counter), append=False)
    """)
    outcome = run(ONE, JSON)
    outcome.counts(failed=1)
    assert "AssertionError: pytest-benchmark recorded [" in outcome.text
