"""Several stacks at once, each in a process of its own; with the public fakes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.model.errors import OwnCopyError, StackError, StartError
from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import COUNTS, Cell
from pytest_webbench.model.run import Event, StackFailed, TrialFinished
from pytest_webbench.model.stack import Stack
from pytest_webbench.runs.planning import make_plan
from pytest_webbench.runs.runner import Runner
from pytest_webbench.runs.side_by_side import run_side_by_side
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.fake import FakeLauncher, FakeStack
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

NAMES = tuple(stack.name for stack in STACKS)
GET_ITEM = replace(next(each for each in SCENARIOS if each.name == "get_item"), amount=Amount(requests=20))
LIMIT_S = 30


class Launches(FakeLauncher):
    """Does something when a stack is up, and writes down in ``folder`` which are down again."""

    def __init__(self, folder: Path, when_up: Callable[[str], None]) -> None:
        super().__init__(make=lambda stack: FakeStack(stack=stack))
        self._folder, self._when_up = folder, when_up

    @contextmanager
    def start(self, stack: Stack) -> Iterator[FakeStack]:
        try:
            with super().start(stack) as running:
                self._when_up(stack.name)
                yield running
        finally:
            (self._folder / f"{stack.name} is down").touch()


def make_runner(launcher: FakeLauncher, *, bases: dict[str, str] | None = None) -> Runner:
    return Runner(
        bench=TrialRunner(engine=FakeEngine(), profile=COUNTS, seed=1, records=50),
        launcher=launcher,
        stacks={stack.name: stack for stack in STACKS},
        scenarios={"get_item": GET_ITEM},
        suites={"items": SUITE},
        checks={"items": ()},
        bases=bases or {},
    )


def carry_out(runner: Runner, names: Sequence[str], *, lanes: int = 2) -> list[Event]:
    cells = [Cell(scenario="get_item", stack=name) for name in names]
    with closing(run_side_by_side(runner, make_plan(cells, profile=COUNTS, seed=1), lanes=lanes)) as events:
        return list(events)


def measured(events: Sequence[Event]) -> dict[str, list[int]]:
    """The rounds of each stack, in the order in which they came."""
    found: dict[str, list[int]] = {}
    for event in events:
        if isinstance(event, TrialFinished):
            trial = event.measurement.trial
            found.setdefault(trial.cell.stack, []).append(trial.round)
    return found


def failures(events: Sequence[Event]) -> dict[str, StackError]:
    return {event.stack: event.error for event in events if isinstance(event, StackFailed)}


def test_two_stacks_run_at_once_and_all_of_them_in_the_end(tmp_path: Path) -> None:
    both_are_up = multiprocessing.Barrier(2)

    def meet(name: str) -> None:
        if name in NAMES[:2]:
            both_are_up.wait(LIMIT_S)

    events = carry_out(make_runner(Launches(tmp_path, meet)), NAMES)
    assert measured(events) == {name: [0, 1] for name in NAMES}
    assert failures(events) == {}


def test_one_lane_takes_one_stack_after_the_other(tmp_path: Path) -> None:
    alone = multiprocessing.Lock()

    class Alone(Launches):
        @contextmanager
        def start(self, stack: Stack) -> Iterator[FakeStack]:
            assert alone.acquire(block=False)
            with super().start(stack) as running:
                yield running
            alone.release()

    events = carry_out(make_runner(Alone(tmp_path, lambda name: None)), NAMES[:3], lanes=1)
    assert measured(events) == {name: [0, 1] for name in NAMES[:3]}


def test_closing_the_events_takes_all_servers_down(tmp_path: Path) -> None:
    both_are_up = multiprocessing.Barrier(2)
    for_ever = multiprocessing.Event()
    runner = make_runner(Launches(tmp_path, lambda name: None))

    def hang(name: str) -> None:
        both_are_up.wait(LIMIT_S)
        for_ever.wait(LIMIT_S)

    cells = [Cell(scenario="get_item", stack=name) for name in NAMES[:3]]
    runner.launcher = Launches(tmp_path, hang)
    events = run_side_by_side(runner, make_plan(cells, profile=COUNTS, seed=1), lanes=2)
    for _ in range(5):  # three preparations, and the first two events of a block
        next(events)
    events.close()
    assert multiprocessing.active_children() == []
    assert {each.name for each in tmp_path.iterdir()} <= {f"{name} is down" for name in NAMES[:2]}


def test_a_lane_that_is_killed_fails_its_stack_alone(tmp_path: Path) -> None:
    def die(name: str) -> None:
        if name == NAMES[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    events = carry_out(make_runner(Launches(tmp_path, die)), NAMES[:2])
    assert set(measured(events)) == {NAMES[1]}
    assert "its process ended with code -9" in failures(events)[NAMES[0]].message


def test_a_mistake_in_a_lane_is_raised_here_with_its_place(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        raise ZeroDivisionError(name)

    with pytest.raises(ZeroDivisionError) as raised:
        carry_out(make_runner(Launches(tmp_path, fail)), NAMES[:2])
    assert "in fail" in "".join(raised.value.__notes__)
    assert multiprocessing.active_children() == []


def test_a_stack_that_failed_is_left_out_of_what_follows(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        if name == NAMES[0]:
            raise StartError("it does not want to", evidence="its log", hint="ask it nicely")

    runner = make_runner(Launches(tmp_path, fail))
    error = failures(carry_out(runner, NAMES[:2]))[NAMES[0]]
    assert (type(error), error.evidence, error.hint) == (StartError, "its log", "ask it nicely")
    again = carry_out(runner, NAMES[:2])
    assert failures(again) == {}
    assert set(measured(again)) == {NAMES[1]}


def test_neither_side_goes_on_if_one_serves_code_that_is_not_its_own(tmp_path: Path) -> None:
    head, base = NAMES[:2]
    for_ever = multiprocessing.Event()

    def wrong_copy(name: str) -> None:
        if name == base:
            raise OwnCopyError("it serves the code of the head")
        for_ever.wait(LIMIT_S)

    events = carry_out(make_runner(Launches(tmp_path, wrong_copy), bases={head: base}), [head, base])
    assert set(failures(events)) == {head, base}
    assert measured(events) == {}


def test_the_run_stops_as_soon_as_enough_has_failed(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        raise StartError("it does not want to")

    runner = make_runner(Launches(tmp_path, fail))
    runner.stop_early = lambda failed: failed >= 1
    assert set(failures(carry_out(runner, NAMES, lanes=1))) == {NAMES[0]}
