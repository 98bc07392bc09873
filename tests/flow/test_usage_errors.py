"""A mistake ends with exit code 4 and a sentence that helps, before anything is launched."""

import re
from typing import Any

import pytest

from tests.flow.conftest import RunWebbench

STACK_HOOK = """
    from pathlib import Path
    from pytest_webbench import Stack

    def pytest_webbench_stacks(config):
        return [Stack(folder=Path(), command=("true",), **{changes})]
"""


def error_of(run: RunWebbench, *arguments: str, **doubles: Any) -> str:
    """The error that pytest prints, in one line."""
    outcome = run(*arguments, **doubles)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in outcome.text + outcome.errors
    assert "INTERNALERROR" not in outcome.text + outcome.errors
    assert outcome.doubles.launcher.events == []
    assert not (outcome.folder / ".webbench").exists()
    return " | ".join(line.removeprefix("ERROR: ").strip() for line in outcome.result.errlines if line)


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (
            "--webbench-stack=flask-sqlite",
            "no stack is called 'flask-sqlite'; did you mean 'flask-sqlite3'? | known: fastapi-sqlalchemy, "
            "fastapi-sqlite3, flask-sqlalchemy, flask-sqlite3, django-drf | "
            "Next step: choose from these with --webbench-stack, or see pytest --webbench-list",
        ),
        (
            "--webbench-scenario=hello,updte_item",
            "no scenario is called 'updte_item'; did you mean 'update_item'? | known: hello, echo, "
            "list_items, get_item, create_item, update_item, delete_item | "
            "Next step: choose from these with --webbench-scenario, or see pytest --webbench-list",
        ),
        (
            "--webbench-profile=papper",
            "--webbench-profile: 'papper' is not known; did you mean 'paper'? (known: quick, smoke, paper) | "
            "Next step: see pytest --help, section webbench",
        ),
        (
            "--webbench-users=helo=3",
            "--webbench-users: no scenario is called 'helo'; did you mean 'hello'? | known: hello, echo, "
            "list_items, get_item, create_item, update_item, delete_item | "
            "Next step: name a scenario, or leave the name out for all of them",
        ),
        (
            "--webbench-requests=*_item=3",
            "--webbench-requests: no scenario is called '*_item'; did you mean 'get_item'? | known: hello, "
            "echo, list_items, get_item, create_item, update_item, delete_item | "
            "Next step: name a scenario, or leave the name out for all of them",
        ),
        (
            "--webbench-memory=little",
            "--webbench-memory: 'little' is not a size of at least 32m, such as 512m or 2g | "
            "Next step: see pytest --help, section webbench",
        ),
        (
            "--webbench-launcher=docker",
            "--webbench-launcher: 'docker' is not known (known: auto, process, container) | "
            "Next step: see pytest --help, section webbench",
        ),
        (
            "--webbench-records=10",
            "delete_item cannot make 30 requests out of 10 records: it has 10 different ones "
            "and sends each once | "
            "Next step: raise --webbench-records, or lower --webbench-requests=delete_item=10",
        ),
        (
            "--webbench-records=0",
            "get_item cannot make 250 requests out of 0 records: it has 0 different ones "
            "and sends each once | "
            "Next step: raise --webbench-records, or lower --webbench-requests=get_item=1",
        ),
    ],
)
def test_a_mistake_is_named_with_the_next_step(run: RunWebbench, argument: str, error: str) -> None:
    assert error_of(run, argument) == error


@pytest.mark.parametrize(
    "faults",
    [
        {
            "--webbench-rounds=0": "0 is out of range (1 to 10,000)",
            "--webbench-duration=nan": "nan is out of range (0.01 to 86,400)",
            "--webbench-requests=0": "0 is out of range (1 to 100,000,000)",
            "--webbench-users=-1": "-1 is out of range (1 to 10,000)",
            "--webbench-workers=many": "'many' is not a whole number",
            "--webbench-seed=-3": "-3 is out of range (0 to 9,223,372,036,854,775,808)",
            "--webbench-start-timeout=0": "0 is out of range (0.01 to 86,400)",
        },
        {
            "--webbench-rounds=2.5": "'2.5' is not a whole number",
            "--webbench-duration=inf": "inf is out of range (0.01 to 86,400)",
            "--webbench-requests=hello=": "'' is not a whole number",
        },
        {"--webbench-duration=hello=soon": "'soon' is not a number"},
    ],
)
def test_numbers_that_make_no_sense(run: RunWebbench, faults: dict[str, str]) -> None:
    found, step = error_of(run, *faults).split(" | ")
    assert set(found.split("; ")) == {f"{each.split('=')[0]}: {fault}" for each, fault in faults.items()}
    assert step == "Next step: see pytest --help, section webbench"


def test_every_fault_of_the_options_is_reported_at_once(run: RunWebbench) -> None:
    error = error_of(
        run,
        "--webbench-profile=fast",
        "--webbench-rounds=0",
        "--webbench-users=hello=0,echo=x",
        "--webbench-url=ftp://here",
        "--webbench-cpus=0",
        "--webbench-versions=papr",
    )
    assert error == (
        "--webbench-profile: 'fast' is not known (known: quick, smoke, paper); "
        "--webbench-versions: 'papr' is not known; did you mean 'paper'? (known: current, paper); "
        "--webbench-cpus: 0 is out of range (0.01 to 10,000); "
        "--webbench-url: The address 'ftp://here' is not of the form http://host:port; "
        "give an address such as http://127.0.0.1:8000; "
        "--webbench-rounds: 0 is out of range (1 to 10,000); "
        "--webbench-users: 0 is out of range (1 to 10,000); "
        "--webbench-users: 'x' is not a whole number | "
        "Next step: see pytest --help, section webbench"
    )


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "https://127.0.0.1",
        "http://",
        "mine=127.0.0.1",
        "http://a:99999",
        "http://a:0",
        "mine=",
    ],
)
def test_urls_that_cannot_be_measured(run: RunWebbench, url: str) -> None:
    error = error_of(run, f"--webbench-url={url}")
    address = url.removeprefix("mine=")
    assert error.startswith(("--webbench-url: https is not", f"--webbench-url: The address {address!r} "))


def test_two_servers_of_one_name(run: RunWebbench) -> None:
    error = error_of(run, "--webbench-url=mine=http://127.0.0.1:1", "--webbench-url=mine=http://127.0.0.1:2")
    assert error == (
        "two stacks are called 'mine' | "
        "Next step: give each stack a name of its own (--webbench-url=NAME=URL, or in the hook)"
    )


def test_two_stacks_of_one_name(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(STACK_HOOK.format(changes={"name": "django-drf"}))
    assert error_of(run).startswith("two stacks are called 'django-drf' | Next step: give each stack a name")


def test_a_stack_of_an_unknown_suite(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(STACK_HOOK.format(changes={"name": "mine", "suite": "itmes"}))
    assert error_of(run) == (
        "stack mine belongs to suite 'itmes', which is not known; did you mean 'items'? | known: items | "
        "Next step: return the suite from pytest_webbench_suites"
    )


@pytest.mark.parametrize("arguments", [["-n", "2"], ["-n", "auto"], ["--dist=load"]])
def test_xdist_is_refused(run: RunWebbench, arguments: list[str]) -> None:
    pytest.importorskip("xdist")
    assert error_of(run, "-p", "xdist", *arguments) == (
        "--webbench measures one thing at a time and cannot run under pytest-xdist | "
        "Next step: leave out -n, or add -n 0 if it stands in addopts"
    )


def test_n_0_is_no_xdist(run: RunWebbench) -> None:
    pytest.importorskip("xdist")
    run("-p", "xdist", "-n", "0", "webbench/items::hello[django-drf]").counts(passed=1)


def test_without_pytest_benchmark_nothing_can_be_recorded(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p webbench")
    assert error_of(run, "-p", "no:benchmark") == (
        "--webbench needs the plugin pytest-benchmark, which is switched off | "
        "Next step: leave out -p no:benchmark, or load it with -p pytest_benchmark.plugin where "
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD is set"
    )


def test_codspeed_is_refused(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        like_codspeed="def pytest_addoption(parser): parser.addoption('--codspeed', action='store_true')"
    )
    pytester.syspathinsert()
    assert error_of(run, "-p", "like_codspeed", "--codspeed") == (
        "--codspeed replaces the benchmark fixture, so no result of --webbench would be recorded | "
        "Next step: run the two apart"
    )


def test_a_stack_that_is_deselected_needs_no_records(run: RunWebbench) -> None:
    run("--webbench-records=10", "--webbench-scenario=hello").counts(passed=5)


def test_a_misspelt_option_is_named_by_pytest(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--webbench", "--webbench-stacks=x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert re.search("unrecognized arguments: --webbench-stacks=x", str(result.stderr))
