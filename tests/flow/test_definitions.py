"""A mistake in what a user defines: exit code 4, the field or the user's own line, and no traceback."""

import random
import re
from pathlib import Path

import pytest

from pytest_webbench import (
    Amount,
    Answer,
    BodyRule,
    Effect,
    EffectKind,
    Exchange,
    NoDataset,
    Refusal,
    Request,
    Scenario,
    Stack,
    Suite,
)
from pytest_webbench.analysis.responses import exchange_faults, exchanges_of, refusal_faults
from pytest_webbench.model.errors import UsageError
from pytest_webbench.session.definitions.checks import scenario_faults, stack_faults, suite_faults
from pytest_webbench.session.definitions.guarded import guard_scenario, guard_suite
from tests.flow.conftest import RunWebbench
from tests.flow.test_usage_errors import error_of

GET = Exchange(request=Request(path="/"), answer=Answer())


def traffic(records: object, count: object, rng: object) -> list[Exchange]:
    return [GET]


async def later(records: object, count: object, rng: object) -> list[Exchange]:
    return [GET]


RIGHT_SCENARIO = {"name": "home", "users": 4, "amount": Amount(duration_s=1), "traffic": traffic}
RIGHT_STACK = {"name": "shop", "folder": Path(), "command": ("true",)}
ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"users": -3}, "users is -3; wanted: a whole number from 1 to 10,000"),
        ({"users": 10**9}, "users is 1000000000; wanted: a whole number from 1 to 10,000"),
        ({"users": 10**5000}, "users is a huge number; wanted: "),
        ({"users": True}, "users is True; wanted: "),
        ({"users": "4"}, "users is '4'; wanted: "),
        ({"amount": 5}, "amount is 5; wanted: an Amount, such as Amount(duration_s=5)"),
        ({"amount": Amount(requests=0)}, "amount.requests is 0; wanted: "),
        ({"amount": Amount(requests=2.5)}, "amount.requests is 2.5; wanted: "),  # type: ignore[arg-type]
        ({"amount": Amount(duration_s=float("nan"))}, "amount.duration_s is nan; wanted: "),
        ({"amount": Amount(duration_s=float("inf"))}, "amount.duration_s is inf; wanted: "),
        ({"traffic": [GET]}, "traffic is a list; wanted: a function, called as traffic(records, count, rng)"),
        ({"traffic": lambda records: []}, "traffic does not take what it is given; wanted: "),
        ({"traffic": later}, "traffic is asynchronous; wanted: a plain function"),
        ({"unit": "req/s"}, "unit is 'req/s'; wanted: Unit.RATE or Unit.TIME"),
        ({"repeat": "no"}, "repeat is 'no'; wanted: True or False"),
        ({"writes": None}, "writes is None; wanted: True or False"),
        ({"rate": 0}, "rate is 0; wanted: None, or requests a second"),
        ({"arrivals": "constant"}, "arrivals is 'constant'; wanted: "),
        ({"typical_s": -1}, "typical_s is -1; wanted: "),
        ({"title": None}, "title is None; wanted: text"),
        ({"suite": NoDataset}, "suite is the class NoDataset; wanted: text"),
    ],
)
def test_scenarios_that_make_no_sense(changes: dict[str, object], fault: str) -> None:
    (found,) = scenario_faults(Scenario(**{**RIGHT_SCENARIO, **changes}))  # type: ignore[arg-type]
    assert found.startswith(f"scenario 'home': {fault}")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"folder": "app"}, "folder is 'app'; wanted: a pathlib.Path"),
        ({"command": "gunicorn app:app"}, "command is 'gunicorn app:app'; wanted: a tuple of words"),
        ({"command": ("gunicorn", 8000)}, "command is 8000; wanted: words that are text"),
        ({"prepare": ("flask", "init-db")}, "prepare is a tuple; wanted: a tuple of commands"),
        ({"prepare": "flask init-db"}, "prepare is 'flask init-db'; wanted: a tuple of commands"),
        ({"prepare": ((),)}, "prepare is a tuple; wanted: a tuple of commands"),
        ({"env": {"DEBUG": "0"}}, "env is a dict; wanted: pairs of text"),
        ({"env": (("A=B", "0"),)}, "env is a tuple; wanted: pairs of text"),
        ({"lock": Path("x.lock")}, "lock is a PosixPath; wanted: "),
        ({"ready": Request(path="/")}, "ready: it is a Request; wanted: an Exchange"),
        ({"packages": "flask"}, "packages is 'flask'; wanted: a tuple of names"),
        ({"settings": {2: "workers"}}, "settings is a dict; wanted: a mapping from text"),
        ({"parts": ()}, "parts is a tuple; wanted: "),
    ],
)
def test_stacks_that_make_no_sense(changes: dict[str, object], fault: str) -> None:
    (found,) = stack_faults(Stack(**{**RIGHT_STACK, **changes}))  # type: ignore[arg-type]
    assert found.startswith(f"stack 'shop': {fault}")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"dataset": NoDataset}, "dataset is the class NoDataset; wanted: an instance, such as NoDataset()"),
        ({"dataset": None}, "dataset is None; wanted: an object that also has records, prepare, load"),
        ({"examples": [GET]}, "examples is a list; wanted: a function, called as examples(records)"),
        ({"contract": "openapi.yaml"}, "contract is 'openapi.yaml'; wanted: a pathlib.Path, or None"),
        ({"warmup": ("home",)}, "an entry of warmup is 'home'; wanted: WarmupStep"),
        ({"published": {}}, "published is a dict; wanted: a tuple of Published"),
    ],
)
def test_suites_that_make_no_sense(changes: dict[str, object], fault: str) -> None:
    suite = Suite(**{"name": "own", "dataset": NoDataset(), **changes})  # type: ignore[arg-type]
    (found,) = suite_faults(suite)
    assert found.startswith(f"suite 'own': {fault}")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"request": "/"}, "request is '/'; wanted: a Request"),
        ({"request": Request(method=None)}, "request.method is None; wanted: text"),  # type: ignore[arg-type]
        ({"request": Request(body={"a": 1})}, "request.body is a dict; wanted: text, or None"),  # type: ignore[arg-type]
        ({"request": Request(headers={"A": "b"})}, "request.headers is a dict; wanted: "),  # type: ignore[arg-type]
        ({"answer": 200}, "answer is 200; wanted: an Answer"),
        ({"answer": Answer(status="200")}, "answer.status is '200'; wanted: "),  # type: ignore[arg-type]
        ({"answer": Answer(rule="json")}, "answer.rule is 'json'; wanted: "),  # type: ignore[arg-type]
        ({"answer": Answer(rule=BodyRule.JSON, json={1, 2})}, "answer.json is a set; wanted: "),
        ({"answer": Answer(rule=BodyRule.JSON, json=ENDLESS)}, "answer.json is a list; wanted: "),
        ({"answer": Answer(generated="id")}, "answer.generated is 'id'; wanted: "),  # type: ignore[arg-type]
        ({"effect": "insert"}, "effect is 'insert'; wanted: an Effect, or None"),
        ({"effect": Effect(kind=EffectKind.REMOVE)}, "effect.key is None; wanted: "),
    ],
)
def test_exchanges_that_make_no_sense(changes: dict[str, object], fault: str) -> None:
    exchange = Exchange(**{"request": GET.request, "answer": GET.answer, **changes})  # type: ignore[arg-type]
    (found,) = exchange_faults(exchange)
    assert found.startswith(fault)


def test_a_refusal_without_a_status() -> None:
    assert list(refusal_faults(Refusal(request=GET.request, statuses=()))) == [
        "statuses is a tuple; wanted: a tuple of numbers from 100 to 599"
    ]


def test_what_makes_sense_has_no_fault() -> None:
    assert not list(scenario_faults(Scenario(**RIGHT_SCENARIO)))  # type: ignore[arg-type]
    assert not list(stack_faults(Stack(**RIGHT_STACK)))  # type: ignore[arg-type]
    assert not list(suite_faults(Suite(name="own", dataset=NoDataset())))
    assert not list(exchange_faults(GET))
    assert not list(refusal_faults(Refusal(request=GET.request, statuses=(404,))))


NAMES = [
    "../../x",
    "/abs/olute",
    "a/b",
    "x" * 65,
    "",
    "a\0b",
    "a\nb",
    "\x1b[31m",
    "=cmd",
    "a::b",
    "é",
    "a b",
    ".",
    7,
]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_would_leave_their_place(name: str) -> None:
    for faults in (
        scenario_faults(Scenario(**{**RIGHT_SCENARIO, "name": name})),  # type: ignore[arg-type]
        stack_faults(Stack(**{**RIGHT_STACK, "name": name})),  # type: ignore[arg-type]
        suite_faults(Suite(name=name, dataset=NoDataset())),
    ):
        (found,) = faults
        assert "name" in found
        assert "cannot be used; wanted: 1 to 64 letters" in found
        assert found.isprintable()


@pytest.mark.parametrize("name", ["../../x", "a/b", "x" * 65, "a b", "a::b", "é"])
def test_names_of_running_servers(run: RunWebbench, name: str) -> None:
    assert "cannot be used; wanted: 1 to 64 letters" in error_of(
        run, f"--webbench-url={name}=http://127.0.0.1:1"
    )


@pytest.mark.parametrize("name", ["setup_module", "teardown", "pytest_plugins", "pytestmark"])
def test_names_of_scenarios_that_mean_something_to_pytest(name: str) -> None:
    (found,) = scenario_faults(Scenario(**{**RIGHT_SCENARIO, "name": name}))  # type: ignore[arg-type]
    assert found == f"the scenario name '{name}' means something to pytest; wanted: another one"


# --- what the functions give ----------------------------------------------------------------------------


def made_by(function: object, **changes: object) -> tuple[Exchange, ...]:
    scenario = Scenario(**{**RIGHT_SCENARIO, "traffic": function, **changes})  # type: ignore[arg-type]
    return exchanges_of(guard_scenario(scenario), (), None, random.Random(1))


def endless(records: object, count: object, rng: object) -> object:
    while True:
        yield GET


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda *_: None, "returned None"),
        (lambda *_: "/", "returned '/'"),
        (lambda *_: GET, "returned an Exchange"),
        (lambda *_: {"a": GET}, "returned a dict"),
        (lambda *_: ["/a"], "made exchange 0, but it is '/a'; wanted: an Exchange"),
        (lambda *_: [GET, None], "made exchange 1, but it is None; wanted: an Exchange"),
        (endless, "has no end: more than 1,000,000 exchanges came"),
        (
            lambda *_: [
                Exchange(request=GET.request, answer=GET.answer, effect=Effect(kind=EffectKind.INSERT))
            ],
            "made exchange 0 with an effect, but the scenario is not one that writes",
        ),
    ],
)
def test_traffic_that_makes_something_else(function: object, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        made_by(function)
    assert caught.value.message == f"the traffic of scenario home {error}"


def test_traffic_may_be_a_generator_that_ends() -> None:
    assert made_by(lambda *_: (GET for _ in range(3))) == (GET, GET, GET)


def test_an_exception_is_told_with_the_users_line() -> None:
    def failing(records: object, count: object, rng: object) -> object:
        yield GET
        raise LookupError("no such thing")

    with pytest.raises(UsageError) as caught:
        made_by(failing)
    assert caught.value.message == "the traffic of scenario home failed: LookupError: no such thing"
    assert caught.value.evidence.startswith(f"{__file__}, line ")
    assert caught.value.evidence.endswith('in failing: raise LookupError("no such thing")')


def test_traffic_that_never_returns_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_webbench.session.definitions.guarded.MOST_CPU_S", 0.2)

    def spinning(records: object, count: object, rng: object) -> object:
        while True:
            pass

    with pytest.raises(UsageError, match="seems to have no end") as caught:
        made_by(spinning)
    assert ", in spinning: " in caught.value.evidence


@pytest.mark.parametrize("made", [None, "abc", [{"id": 1}, 7]])
def test_records_that_are_none(made: object) -> None:
    class Strange(NoDataset):
        def records(self, count: int) -> tuple[dict[str, object], ...]:
            return made  # type: ignore[return-value]

    suite = guard_suite(Suite(name="own", dataset=Strange()))
    with pytest.raises(UsageError, match=r"records\(3\) of the dataset of suite own"):
        suite.dataset.records(3)


def test_records_are_made_once() -> None:
    """What is sent is about the records in the database, even if making them again would make others."""

    class Random(NoDataset):
        def records(self, count: int) -> tuple[dict[str, object], ...]:
            return tuple({"id": random.random()} for _ in range(count))

    dataset = guard_suite(Suite(name="own", dataset=Random())).dataset
    assert dataset.records(3) == dataset.records(3)
    assert len(dataset.records(2)) == 2


# --- in a run -------------------------------------------------------------------------------------------

CONFTEST = """
    from pathlib import Path
    from pytest_webbench import *

    def home(records, count, rng):
        {traffic}

    def examples(records):
        {examples}

    def pytest_webbench_suites(config):
        return [Suite(name="own", dataset=NoDataset(), examples=examples)]

    def pytest_webbench_scenarios(config):
        return [Scenario(name="home", suite="own", users={users}, amount=Amount(duration_s=1), traffic=home)]

    def pytest_webbench_stacks(config):
        return {stacks}
"""
RIGHT = {
    "traffic": "return [Exchange(request=Request(path='/'), answer=Answer())]",
    "examples": "return []",
    "users": "2",
    "stacks": "[Stack(name='shop', suite='own', folder=Path(), command=('true',))]",
}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"traffic": "return records[0]"},
            r"the traffic of scenario home failed: IndexError: tuple index out of range \| .*conftest\.py, "
            r"line 5, in home: return records\[0\] \| Next step: correct that line",
        ),
        (
            {"examples": "return records[0]"},
            r"the examples of suite own failed: IndexError: .* \| .*conftest\.py, line 8, in examples: .*",
        ),
        (
            {"stacks": "records"},
            r"the hook pytest_webbench_stacks failed: NameError: .* \| .*, line 17, in .*",
        ),
        ({"stacks": "7"}, r"pytest_webbench_stacks returned 7; wanted: a list \| Next step: .*"),
        ({"stacks": "['shop']"}, r"pytest_webbench_stacks gave 'shop'; wanted: a Stack \| Next step: .*"),
        (
            {"stacks": "[Stack(name='shop', suite='own', folder='x', command='true')]", "users": "-1"},
            r"3 mistakes in suites, stacks and scenarios \| scenario 'home': users is -1; .* \| "
            r"stack 'shop': folder is 'x'; .* \| stack 'shop': command is 'true'; .* \| Next step: .*",
        ),
        (
            {"stacks": "[Stack(name=n, suite='own', folder=Path(), command=('true',)) for n in ('a', 'A')]"},
            r"two stacks are called 'A' \| Next step: .*",
        ),
        (
            {"traffic": "return [Exchange(request=Request(path='no slash'), answer=Answer())]"},
            r"scenario home: The request 'GET' 'no slash' cannot be sent as it stands\. \| Next step: .*",
        ),
    ],
)
def test_a_run_does_not_begin(
    run: RunWebbench, pytester: pytest.Pytester, changes: dict[str, str], error: str
) -> None:
    pytester.makeconftest(CONFTEST.format(**{**RIGHT, **changes}))
    assert re.fullmatch(error, found := error_of(run, "--webbench-stack=shop")), found


def test_what_is_launched_needs_a_command(pytester: pytest.Pytester) -> None:
    """Of the launchers that come with the plugin; another one may need none."""
    stacks = "[Stack(name='shop', suite='own', folder=Path(), command=())]"
    pytester.makeconftest(CONFTEST.format(**{**RIGHT, "stacks": stacks}))
    result = pytester.runpytest_inprocess(
        "--webbench", "--webbench-launcher=process", "--webbench-stack=shop"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*stack 'shop': command is empty; wanted: the words of a command, *"])


def test_a_fault_that_only_a_later_round_brings_out_costs_that_trial(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    changes = {
        "traffic": "return records['not the first'] if rng.random() == LATER else [GET]",
    }
    source = CONFTEST.format(**{**RIGHT, **changes})
    pytester.makeconftest(
        source.replace("from pytest_webbench import *", "from pytest_webbench import *\n    import random")
        + """
    GET = Exchange(request=Request(path="/hello"), answer=Answer())
    LATER = random.Random("11/round/1/home").random()
    """
    )
    outcome = run("--webbench-stack=shop", "--webbench-scenario=home")
    assert outcome.exit_code == pytest.ExitCode.OK
    assert "INTERNALERROR" not in outcome.text + outcome.errors
    (failed,) = [line["error"] for line in outcome.lines_of_trials() if "trial_failed" in line]
    assert "the traffic of scenario home failed: TypeError" in failed
    assert "line 6, in home" in failed
