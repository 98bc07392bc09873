"""Cells that are compared are measured to and fro, others at once; with the public fakes alone."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import LoadError, SeedError
from pytest_webbench.model.load import (
    Amount,
    ConnectionProbe,
    Load,
    LoadEngine,
    LoadResult,
    LoadSession,
    nothing,
)
from pytest_webbench.model.plan import PROFILES, Block, Cell, Plan, Trial, TrialOrder
from pytest_webbench.model.run import Event, StackFailed, TrialFailed, TrialFinished
from pytest_webbench.model.stack import Stack
from pytest_webbench.runs.runner import Runner
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.fake import FakeLauncher, FakeStack
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

ONE, OTHER = STACKS[0], STACKS[1]
GET_ITEM = replace(next(each for each in SCENARIOS if each.name == "get_item"), amount=Amount(requests=400))


class Turns(FakeEngine):
    """Notes the URL of each turn, and fails one of them."""

    def __init__(self, fail_at: int | None = None, error: Exception | None = None) -> None:
        super().__init__()
        self.turns: list[str] = []
        self._fail_at, self._fault = fail_at, error

    def begin(self, load: Load, base_url: str, look: ConnectionProbe | None = None) -> LoadSession:
        return Noting(self, super().begin(load, base_url, look), base_url)

    def note(self, base_url: str) -> None:
        self.turns.append(base_url)
        if len(self.turns) == self._fail_at and self._fault is not None:
            raise self._fault


class Noting:
    def __init__(self, engine: Turns, opened: LoadSession, base_url: str) -> None:
        self._engine, self._opened, self._base_url = engine, opened, base_url

    def warm_up(self) -> None:
        self._opened.warm_up()

    def take_turn(self, before_start: Callable[[], None] = nothing) -> None:
        self._engine.note(self._base_url)
        self._opened.take_turn(before_start)

    def result(self) -> LoadResult:
        return self._opened.result()


class Whole:
    """An engine that cannot stop in between."""

    name = "whole"

    def __init__(self) -> None:
        self.engine = FakeEngine()

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        return self.engine.run(load, base_url, look, before_start)

    def close(self) -> None:
        pass


class Old(Whole):
    """An engine of others, made when ``begin`` was called ``open``."""

    name = "old"

    def open(self, load: Load, base_url: str, look: ConnectionProbe | None = None) -> LoadSession:
        return self.engine.begin(load, base_url, look)


def carry_out(engine: LoadEngine, *groups: Sequence[Stack]) -> list[Event]:
    """One block with a group of trials for each of ``groups``."""
    trials = [
        tuple(Trial(cell=Cell(scenario="get_item", stack=stack.name), round=0) for stack in group)
        for group in groups
    ]
    stacks = {stack.name: stack for group in groups for stack in group}
    runner = Runner(
        bench=TrialRunner(engine=engine, profile=PROFILES["smoke"], seed=1, records=50),
        launcher=FakeLauncher(make=fake_stack),
        stacks=stacks,
        scenarios={"get_item": GET_ITEM},
        suites={"items": SUITE},
        checks={"items": ()},
    )
    block = Block(number=0, stacks=tuple(stacks), groups=tuple(trials))
    return list(runner.run(Plan(order=TrialOrder.INTERLEAVED, seed=1, blocks=(block,))))


def fake_stack(stack: Stack) -> FakeStack:
    return FakeStack(stack=stack, base_url=f"http://127.0.0.1:1/{stack.name}")


def finished(events: Sequence[Event]) -> dict[str, LoadResult]:
    return {
        event.measurement.trial.cell.stack: event.measurement.load
        for event in events
        if isinstance(event, TrialFinished)
    }


def test_two_that_are_compared_take_turns_to_and_fro() -> None:
    engine = Turns()
    results = finished(carry_out(engine, [ONE, OTHER]))
    a, b = (f"http://127.0.0.1:1/{stack.name}" for stack in (ONE, OTHER))
    assert engine.turns == [a, b, b, a, a, b, b, a]
    assert {name: result.ok for name, result in results.items()} == {ONE.name: 400, OTHER.name: 400}


def test_one_by_itself_is_measured_at_once() -> None:
    engine = Turns()
    assert set(finished(carry_out(engine, [ONE], [OTHER]))) == {ONE.name, OTHER.name}
    assert engine.turns == []


def test_an_engine_that_cannot_stop_measures_one_after_the_other() -> None:
    engine = Whole()
    assert set(finished(carry_out(engine, [ONE, OTHER]))) == {ONE.name, OTHER.name}
    assert [load.amount for load, _ in engine.engine.loads] == [Amount(requests=400)] * 2


def test_a_stack_that_fails_in_its_turn_leaves_the_turns_to_the_other() -> None:
    events = carry_out(Turns(fail_at=3, error=SeedError("gone")), [ONE, OTHER])
    assert [event.stack for event in events if isinstance(event, StackFailed)] == [OTHER.name]
    assert set(finished(events)) == {ONE.name}


def test_a_load_that_fails_in_its_turn_is_told_and_the_other_goes_on() -> None:
    events = carry_out(Turns(fail_at=4, error=LoadError("no more")), [ONE, OTHER])
    assert [event.trial.cell.stack for event in events if isinstance(event, TrialFailed)] == [ONE.name]
    assert set(finished(events)) == {OTHER.name}


def test_an_engine_with_the_old_name_of_begin_takes_turns_and_is_told() -> None:
    engine = Old()
    with pytest.warns(DeprecationWarning, match=r"The load engine 'old' has the method open\(\)"):
        results = finished(carry_out(engine, [ONE, OTHER]))
    assert set(results) == {ONE.name, OTHER.name}
    assert [load.turns for load, _ in engine.engine.loads] == [4, 4]
