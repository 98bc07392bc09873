"""One trial, step by step, with the public fakes alone."""

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import LoadError, StackDiedError
from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import ServerUsage, StateCheck
from pytest_webbench.model.plan import PROFILES, Cell, Trial
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.fake import FakeStack
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

BY_NAME = {each.name: each for each in SCENARIOS}
GET_ITEM = BY_NAME["get_item"]
TRIAL = Trial(cell=Cell(scenario="get_item", stack=STACKS[0].name), round=3)


def make_bench(engine: FakeEngine, profile: str = "quick") -> TrialRunner:
    return TrialRunner(engine=engine, profile=PROFILES[profile], seed=1, records=50, request_timeout_s=7.0)


def test_a_trial_holds_all_that_was_seen() -> None:
    engine = FakeEngine()
    running = FakeStack(stack=STACKS[0])
    measurement = make_bench(engine).measure(running, SUITE, GET_ITEM, TRIAL)
    (warmup, _), (load, url) = engine.loads
    assert (warmup.amount, load.amount) == (Amount(requests=250), Amount(requests=1000))
    assert warmup.exchanges == load.exchanges
    assert (load.timeout_s, url) == (7.0, running.base_url)
    assert measurement.trial == TRIAL
    assert (measurement.users, measurement.amount, measurement.records) == (10, Amount(requests=1000), 50)
    assert measurement.engine == "fake"
    assert measurement.launch == running.launch
    assert measurement.server == ServerUsage(cpu_s=0.01, peak_rss_bytes=1 << 20)
    assert measurement.state == StateCheck(checked=False)
    assert measurement.load.ok == 1000


def test_a_profile_without_a_warm_up_makes_one_load() -> None:
    engine = FakeEngine()
    make_bench(engine, "smoke").measure(FakeStack(stack=STACKS[0]), SUITE, GET_ITEM, TRIAL)
    assert len(engine.loads) == 1


def test_a_server_that_ended_meanwhile_is_told_with_its_log() -> None:
    running = FakeStack(stack=STACKS[0], dead="it was ended by signal SIGKILL")
    with pytest.raises(StackDiedError) as caught:
        make_bench(FakeEngine()).measure(running, SUITE, GET_ITEM, TRIAL)
    assert str(caught.value) == (
        "fastapi-sqlalchemy exited while it was measured: it was ended by signal SIGKILL\n"
        "    the log of fastapi-sqlalchemy\n"
        "Next step: see the end of its log above"
    )


def test_too_few_records_are_a_failed_load() -> None:
    with pytest.raises(LoadError, match=r"^delete_item cannot make 100 requests out of 50 records: "):
        make_bench(FakeEngine()).measure(FakeStack(stack=STACKS[0]), SUITE, BY_NAME["delete_item"], TRIAL)
