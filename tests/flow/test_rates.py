"""Open loops in a run: a rate that is given, and one that every stack can serve."""

import math

import pytest

from tests.flow.conftest import RunWebbench

ITEM = "--webbench-scenario=get_item"
JSON = "--benchmark-json=figures.json"


def test_a_rate_makes_the_loop_open_and_every_figure_says_so(run: RunWebbench) -> None:
    outcome = run(ITEM, JSON, "--webbench-stack=flask-*", "--webbench-rate=200")
    outcome.counts(passed=2)
    assert "get_item: one record\n100 connections" in outcome.text
    assert "open loop, 200/s constant" in outcome.text
    for row in outcome.rows().values():
        ours = row["extra_info"]["webbench"]
        assert row["extra_info"]["metric"] == "mean_response_time"
        assert ours["config"]["model"] == "open loop, 200/s constant"
        assert row["stats"]["mean"] == pytest.approx(ours["mean_response_time_s"])
        assert ours["requests_sent"] == ours["requests_ok"]
    for load, _ in outcome.doubles.engine.loads:
        if load.exchanges[0].request.path.startswith("/items/"):
            assert load.schedule is not None
            assert load.schedule.rate == 200


def test_a_rate_of_one_scenario_leaves_the_others_closed(run: RunWebbench) -> None:
    arguments = "--webbench-scenario=get_item,hello", "--webbench-stack=flask-sqlite3", JSON
    outcome = run(*arguments, "--webbench-rate=get_item=50", "--webbench-arrivals=poisson")
    outcome.counts(passed=2)
    models = {name: row["extra_info"]["webbench"]["config"]["model"] for name, row in outcome.rows().items()}
    assert models == {
        "get_item[flask-sqlite3]": "open loop, 50/s poisson",
        "hello[flask-sqlite3]": "closed loop",
    }


def test_each_round_has_arrivals_of_its_own_which_its_stacks_share(run: RunWebbench) -> None:
    arguments = ITEM, "--webbench-stack=flask-*", "--webbench-rate=50", "--webbench-arrivals=poisson"
    outcome = run(*arguments)
    seeds: dict[str, set[int]] = {}
    for load, url in outcome.doubles.engine.loads:
        assert load.schedule is not None
        seeds.setdefault(url, set()).add(load.schedule.seed)
    of_each_stack = set(map(frozenset, seeds.values()))
    assert len(set().union(*seeds.values())) == 2
    assert all(len(each) in {1, 2} for each in of_each_stack)


def test_common_chooses_a_rate_that_the_slowest_stack_can_serve(run: RunWebbench) -> None:
    outcome = run(ITEM, JSON, "--webbench-rate=common:50%")
    outcome.counts(passed=5)
    (line,) = [line for line in outcome.text.splitlines() if "for every stack: 50% of the" in line]
    rows = outcome.rows()
    models = {row["extra_info"]["webbench"]["config"]["model"] for row in rows.values()}
    assert len(models) == 1
    (event,) = [line["rate_chosen"] for line in outcome.lines_of_trials() if "rate_chosen" in line]
    assert set(event["saturation"]) == {row["extra_info"]["stack"] for row in rows.values()}
    slowest = min(event["saturation"].values())
    assert 0.4 * slowest < event["rate"] <= 0.5 * slowest
    assert event["rate"] == float(f"{event['rate']:.2g}")
    assert f"get_item at {event['rate']:,g} requests/s" in line
    assert models == {f"open loop, {event['rate']:,.6g}/s constant"}


def test_a_rate_beyond_what_the_server_can_take_is_no_valid_figure(run: RunWebbench) -> None:
    outcome = run("--webbench-scenario=hello", "--webbench-stack=django-drf", JSON, "--webbench-rate=90000")
    (row,) = outcome.rows().values()
    ours = row["extra_info"]["webbench"]
    assert ours["dropped"] > 0
    assert any("could not be sent before the end" in reason for reason in ours["validity"]["reasons"])
    assert math.isfinite(row["stats"]["mean"])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--webbench-rate=0", "0 is out of range"),
        ("--webbench-rate=fast", "'fast' is not a number"),
        ("--webbench-rate=common:120%", "'120%' is not a share from 1% to 95%"),
        ("--webbench-rate=get_itme=5", "no scenario is called 'get_itme'"),
        ("--webbench-arrivals=bursts", "'bursts' is not known"),
        ("--webbench-engine=wrk", "'wrk' is not known"),
        ("--webbench-generators=0", "0 is out of range"),
        ("--webbench-load-bind=nowhere", "'nowhere' is not HOST:PORT"),
    ],
)
def test_what_cannot_be_read_is_said_before_anything_runs(run: RunWebbench, argument: str, said: str) -> None:
    outcome = run(ITEM, argument)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert said in outcome.errors
    assert outcome.doubles.engine.loads == []
