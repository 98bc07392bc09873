"""Tables for people: what stands in them, and what cannot."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import LaunchRecord, ServerUsage, StateCheck
from pytest_webbench.model.plan import PROFILES, Cell, Plan, TrialOrder
from pytest_webbench.model.results import CellSummary, Validity
from pytest_webbench.model.run import RunMetadata, SavedRun, ScenarioMetadata
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Unit
from pytest_webbench.report.terminal import describe_known, describe_run, render_run
from pytest_webbench.suites.items import SCENARIOS, STACKS
from tests.builders import make_result, make_round, make_summary

BY_NAME = {each.name: each for each in SCENARIOS}
HOSTILE = "a\x1b[31mb\x1b]0;title\x07c\rd\x9b1me\u202ef[bold]g[/bold]"
INERT = "abc\\rd\\x9b1me\\u202ef[bold]g[/bold]"


ABOUT = RunMetadata(scenarios={each.name: ScenarioMetadata(title=each.title) for each in SCENARIOS})


def rendered(record: SavedRun, *, colour: bool = False, width: int = 120) -> str:
    text = render_run(replace(record, metadata=ABOUT), width=width, colour=colour)
    return "\n".join(line.rstrip() for line in text.splitlines())


def table(*summaries: CellSummary, colour: bool = False, width: int = 120) -> str:
    """The results alone."""
    record = SavedRun(source="a run", summaries=summaries)
    return rendered(record, colour=colour, width=width).partition("The stacks")[0]


def test_a_table_with_a_clear_winner_a_tie_and_an_invalid_cell() -> None:
    fast = [0.0100, 0.0101, 0.0099]
    invalid = make_summary(
        [0.001, 0.001, 0.001],
        stack="cheat",
        validity=Validity(reasons=("3 of 300 requests failed (wrong_body 3)",)),
        errors={"wrong_body": 3},
        examples=("GET /items/1: the body is 'x'",),
    )
    tied = make_summary([0.0101, 0.0099, 0.0101], stack="tied", validity=Validity(warnings=("it wavers",)))
    slow = make_summary([2 * value for value in fast], stack="slow")
    assert table(slow, invalid, tied, make_summary(fast, stack="fast")) == (
        "get_item: one record\n"
        "4 users, 100 requests, closed loop, process launcher, engine fake\n"
        "stack   rank      ms   95 % interval            x slower   p95 ms   errors   CPU ms/req\n"
        "───────────────────────────────────────────────────────────────────────────────────────\n"
        "fast      1=   10.00    9.75 - 10.25                   1    10.10        0        0.500\n"
        "tied      1=   10.03    9.75 - 10.32   1.00 [0.95, 1.06]    10.10        0        0.500\n"
        "slow       3   20.00   19.51 - 20.50   2.00 [2.00, 2.00]    20.20        0        0.500\n"
        "cheat      -    1.00     1.00 - 1.00             invalid     1.00        3        0.500\n"
        "  note tied: it wavers\n"
        "  INVALID cheat: 3 of 300 requests failed (wrong_body 3)\n"
        "          GET /items/1: the body is 'x'\n\n"
    )


def test_rates_are_shown_in_requests_per_second() -> None:
    text = table(make_summary([0.0100, 0.0101, 0.0099], unit=Unit.RATE))
    assert re.search(r"stack +rank +req/s +95 % interval", text)
    assert re.search(r"flask-sqlite3 +1 +400 +390 - 410 +1 ", text)


def test_large_rates_have_thousands_and_small_ones_decimals() -> None:
    assert " 40,000 " in table(make_summary([0.0001, 0.0001], unit=Unit.RATE))
    assert " 4.00 " in table(make_summary([1.0, 1.0], unit=Unit.RATE))


def test_one_round_has_no_interval_and_no_ratio_of_one() -> None:
    text = table(make_summary([0.01], stack="a"), make_summary([0.02], stack="b"))
    assert re.search(r"a +1= +10\.00 +one round +1\.00 ", text)
    assert re.search(r"b +1= +20\.00 +one round +2\.00 ", text)


def test_a_cell_without_a_figure_shows_dashes() -> None:
    nothing = make_result(requests=0, elapsed_s=1.0, sent=4, in_flight=4, in_flight_s=4.0)
    round_ = make_round(nothing, server=ServerUsage())
    text = table(summarise([round_], unit=Unit.RATE, planned=1))
    assert re.search(r"^flask-sqlite3 +- +- +- +invalid +- +0 +-$", text, flags=re.M)
    assert "  INVALID flask-sqlite3: no request was completed" in text


def test_loads_are_named_below_their_scenario() -> None:
    attached = make_summary([0.01], stack="b", launch=LaunchRecord(launcher="attached", startup_s=None))
    text = table(make_summary([0.02], stack="a"), attached, make_summary([0.01], stack="c", users=99))
    assert text.count("get_item: one record\n") == 3
    assert "4 users, 100 requests, closed loop, attached launcher" in text
    assert "99 users, 100 requests, closed loop, process launcher, engine fake" in text


def test_what_tests_measured_themselves_stands_apart() -> None:
    live = make_summary([0.01], users=1, amount=Amount(duration_s=2.5))
    text = rendered(SavedRun(source="a run", summaries=(make_summary([0.01]),), live=(live,)))
    assert "1 user, 2.5 s, closed loop, process launcher, engine fake, rounds from one launch" in text
    assert text.count("get_item: one record\n") == 2


def test_a_cell_that_failed_the_check_stands_with_its_scenario_or_alone() -> None:
    failures = {
        Cell(scenario=scenario, stack="bad"): f"{scenario} is wrong\n    evidence"
        for scenario in ("get_item", "hello")
    }
    record = SavedRun(source="a run", summaries=(make_summary([0.01]),), check_failures=failures)
    lines = rendered(record).splitlines()
    assert lines[5] == "  FAILED bad: get_item is wrong"
    assert lines[7:9] == ["hello", "  FAILED bad: hello is wrong"]


def test_a_scenario_that_is_not_known_by_name_has_a_table_too() -> None:
    text = table(make_summary([0.01], cell=Cell(scenario="GET /search?q=[x]", stack="a")))
    assert text.startswith("GET /search?q=[x]\n4 users, ")


def test_no_summaries_make_no_text() -> None:
    assert table() == ""


# --- text from elsewhere ----------------------------------------------------------------------------


def test_names_and_messages_cannot_steer_a_terminal_nor_are_they_markup() -> None:
    summary = make_summary(
        [0.01],
        stack=HOSTILE,
        examples=(HOSTILE,),
        validity=Validity(reasons=(HOSTILE,), warnings=(HOSTILE,)),
        launch=LaunchRecord(
            launcher="process",
            startup_s=0.5,
            versions={"python": HOSTILE, "flask": HOSTILE},
            packages=("flask",),
            config={"journal": HOSTILE},
        ),
    )
    text = rendered(SavedRun(source="a run", summaries=(summary,)), width=300)
    assert set(text) & set("\x1b\x07\r\x9b\u202e") == set()
    for line in (f"  INVALID {INERT}: {INERT}", f"          {INERT}", f"  note {INERT}: {INERT}"):
        assert line in text.splitlines()
    assert f"all stacks: Python {INERT}, workers not known, threads not known, journal {INERT}" in text
    assert f"flask {INERT}" in text


def test_the_list_of_stacks_is_safe_too() -> None:
    stack = Stack(name=HOSTILE, title=HOSTILE, folder=Path(), command=())
    scenario = replace(BY_NAME["hello"], name=HOSTILE, title=HOSTILE)
    text = describe_known([stack], [scenario], PROFILES.values(), width=400)
    assert set(text) & set("\x1b\x07\r\x9b\u202e") == set()
    assert text.count(INERT) == 4


def test_colours_are_those_of_the_report_alone() -> None:
    text = table(make_summary([0.01], stack=HOSTILE), colour=True)
    assert "\x1b" in text
    assert re.sub(r"\x1b\[[\d;]*m", "", text).count("\x1b") == 0
    assert "\x1b[31mb" not in text


@settings(max_examples=30)
@given(st.text())
def test_no_text_breaks_a_table(text: str) -> None:
    shown = table(make_summary([0.01], stack=text, examples=(text,)), width=2000)
    assert all(each.isprintable() or each == "\n" for each in shown)


@pytest.mark.parametrize("width", [100, 120, 300])
def test_a_table_of_built_in_stacks_fits_the_terminal(width: int) -> None:
    summaries = [make_summary([0.01, 0.011], stack=stack.name, unit=Unit.RATE) for stack in STACKS]
    assert max(len(line) for line in table(*summaries, width=width).splitlines()) <= width


# --- the header and the configuration ---------------------------------------------------------------


def test_the_header_line() -> None:
    plan = Plan(order=TrialOrder.INTERLEAVED, seed=3, blocks=())
    settings = Settings(profile=replace(PROFILES["quick"], rounds=1), seed=3)
    assert describe_run(settings, plan, launcher="local processes", expected_s=161.0) == (
        "webbench: local processes, profile quick (1 round, 0 trials), interleaved order, seed 3, "
        "about 2 min 41 s"
    )


def configured(stack: str, **config: str | int) -> CellSummary:
    launch = LaunchRecord(
        launcher="process",
        startup_s=0.4,
        versions={"python": "3.13.0", "flask": "3.1.0", "click": "8.0"},
        packages=("flask", "absent"),
        config={"command": f"serve {stack}", "workers": 2, **config},
    )
    return make_summary([0.01], stack=stack, launch=launch, startup_s=0.4)


def test_what_all_stacks_share_stands_in_one_line_and_the_rest_in_a_table() -> None:
    summaries = [configured("a", worker_class="gthread"), configured("b", worker_class="uvicorn")]
    text = rendered(SavedRun(source="a run", summaries=tuple(summaries)))
    assert text.partition("The stacks\n")[2].splitlines() == [
        "all stacks: Python 3.13.0, workers 2, threads not known",
        "stack   start-up s   peak MiB   versions      own settings",
        "──────────────────────────────────────────────────────────────────",
        "a             0.40         48   flask 3.1.0   worker class gthread",
        "b             0.40         48   flask 3.1.0   worker class uvicorn",
    ]


def test_a_state_that_was_not_looked_at_is_noted() -> None:
    round_ = make_round(state=StateCheck(checked=False))
    assert "  note flask-sqlite3: the database could not be checked" in table(
        summarise([round_], unit=Unit.TIME, planned=1)
    )
