"""What a person reads while a run goes on and when it has ended."""

import re

import pytest

from pytest_webbench.model.errors import StartError
from pytest_webbench.model.http import Request
from pytest_webbench.model.load import ErrorClass
from tests.flow.conftest import Outcome, RunWebbench
from tests.flow.doubles import stack_of


def factors(request: Request, base_url: str) -> float:
    """Latencies for which three stacks are told apart, and two are not."""
    return 0.02 if stack_of(base_url) == "flask-sqlalchemy" else 0.01


def masked(outcome: Outcome) -> str:
    """The output from the header line on, without what differs from run to run."""
    start, end = (outcome.text.index(f"webbench: {each}") for each in ("fake launcher", "measurements"))
    text = outcome.text[start:end]
    text = re.sub(r"about [\dhmins ]+( left)?$", r"about TIME\1", text, flags=re.M)
    text = re.sub(r"trials, [\dhmins ]+(,|$)", r"trials, TIME\1", text, flags=re.M)
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_a_run_from_the_header_to_the_tables(run: RunWebbench) -> None:
    outcome = run(
        "--webbench-scenario=get_item",
        "--webbench-stack=fastapi-sqlite3,flask-*",
        "--webbench-rounds=5",
        latency_s=factors,
    )
    assert masked(outcome).split("The stacks")[0].rstrip() == EXPECTED.strip()


EXPECTED = """
webbench: fake launcher, profile quick (5 rounds, 15 trials), interleaved order, seed 11, about TIME

webbench/items
webbench: block 1 of 5 done, 3 trials, TIME, about TIME left
webbench: block 2 of 5 done, 6 trials, TIME, about TIME left
webbench: block 3 of 5 done, 9 trials, TIME, about TIME left
webbench: block 4 of 5 done, 12 trials, TIME, about TIME left
webbench: block 5 of 5 done, 15 trials, TIME
...                                                       [100%]
=================================== webbench ===================================
get_item: one record
10 users, 250 requests, closed loop, fake launcher, engine fake
stack              rank      ms   95 % interval            x slower   p95 ms   errors   CPU ms/req
──────────────────────────────────────────────────────────────────────────────────────────────────
fastapi-sqlite3      1=   10.01    9.99 - 10.03                   1    10.35        0        0.040
flask-sqlite3        1=   10.01    9.99 - 10.03   1.00 [1.00, 1.00]    10.35        0        0.040
flask-sqlalchemy      3   20.01   19.98 - 20.04   2.00 [2.00, 2.00]    20.68        0        0.040
"""


def test_a_header_of_one_round_is_grammatical_and_says_what_is_left(run: RunWebbench) -> None:
    outcome = run("--webbench-profile=smoke", "--webbench-rounds=1", "-k", "hello")
    assert (
        "webbench: fake launcher, profile smoke (1 round, 5 trials), interleaved order, seed 11, about 9 s"
        in outcome.result.outlines
    )


def test_invalid_cells_stand_last_with_every_reason_and_examples(run: RunWebbench) -> None:
    outcome = run(
        "--webbench-scenario=get_item",
        "--webbench-stack=flask-*",
        failing={"flask-sqlite3": {ErrorClass.WRONG_STATUS: 125}},
    )
    table = masked(outcome)
    assert re.search(r"^flask-sqlalchemy +1 +1\d\.\d\d .* 1 +10\.\d\d +0 +0\.040$", table, flags=re.M)
    assert re.search(r"^flask-sqlite3 +- .* invalid +10\.\d\d +4 ", table, flags=re.M)
    outcome.result.stdout.fnmatch_lines(
        [
            "  INVALID flask-sqlite3: 2 of 250 requests failed (wrong_status 2)",
            "          GET /items/*: injected by the fake engine",
        ]
    )


def test_doubts_stand_below_the_table(run: RunWebbench) -> None:
    outcome = run("webbench/items::get_item[flask-sqlite3]", "--webbench-requests=get_item=100", spread=0.3)
    outcome.result.stdout.re_match_lines([r"  note flask-sqlite3: unstable: the interval is ±\d+% wide"])


def test_what_the_stacks_share_is_said_once(run: RunWebbench) -> None:
    outcome = run("--webbench-scenario=hello", "--webbench-stack=flask-*")
    start = outcome.text.index("all stacks: Python")
    assert [line.rstrip() for line in outcome.text[start:].splitlines()[1:5]] == [
        "stack              start-up s   peak MiB   versions   own settings",
        "──────────────────────────────────────────────────────────────────",
        "flask-sqlalchemy         0.10          1",
        "flask-sqlite3            0.10          1",
    ]


def test_where_the_files_are_is_said(run: RunWebbench, pytester: pytest.Pytester) -> None:
    outcome = run("webbench/items::hello[flask-sqlite3]")
    (folder,) = (path for path in (pytester.path / ".webbench").iterdir() if path.is_dir())
    assert f"webbench: measurements and logs are in {folder}" in outcome.result.outlines


def test_a_run_of_other_tests_alone_prints_no_table(run: RunWebbench, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    outcome = run("test_mine.py")
    outcome.counts(passed=1)
    assert "= webbench =" not in outcome.text
    assert not (pytester.path / ".webbench").exists()


def test_the_tables_are_coloured_on_a_terminal_alone(run: RunWebbench) -> None:
    arguments = ("webbench/items::hello[flask-sqlite3]",)
    assert "\x1b[" not in run(*arguments).text
    assert "\x1b[1mhello: a short JSON response" in run(*arguments, "--color=yes").text


def test_nothing_of_a_server_steers_the_terminal(run: RunWebbench) -> None:
    hostile = "\x1b]0;title\x07\x1b[31mred\x1b[0m [bold]"
    outcome = run(
        "--webbench-scenario=hello",
        "--webbench-stack=flask-*",
        greetings={"flask-sqlite3": hostile},
        failures={"flask-sqlalchemy": StartError("it did not start", evidence=hostile)},
    )
    outcome.counts(failed=2)
    assert "\x1b" not in outcome.text
    assert "\x07" not in outcome.text
    assert "\\x1b[31mred\\x1b[0m [bold]" in outcome.text


def test_progress_is_shown_although_pytest_captures(run: RunWebbench) -> None:
    for capture in ("fd", "sys", "no"):
        outcome = run("webbench/items::hello[flask-sqlite3]", f"--capture={capture}")
        assert "webbench: block 1 of 2 done, 1 trials, " in outcome.text
