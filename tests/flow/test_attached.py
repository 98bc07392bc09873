"""Servers that run already: only read, unless their owner allows more."""

from typing import Any

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.load import LoadResult
from tests.flow.conftest import SMALL, Outcome, RunWebbench
from tests.flow.doubles import AppServer, Doubles, ItemsApp

JSON = "--benchmark-json=figures.json"


@pytest.fixture
def items() -> dict[int, dict[str, object]]:
    return {
        key: {"id": key, "name": f"n{key}", "description": "", "price": 1.5, "quantity": key}
        for key in range(1, 41)
    }


@pytest.fixture
def url(app_server: AppServer, items: dict[int, dict[str, object]]) -> str:
    return app_server.add("mine", ItemsApp(items=items))


class WithoutLauncher(Doubles):
    """The engine's double alone: the launcher is the plugin's own."""

    def pytest_webbench_launcher(self) -> None:  # type: ignore[override]
        return None


@pytest.fixture
def attach(pytester: pytest.Pytester, app_server: AppServer) -> RunWebbench:
    def attach(*arguments: str, **doubles: Any) -> Outcome:
        plugin = WithoutLauncher(app_server, **doubles)
        result = pytester.runpytest_inprocess("--webbench", *SMALL, *arguments, plugins=[plugin])
        return Outcome(result=result, folder=pytester.path, doubles=plugin)

    return attach


def test_only_reading_scenarios_are_measured(
    attach: RunWebbench, url: str, items: dict[int, dict[str, object]]
) -> None:
    before = dict(items)
    outcome = attach(f"--webbench-url=mine={url}", "-rs", JSON)
    outcome.counts(passed=4, skipped=3)
    assert "update_item changes the records of a server: pass --webbench-allow-writes" in outcome.text
    assert items == before
    assert set(outcome.rows()) == {"hello[mine]", "echo[mine]", "list_items[mine]", "get_item[mine]"}
    assert "webbench: servers that run already, profile quick (2 rounds, 8 trials)" in outcome.text
    assert "  note mine: the database could not be checked" in outcome.result.outlines


def test_the_records_that_the_server_lists_are_asked_for(
    attach: RunWebbench, url: str, items: dict[int, dict[str, object]]
) -> None:
    outcome = attach(f"--webbench-url=mine={url}", "--webbench-scenario=get_item", JSON)
    paths = {each.request.path for load, _ in outcome.doubles.engine.loads for each in load.exchanges}
    assert paths <= {f"/items/{key}" for key in items}
    ours = outcome.rows()["get_item[mine]"]["extra_info"]["webbench"]
    assert ours["config"]["records"] == 40
    assert ours["config"]["url"] == url
    assert (ours["startup_s"], ours["server_cpu_s_per_request"], ours["server_peak_rss_bytes"]) == (None,) * 3
    assert (ours["launcher"], ours["versions"]) == ("attached", {})


def test_writes_are_sent_when_they_are_allowed(attach: RunWebbench, url: str) -> None:
    outcome = attach(
        f"--webbench-url=mine={url}",
        "--webbench-allow-writes",
        "--webbench-scenario=create_item,delete_item",
        "--webbench-requests=5",
        "--webbench-requests=delete_item=5",
    )
    outcome.counts(passed=2)


def test_a_server_without_a_name_is_called_by_its_address(attach: RunWebbench, url: str) -> None:
    outcome = attach(f"--webbench-url={url}/", "--webbench-scenario=hello", "-v")
    outcome.counts(passed=1)
    host = url.removeprefix("http://").partition("/")[0]
    outcome.result.stdout.re_match_lines([rf"{host} +1 "])


def test_several_servers_are_compared(attach: RunWebbench, url: str, app_server: AppServer) -> None:
    other = app_server.add("other", ItemsApp())
    outcome = attach(f"--webbench-url=one={url}", f"--webbench-url=two={other}", "--webbench-scenario=hello")
    outcome.counts(passed=2)


def test_a_server_that_is_not_there(attach: RunWebbench) -> None:
    outcome = attach(
        "--webbench-url=mine=http://127.0.0.1:1", "--webbench-scenario=hello", "--webbench-start-timeout=0.1"
    )
    outcome.counts(failed=1)
    assert "mine did not become ready within " in outcome.text
    assert "GET /hello failed: [Errno 111] Connection refused" in outcome.text


def test_a_server_that_lists_no_json(attach: RunWebbench, app_server: AppServer) -> None:
    url = app_server.add("mine", ItemsApp(items={1: {"id": 1}}))
    outcome = attach(f"--webbench-url=mine={url}", "--webbench-scenario=get_item", "--webbench-requests=3")
    outcome.counts(passed=1)


def test_each_round_is_made_on_several_sets_of_connections(attach: RunWebbench, url: str) -> None:
    outcome = attach(
        f"--webbench-url=mine={url}", "--webbench-scenario=hello", "--webbench-duration=hello=0.5", JSON
    )
    outcome.counts(passed=1)
    ours = outcome.rows()["hello[mine]"]["extra_info"]["webbench"]
    assert (len(ours["draws_per_s"]), ours["config"]["turns"]) == (2 * 5, 5)
    # Each set is warmed up for a part of what the round would be.
    timed = [load for load, _ in outcome.doubles.engine.loads if load.warm_up]
    assert [load.amount.duration_s for load in timed] == [0.1] * (2 * 5)


def test_two_speeds_of_a_running_server_are_said_and_their_mean_is_the_figure(
    attach: RunWebbench, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other set of connections is at a worker that takes four times as long."""
    latency_s = 0.001
    run = FakeEngine.run

    def run_at_the_other_speed(engine: FakeEngine, *arguments: Any) -> LoadResult:
        nonlocal latency_s
        if arguments[0].warm_up:  # no warm-up itself
            latency_s = 0.005 - latency_s
        return run(engine, *arguments)

    monkeypatch.setattr(FakeEngine, "run", run_at_the_other_speed)
    outcome = attach(
        f"--webbench-url=mine={url}",
        "--webbench-scenario=hello",
        "--webbench-duration=hello=0.5",
        JSON,
        latency_s=lambda *_: latency_s,
    )
    outcome.counts(passed=1)
    assert "sets of connections differ by up to" in outcome.text
    ours = outcome.rows()["hello[mine]"]["extra_info"]["webbench"]
    rates = ours["draws_per_s"]
    assert max(rates) > 2 * min(rates)
    for each in ours["rounds"]:
        assert min(rates) < 1 / each["time_per_request_s"] < max(rates)


def test_a_password_in_an_address_is_left_out_everywhere(attach: RunWebbench, url: str) -> None:
    secret = url.replace("://", "://ann:s3cret@")
    outcome = attach(
        f"--webbench-url={secret}", "--webbench-scenario=hello", "-v", "--junitxml=junit.xml", JSON
    )
    outcome.counts(passed=1)
    assert "s3cret" not in outcome.text
    files = [file for file in outcome.folder.rglob("*") if file.is_file()]
    assert {"junit.xml", "run.json", "figures.json"} <= {file.name for file in files}
    assert [file.name for file in files if b"s3cret" in file.read_bytes()] == []


@pytest.mark.parametrize("rest", ["/?key=s3cret", "/#s3cret"])
def test_a_query_in_an_address_is_refused_without_being_shown(attach: RunWebbench, rest: str) -> None:
    outcome = attach(f"--webbench-url=http://127.0.0.1:1{rest}")
    assert outcome.result.ret == pytest.ExitCode.USAGE_ERROR
    said = outcome.text + "\n".join(outcome.result.errlines)
    assert "holds more than host, port and path" in said
    assert "s3cret" not in said


def test_an_ipv6_address_is_chosen_by_its_name(attach: RunWebbench) -> None:
    outcome = attach(
        "--webbench-url=http://[::1]:8000", "--webbench-stack=ip6-0.0.0.0.0.0.0.1:8000", "--co", "-q"
    )
    assert "hello[ip6-0.0.0.0.0.0.0.1:8000]" in outcome.text
