"""What grew: looked for after a verdict that failed, and never at its cost."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence

import pytest

from pytest_webbench.host.meters import callgrind
from pytest_webbench.model.errors import StackError
from pytest_webbench.model.growth import InstructionsByFunction, Place, WhatGrew
from pytest_webbench.model.measurement import Combine, Readings
from pytest_webbench.model.stack import Meter, RunningStack
from pytest_webbench.runs import growth
from pytest_webbench.runs.store import read_run
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.test_failures import all_taken_down

BASE, HEAD = "flask-sqlite3", "flask-sqlalchemy"
COUNTED = (
    "--webbench-measure=instructions",
    f"--webbench-stack={HEAD}",
    f"--webbench-against-stack={BASE}",
    "--webbench-scenario=hello,get_item",
    "--webbench-markdown=counts.md",
)
CODE: Mapping[str, InstructionsByFunction] = {
    BASE: {"libpython3.13.so": {"eval": 70_000_000}, "libsqlite3.so": {"sqlite3VdbeExec": 10_000_000}},
    HEAD: {"libpython3.13.so": {"eval": 75_000_000}, "libsqlite3.so": {"sqlite3VdbeExec": 30_000_000}},
}
QUERY = Place(file="/srv/app/items/views.py", function="get_item", line=31, called="Connection.execute")
NO_CALLS = "calls of Python functions were not counted: "


class FakeCounts(Meter):
    """Every load of a stack executes the same."""

    readings: Mapping[str, Combine] = {"instructions": Combine.SUM, "syscalls": Combine.SUM}

    def attach(self, server: RunningStack) -> None:
        self._code = CODE[server.stack.name]

    def begin(self) -> None:
        pass

    def end(self) -> Readings:
        total = sum(sum(functions.values()) for functions in self._code.values())
        return Readings(instructions=total, syscalls=5_000)

    def instructions(self) -> InstructionsByFunction:
        return self._code


class FakeCalls(Meter):
    """The head makes a query more per request; ``trouble`` is called when it begins to count."""

    readings: Mapping[str, Combine] = {}
    trouble: Callable[[], None] = staticmethod(lambda: None)
    folders: Sequence[str] = ("/srv/app",)

    def __init__(self, wake: Callable[[RunningStack], None]) -> None:
        self._wake = wake

    def attach(self, server: RunningStack) -> None:
        queries = {BASE: 1, HEAD: 21}[server.stack.name]
        self.calls = {QUERY: queries * growth.REQUESTS}

    def begin(self) -> None:
        type(self).trouble()

    def end(self) -> Readings:
        return Readings()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> type[FakeCalls]:
    made = type("Calls", (FakeCalls,), {})
    monkeypatch.setattr(callgrind, "CallgrindMeter", FakeCounts)
    monkeypatch.setattr(growth, "CallMeter", made)
    return made


def saved(outcome: Outcome) -> tuple[WhatGrew, ...]:
    (folder,) = outcome.folder.glob(".webbench/2*")
    return read_run(folder).grown


def failed_as_it_was(outcome: Outcome) -> None:
    """The verdict stands, even if looking for what grew failed."""
    outcome.counts(failed=2)
    assert f"FAILED webbench/items::get_item[{HEAD}]" in outcome.text
    assert f"What grew in get_item[{HEAD}]" in outcome.text
    assert "libsqlite3.so" in outcome.text
    assert all_taken_down(outcome)


@pytest.mark.usefixtures("calls")
def test_a_verdict_that_failed_names_what_grew_everywhere(run: RunWebbench) -> None:
    outcome = run(*COUNTED, "-x")
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    lines = [
        "webbench: looking for what grew in 2 benchmarks: 2 more launches, not measured",
        f"webbench: 1 of 2: *[[]{HEAD}[]]",
        "*= webbench =*",
        f"What grew in get_item[[]{HEAD}[]]",
        "instructions per request: * at the base, * now, +31.2 %",
        "SQLite (libsqlite3.so) * +*",
        "the interpreter (libpython3.13.so) * +*",
        "sqlite3VdbeExec * SQLite (libsqlite3.so) * +*",
        "+20 calls of Connection.execute from items/views.py:31 * get_item * 1 * 21*",
    ]
    outcome.result.stdout.fnmatch_lines(lines)
    markdown = (outcome.folder / "counts.md").read_text().replace("\\", "")
    assert "| +20 calls of Connection.execute from items/views.py:31 | get_item | 1 | 21 |" in markdown
    assert "| sqlite3VdbeExec | SQLite (libsqlite3.so) |" in markdown
    first = saved(outcome)[0]
    assert [each.object for each in first.objects] == ["libsqlite3.so", "libpython3.13.so"]
    assert [each.change for each in first.calls] == [20.0]
    assert first.note == ""
    launches = [event for event in outcome.doubles.launcher.events if event.startswith("start")]
    assert launches[-2:] == [f"start {BASE}", f"start {HEAD}"]
    assert all_taken_down(outcome)


@pytest.mark.usefixtures("calls")
def test_nothing_is_launched_where_nothing_failed(run: RunWebbench) -> None:
    outcome = run(*COUNTED, "--webbench-fail=instructions: 50%")
    outcome.counts(passed=2)
    assert "what grew" not in outcome.text.lower()
    assert saved(outcome) == ()


def raise_(error: Exception) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


@pytest.mark.parametrize("error", [StackError("its Python says nothing"), ZeroDivisionError("our mistake")])
def test_what_goes_wrong_costs_no_verdict(run: RunWebbench, calls: type[FakeCalls], error: Exception) -> None:
    calls.trouble = staticmethod(raise_(error))
    outcome = run(*COUNTED)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    failed_as_it_was(outcome)
    assert [each.note for each in saved(outcome)] == [f"{NO_CALLS}{error}"] * 2
    assert f"note {NO_CALLS}{error}" in outcome.text
    assert f"{NO_CALLS}{error}" in (outcome.folder / "counts.md").read_text()


def test_ctrl_c_ends_the_search_and_the_verdicts_are_printed(
    run: RunWebbench, calls: type[FakeCalls]
) -> None:
    calls.trouble = staticmethod(lambda: os.kill(os.getpid(), signal.SIGINT))
    outcome = run(*COUNTED)
    assert outcome.exit_code == pytest.ExitCode.INTERRUPTED
    failed_as_it_was(outcome)
    assert {each.note for each in saved(outcome)} == {f"{NO_CALLS}ended by SIGINT"}
