"""Stacks, scenarios, suites, launchers and engines of one's own, as the documentation shows them."""

import pytest

from tests.flow.conftest import RunWebbench

JSON = "--benchmark-json=figures.json"

OWN_STACK = """
    from pathlib import Path
    from pytest_webbench import Stack

    def pytest_webbench_stacks(config):
        return [
            Stack(
                name="quart",
                title="Quart with nothing else",
                folder=Path(__file__).parent / "quart_app",
                command=("{python}", "-m", "hypercorn", "--bind", "{bind}", "app:app"),
            )
        ]
"""

OWN_SCENARIO = """
    from pytest_webbench import Amount, Answer, Exchange, Request, Scenario

    def read_two(records, count, rng):
        return [
            Exchange(request=Request(path=f"/items/{record['id']}"), answer=Answer(status=200))
            for record in records[:2]
        ]

    def pytest_webbench_scenarios(config):
        return [Scenario(name="read_two", users=3, amount=Amount(requests=40), traffic=read_two)]
"""

OWN_SUITE = """
    from pathlib import Path
    from pytest_webbench import (
        Amount, Answer, BodyRule, Exchange, NoDataset, Request, Scenario, Stack, Suite, Unit,
    )

    HELLO = Exchange(
        request=Request(path="/hello"),
        answer=Answer(rule=BodyRule.JSON, json={"message": "Hello, World!"}),
    )

    def pytest_webbench_suites(config):
        return [Suite(name="shop", dataset=NoDataset())]

    def pytest_webbench_scenarios(config):
        return [
            Scenario(
                name="front_page",
                suite="shop",
                users=2,
                amount=Amount(requests=50),
                traffic=lambda records, count, rng: [HELLO],
                unit=Unit.TIME,
            )
        ]

    def pytest_webbench_stacks(config):
        return [Stack(name="my-shop", suite="shop", folder=Path(), command=("serve",))]
"""

FAKES = """
    from pytest_webbench.stacks.fake import FakeLauncher
    from pytest_webbench.load.fake import FakeEngine

    def pytest_webbench_launcher(settings):
        return FakeLauncher()

    def pytest_webbench_engine(settings):
        return FakeEngine()
"""


def test_a_stack_of_ones_own_is_measured_beside_the_others(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_STACK)
    outcome = run(JSON, "--webbench-scenario=hello,delete_item")
    outcome.counts(passed=12)
    assert outcome.rows()["hello[quart]"]["fullname"] == "webbench/items::hello[quart]"
    assert "start quart" in outcome.doubles.launcher.events


def test_a_scenario_of_ones_own_is_measured_on_every_stack(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_SCENARIO)
    outcome = run(JSON, "--webbench-scenario=read_two", "--webbench-users=read_two=6")
    outcome.counts(passed=5)
    loads = [load for load, _ in outcome.doubles.engine.loads]
    assert {load.users for load in loads} == {6}
    assert {exchange.request.path for load in loads for exchange in load.exchanges} == {
        "/items/1",
        "/items/2",
    }


def test_every_stack_is_checked_with_a_scenario_of_ones_own(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(OWN_SCENARIO.replace("status=200", "status=418"))
    outcome = run("--webbench-scenario=hello", "--webbench-stack=django-drf")
    outcome.counts(passed=1)
    said = "django-drf gave a wrong response to GET /items/1: the status is 200, expected 418"
    assert f"webbench: read_two[django-drf] failed the check before timing: {said}" in outcome.text
    outcome = run("--webbench-scenario=read_two", "--webbench-stack=django-drf")
    outcome.counts(failed=1)
    assert said in outcome.text


def test_a_suite_of_ones_own_has_node_ids_of_its_own(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_SUITE)
    outcome = run(JSON, "webbench/shop")
    outcome.counts(passed=1)
    assert set(outcome.rows()) == {"front_page[my-shop]"}
    assert outcome.rows()["front_page[my-shop]"]["fullname"] == "webbench/shop::front_page[my-shop]"
    assert outcome.doubles.launcher.events.count("start my-shop") == 2


def test_suites_are_collected_together_and_do_not_mix(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_SUITE)
    outcome = run("--collect-only", "-q")
    found = [line for line in outcome.result.outlines if "::" in line]
    assert len(found) == 36
    assert found[-1] == "webbench/shop::front_page[my-shop]"


def test_a_suite_of_ones_own_needs_no_servers_with_the_public_fakes(pytester: pytest.Pytester) -> None:
    """What the documentation of the hooks says, with nothing else."""
    pytester.makeconftest(OWN_SUITE + FAKES)
    result = pytester.runpytest_inprocess("--webbench", "--webbench-rounds=2", "webbench/shop")
    result.assert_outcomes(passed=1)


def test_the_hooks_of_a_conftest_win_over_the_launcher_and_the_engine_of_the_plugin(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeconftest(FAKES)
    result = pytester.runpytest_inprocess("--webbench", "-k", "hello", "--webbench-stack=django-drf")
    assert "webbench: fake launcher, profile quick" in str(result.stdout)


def test_a_hook_sees_the_settings(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        def pytest_webbench_launcher(config, settings, logs):
            print("settings:", settings.seed, settings.workers, logs.name, config.rootpath.name)
    """)
    outcome = run("--webbench-scenario=hello", "--webbench-stack=django-drf", "--webbench-workers=4")
    assert f"settings: 11 4 logs {pytester.path.name}" in outcome.text


def test_fixtures_and_marks_of_the_users_conftest_apply_to_the_items(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes long\n")
    pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.nodeid.startswith("webbench/items::echo"):
                    item.add_marker(pytest.mark.slow)
    """)
    outcome = run("-m", "not slow", "--collect-only", "-q", "--webbench-stack=django-drf")
    assert "6/7 tests collected (1 deselected)" in outcome.text


def test_the_whole_built_in_suite_can_be_tried_with_the_public_fakes(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FAKES)
    result = pytester.runpytest_inprocess("--webbench", "--webbench-profile=smoke", "--webbench-seed=1")
    result.assert_outcomes(passed=35)
    assert str(result.stdout).count("  note django-drf: the database could not be checked") == 7
