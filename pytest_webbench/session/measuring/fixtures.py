"""The values of the fixtures ``webbench_stack`` and ``webbench`` in users' tests."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.text import mask_url, select
from pytest_webbench.host.files import disk_faults, raise_if_full
from pytest_webbench.model.errors import ContractError, LoadError, UsageError, WebbenchError
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.load import Amount
from pytest_webbench.model.plan import Cell, Trial
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import Event, LiveStarted, TrialFailed, TrialFinished
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher, RunningStack
from pytest_webbench.model.suite import Registry, Scenario, Suite
from pytest_webbench.runs.planning import at_rate, resolve
from pytest_webbench.runs.results import LiveResult, LiveResults
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.session.benchmark.outcome import Outcome, conclude

__all__ = ["LiveBench", "LiveStack", "launch_live"]

Measurable = str | Scenario | Exchange | Request


class LiveStack:
    """A launched, seeded and checked stack: the value of the fixture ``webbench_stack``.

    ``name`` is the stack's, ``base_url`` its address (``http://127.0.0.1:40123``). ``wrong`` has, by
    name, what is wrong with the scenarios that failed the check; they cannot be measured.
    """

    def __init__(
        self, running: RunningStack, suite: Suite, wrong: Mapping[str, ContractError] | None = None
    ) -> None:
        self.name = running.stack.name
        self.base_url = running.base_url
        self.running = running
        self.suite = suite
        self.wrong = dict(wrong or {})

    def __repr__(self) -> str:
        return f"<stack {self.name} at {mask_url(self.base_url)}>"

    @property
    def log(self) -> str:
        """The last lines that the server wrote."""
        return self.running.log_tail()

    def seed(self) -> None:
        """Reset the database to the suite's records.

        Raises :class:`~pytest_webbench.model.errors.SeedError` for a server whose database cannot be reached.
        """
        self.suite.dataset.load(self.running)


@contextmanager
def launch_live(name: str, registry: Registry, launcher: Launcher, bench: TrialRunner) -> Iterator[LiveStack]:
    """Launch the stack ``name`` for tests, seed and check it, and end it when the context is left."""
    stack = registry.stacks[name]
    suite = registry.suites[stack.suite]
    with ExitStack() as up:
        with disk_faults(name):
            launcher.prepare(stack)
            running = up.enter_context(launcher.start(stack))
            wrong = bench.make_ready(running, suite, registry.checks()[stack.suite])
            raise_if_full(wrong.values())
        yield LiveStack(running, suite, wrong)


class LiveBench:
    """Measures one thing against a running stack: the value of the fixture ``webbench``.

    All rounds share one launch, so their spread does not include the variation between launches. To compare
    two stacks, use ``pytest --webbench``.
    """

    def __init__(
        self,
        *,
        item: pytest.Item,
        benchmark: Any,
        stack: LiveStack,
        bench: TrialRunner,
        registry: Registry,
        settings: Settings,
        emit: Callable[[Event], None],
    ) -> None:
        self._item = item
        self._benchmark = benchmark
        self._stack = stack
        self._bench = bench
        self._registry = registry
        self._settings = settings
        self._emit = emit

    def __call__(
        self,
        what: Measurable,
        *,
        users: int | None = None,
        duration_s: float | None = None,
        requests: int | None = None,
        rate: float | None = None,
        rounds: int | None = None,
    ) -> CellSummary:
        """Measure ``what`` in rounds, pass the results to pytest-benchmark, and return them.

        ``what`` is the name of a scenario, a :class:`~pytest_webbench.Scenario`, an
        :class:`~pytest_webbench.Exchange`, or a :class:`~pytest_webbench.Request`, of which only the
        status 200 is checked. ``users``, ``duration_s`` or ``requests``, and ``rounds`` replace the
        numbers of the profile; ``rate`` (requests per second) makes the loop an open one. The test fails if
        the scenario of that name failed the stack's check, if a request fails or the database is wrong, and
        if the result is invalid and ``--webbench-invalid`` says so (by default, at a rate).
        """
        timed = {"users": users, "duration_s": duration_s, "rate": rate}
        count = 1 if not self._benchmark.enabled else rounds or self._settings.profile.rounds
        cell = Cell(scenario=what if isinstance(what, str) else "", stack=self._stack.name)
        try:
            if self._settings.profile.counts:
                _refuse_timing(timed)
            scenario = self._at_rate(self._scenario(what, duration_s, requests), users, rate)
            measured = self._measure(scenario, count)
        except WebbenchError as error:
            outcome = Outcome(cell=cell, error=error)
        else:
            outcome = Outcome(cell=measured.started.cell, summary=measured.summary(), rounds=measured.rounds)
        return conclude(self._item, self._benchmark, outcome, self._settings)

    def _measure(self, scenario: Scenario, count: int) -> LiveResult:
        """Measure ``count`` rounds, with the same events as a plan."""
        test, cell = self._item.nodeid, Cell(scenario=scenario.name, stack=self._stack.name)
        measured = LiveResults()
        self._say(LiveStarted(test=test, cell=cell, unit=scenario.unit, rounds=count), measured)
        for number in range(count):
            trial = Trial(cell=cell, round=number, test=test)
            try:
                measurement = self._bench.measure(self._stack.running, self._stack.suite, scenario, trial)
            except LoadError as error:
                self._say(TrialFailed(trial=trial, error=error), measured)
                raise
            self._say(TrialFinished(measurement=measurement), measured)
        return measured.by_test[test]

    def _say(self, event: Event, measured: LiveResults) -> None:
        measured.consume(event)
        self._emit(event)

    def _scenario(self, what: Measurable, duration_s: float | None, requests: int | None) -> Scenario:
        if isinstance(what, str):
            (name,) = select("scenario", [what], tuple(self._registry.scenarios))[:1]
            if error := self._stack.wrong.get(name):
                raise error
            scenario = self._registry.scenarios[name]
        elif isinstance(what, Scenario):
            scenario = resolve(what, self._settings)
        else:
            scenario = resolve(_of_exchange(what), self._settings)
        if duration_s is not None or requests is not None:
            scenario = replace(scenario, amount=Amount(duration_s=duration_s, requests=requests))
        return scenario

    def _at_rate(self, scenario: Scenario, users: int | None, rate: float | None) -> Scenario:
        if rate is not None:
            scenario = at_rate(scenario, rate, self._settings)
        return replace(scenario, users=users or scenario.users)


def _refuse_timing(given: Mapping[str, object]) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for settings without a meaning for counts."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"--webbench-measure=instructions counts the requests of one user, one after the other, and "
                f"{name} is for runs that are timed",
                hint="leave it out of the call, or give requests",
            )


def _of_exchange(what: Exchange | Request) -> Scenario:
    exchange = what if isinstance(what, Exchange) else Exchange(request=what, answer=Answer(status=200))
    return Scenario(
        name=f"{exchange.request.method} {exchange.request.path}",
        users=10,
        amount=Amount(duration_s=1.0),
        traffic=lambda records, count, rng: [exchange],  # noqa: ARG005
        writes=exchange.effect is not None,
    )
