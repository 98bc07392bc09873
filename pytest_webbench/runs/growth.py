"""What grew where a cell executes more than its base: launches both once more, and counts their calls."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from pytest_webbench.analysis.calls import CountedCalls, call_changes
from pytest_webbench.analysis.instructions import (
    changes_of_functions,
    changes_of_objects,
    instructions_per_request,
)
from pytest_webbench.analysis.metrics import Rule, find_metric
from pytest_webbench.host.meters.calls import CallMeter
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.exchange import NoResponseError, exchange
from pytest_webbench.model.errors import ContractError, LoadError, StackError, WebbenchError
from pytest_webbench.model.growth import WhatGrew
from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.plan import Cell, Trial
from pytest_webbench.model.results import Comparison
from pytest_webbench.model.stack import Launcher, RunningStack
from pytest_webbench.model.suite import Registry
from pytest_webbench.runs.planning import warmup_amount
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.stacks.launcher import MeteredLauncher

__all__ = ["CALLS_MISSING", "CountingCalls", "what_executes_more"]

REQUESTS = 20
"""Enough to distinguish calls of every request from occasional ones."""
KEPT = 20
"""The number of changes of each kind to keep; the first few are shown."""
CALLS_MISSING = "calls of Python functions were not counted: {}"


def what_executes_more(
    comparisons: Sequence[Comparison], rounds: Mapping[Cell, Sequence[Measurement]]
) -> list[WhatGrew]:
    """Return the cells that failed by their counts, the largest ratio first, with the code that grew."""
    failed = [each for each in comparisons if each.fails and find_metric(each.metric).rule is Rule.EXACT]
    found: dict[Cell, WhatGrew] = {}
    for each in sorted(failed, key=lambda each: -each.ratio.estimate):
        base_cell = Cell(scenario=each.cell.scenario, stack=each.base_stack)
        base, head = (instructions_per_request(rounds.get(cell, ())) for cell in (base_cell, each.cell))
        found.setdefault(
            each.cell,
            WhatGrew(
                cell=each.cell,
                base_stack=each.base_stack,
                objects=changes_of_objects(base, head)[:KEPT],
                functions=changes_of_functions(base, head)[:KEPT],
            ),
        )
    return list(found.values())


@dataclass(kw_only=True)
class CountingCalls:
    """Launches both sides once more, without Valgrind, and counts the calls of a few requests.

    ``launcher`` has no meters.
    """

    bench: TrialRunner
    launcher: Launcher
    registry: Registry

    def run(self, found: Sequence[WhatGrew]) -> Generator[WhatGrew, None, None]:
        """Yield each of ``found`` with the calls that changed, or with a note on why they are missing.

        Closing the iterator, or an exception such as KeyboardInterrupt in it, stops all running stacks at
        once.
        """
        for pair in dict.fromkeys((each.base_stack, each.cell.stack) for each in found):
            left = [each for each in found if (each.base_stack, each.cell.stack) == pair]
            try:
                with ExitStack() as up:
                    sides = [_Side(counting=self, name=name).launch(up) for name in pair]
                    while left:
                        yield self._explain(left[0], sides)
                        del left[0]
            except StackError as error:
                yield from (_without_calls(each, error) for each in left)

    def _explain(self, grown: WhatGrew, sides: Sequence["_Side"]) -> WhatGrew:
        try:
            base, head = (side.count(grown.cell.scenario) for side in sides)
        except (ContractError, LoadError) as error:
            return _without_calls(grown, error)
        return replace(grown, calls=call_changes(base, head)[:KEPT])


def _without_calls(grown: WhatGrew, error: WebbenchError) -> WhatGrew:
    return replace(grown, note=CALLS_MISSING.format(error))


class _Side:
    """The base or the head, launched with a meter that counts its calls."""

    def __init__(self, *, counting: CountingCalls, name: str) -> None:
        self._counting = counting
        self._stack = counting.registry.stacks[name]
        self._suite = counting.registry.suites[self._stack.suite]
        self._meter = CallMeter(wake=_ask)
        self._wrong: Mapping[str, ContractError] = {}

    def launch(self, up: ExitStack) -> "_Side":
        """Launch it until ``up`` is closed, and get it ready."""
        launcher = MeteredLauncher(self._counting.launcher, [lambda: self._meter])
        self._running = up.enter_context(launcher.start(self._stack))
        checks = self._counting.registry.checks()[self._suite.name]
        self._wrong = self._counting.bench.make_ready(self._running, self._suite, checks)
        return self

    def count(self, scenario: str) -> CountedCalls:
        """Return the calls of a few requests, after the warm-up of the cell.

        Raises :class:`~pytest_webbench.model.errors.StackError`, of which
        :class:`~pytest_webbench.model.errors.ContractError` concerns this scenario alone, and
        :class:`~pytest_webbench.model.errors.LoadError`.
        """
        if scenario in self._wrong:
            raise self._wrong[scenario]
        bench, running, suite = self._counting.bench, self._running, self._suite
        trial = Trial(cell=Cell(scenario=scenario, stack=self._stack.name), round=0)
        bench.seed_records(running, suite)
        _, load = bench.make_load(running, suite, self._counting.registry.scenarios[scenario], trial)
        bench.warm_up(running, replace(load, amount=warmup_amount(load, bench.profile.warm_cell)))
        bench.seed_records(running, suite)
        wanted = min(load.amount.requests or REQUESTS, REQUESTS)
        few = replace(load, amount=Amount(requests=wanted))
        completed = bench.carry_out(running, few, self._meter.begin).ok
        self._meter.end()
        if completed < wanted:
            raise LoadError(f"{completed} of {wanted} requests to {self._stack.name} were completed")
        return CountedCalls(calls=self._meter.calls, requests=completed, folders=tuple(self._folders()))

    def _folders(self) -> Iterator[str]:
        yield from self._meter.folders
        if self._stack.own_copy is not None:
            yield from (str(tree.copy) for tree in self._stack.own_copy.trees)


def _ask(running: RunningStack) -> None:
    """Have the server do something, ignoring its response."""
    with suppress(NoResponseError):
        exchange(Target.parse(running.base_url), running.stack.ready.request, timeout_s=30)
