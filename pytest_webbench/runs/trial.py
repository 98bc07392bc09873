"""One trial, whole or in slices: seed, warm up, load and meter, check the database."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TypeVar

from pytest_webbench.analysis.database_state import records_by_key, state_faults
from pytest_webbench.analysis.instructions import add_functions
from pytest_webbench.analysis.metrics import combine
from pytest_webbench.host.machine import MachineMeter
from pytest_webbench.load.engine import begin_session, can_take_turns
from pytest_webbench.load.partition import Drawing, draws_of
from pytest_webbench.load.schedule import add_machine_usages, saturating
from pytest_webbench.model.errors import ContractError, LoadError, StackDiedError, StackError, UsageError
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.http import Record, SeenResponse
from pytest_webbench.model.load import Load, LoadEngine, LoadResult, LoadSession, nothing
from pytest_webbench.model.measurement import MachineUsage, Measurement, Readings, StateCheck
from pytest_webbench.model.plan import Cell, Profile, Trial
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Scenario, Suite
from pytest_webbench.runs.contract import check_stack, observe_records
from pytest_webbench.runs.planning import make_load, warmup_amount
from pytest_webbench.stacks.launcher import meter_of

__all__ = ["TrialRun", "TrialRunner"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRunner:
    """Runs the trials of a run, which share the engine and the numbers."""

    engine: LoadEngine
    profile: Profile
    seed: int
    records: int | None = None
    request_timeout_s: float = 30.0

    def make_ready(
        self,
        running: RunningStack,
        suite: Suite,
        scenarios: Sequence[Scenario],
        *,
        thorough: bool = True,
        leave_out: Collection[str] = (),
        seen: list[SeenResponse] | None = None,
    ) -> dict[str, ContractError]:
        """Settle, seed, check against the contract, and warm up as the profile says, after a launch.

        ``scenarios`` are all scenarios of the suite, including those that will not be timed. Only those that
        read are checked on a server that cannot be seeded, and on a stack that was checked thoroughly after
        an earlier launch: the loads that write are compared with the database anyway. Those named in
        ``leave_out`` are not checked; the expected responses of the others are added to ``seen``. Returns the
        faults of scenarios that must not be timed, by name. Raises a
        :class:`~pytest_webbench.model.errors.StackError` for a fault that concerns all scenarios.
        """
        # A user's mistake that shows only with these records, or in this round.
        with _usage_error_as(ContractError):
            return self._make_ready(
                running, suite, scenarios, thorough=thorough, leave_out=leave_out, seen=seen
            )

    def _make_ready(
        self,
        running: RunningStack,
        suite: Suite,
        scenarios: Sequence[Scenario],
        *,
        thorough: bool,
        leave_out: Collection[str],
        seen: list[SeenResponse] | None,
    ) -> dict[str, ContractError]:
        profile, inside = self.profile, running.reachable_inside
        wrong: dict[str, ContractError] = {}
        time.sleep(profile.settle_s)
        records = self._records(running, suite)
        if inside:
            suite.dataset.prepare(running, records)
            suite.dataset.load(running)
            time.sleep(profile.pause_s)
        if running.answers or not inside:
            wrong = check_stack(
                running,
                suite,
                scenarios,
                records,
                reading_only=not thorough,
                careful=not inside,
                leave_out=leave_out,
                timeout_s=self.request_timeout_s,
                seen=seen,
            )
            if inside and (thorough or wrong):
                suite.dataset.load(running)
        if profile.warm_launch:
            self._warm_launch(running, suite, scenarios, records, wrong={*wrong, *leave_out})
        running.verify()
        time.sleep(profile.idle_s)
        return wrong

    def measure(self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial) -> Measurement:
        """Run one round of ``scenario``, which has its users and amount already.

        Raises the errors of :meth:`TrialRun.take_turn` and :meth:`TrialRun.measurement`.
        """
        run = self.begin(running, suite, scenario, trial)
        for _ in range(run.turns):
            run.take_turn()
        return run.measurement()

    def begin(
        self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial, *, turns: int = 1
    ) -> "TrialRun":
        """Prepare a round of ``scenario`` in at least ``turns`` slices; the first one starts it.

        A server that was already running is measured on several sets of connections: there is no new launch
        to change them, and how the server spreads them can often not be observed, let alone controlled.
        """
        draws = draws_of(scenario.amount, scenario.users) if running.launch.startup_s is None else 0
        sets = max(draws, 1)
        turns = max(turns // sets, 1) * sets
        # If writes cannot be undone, the warm-up changes the records that the load is made from.
        undone = running.reachable_inside or not scenario.writes
        sliced = scenario.rate is None and undone and (self.profile.warm_cell > 0 or turns > sets)
        kind = SlicedTrialRun if sliced and can_take_turns(self.engine) else WholeTrialRun
        return kind(
            bench=self,
            running=running,
            suite=suite,
            scenario=scenario,
            trial=trial,
            turns=turns,
            draws=draws,
        )

    def saturate(self, running: RunningStack, suite: Suite, scenario: Scenario) -> float:
        """Measure the maximum rate of the stack, in requests per second; 0 if none was successful.

        Raises the errors of :meth:`measure`.
        """
        trial = Trial(cell=Cell(scenario=scenario.name, stack=running.stack.name), round=-1)
        _, load = self.make_load(running, suite, saturating(scenario), trial)
        self.seed_records(running, suite)
        result = self.carry_out(running, load)
        self.seed_records(running, suite)
        return result.ok / result.elapsed_s

    def make_load(
        self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial
    ) -> tuple[Sequence[Record], Load]:
        """Return the records in the database, and the load made from them."""
        with _usage_error_as(LoadError):  # the number of records of an attached server is only known now
            records = self._records(running, suite)
            load = make_load(
                scenario,
                records,
                seed=self.seed,
                round_=0 if self.profile.counts else trial.round,
                timeout_s=self.request_timeout_s,
            )
            return records, load

    def _records(self, running: RunningStack, suite: Suite) -> Sequence[Record]:
        if not running.reachable_inside:
            return observe_records(running, suite, timeout_s=self.request_timeout_s)
        return suite.dataset.records(suite.dataset.default_count if self.records is None else self.records)

    def seed_records(self, running: RunningStack, suite: Suite) -> None:
        """Restore the records in the database, if it can be accessed."""
        if running.reachable_inside:
            suite.dataset.load(running)

    def warm_up(self, running: RunningStack, load: Load) -> None:
        """Make ``load`` and discard its result; spreading connections evenly is not worth the time here."""
        self.engine.run(load, running.base_url)
        check_alive(running)

    def carry_out(
        self, running: RunningStack, load: Load, before_start: Callable[[], None] = nothing
    ) -> LoadResult:
        """Make ``load`` and return its result; raises if the server has exited meanwhile."""
        result = self.engine.run(load, running.base_url, running.connections, before_start)
        check_alive(running)
        return result

    def _warm_launch(
        self,
        running: RunningStack,
        suite: Suite,
        scenarios: Sequence[Scenario],
        records: Sequence[Record],
        *,
        wrong: Collection[str],
    ) -> None:
        """Run all warm-up steps, even those of ``wrong`` scenarios, so that all stacks are equally warm."""
        by_name = {scenario.name: scenario for scenario in scenarios}
        for step in suite.warmup:
            scenario = replace(by_name[step.scenario], users=step.users, amount=step.amount)
            try:
                load = make_load(
                    scenario, records, seed=self.seed, round_=-1, timeout_s=self.request_timeout_s
                )
                self.warm_up(running, load)
            except (LoadError, UsageError) as error:
                if step.scenario in wrong:
                    continue
                raise StackError(
                    f"{running.stack.name} was not warmed up with {step.scenario}: {error.message}",
                    evidence=error.evidence,
                    hint=error.hint,
                ) from None


@dataclass(kw_only=True)
class TrialRun(ABC):
    """A round of a cell in progress, made in ``turns`` (slices) that may alternate with those of others.

    ``scenario`` has the users and the amount of the whole round. ``draws`` is the number of its sets of
    connections, 0 if it has one and that is not recorded.
    """

    bench: TrialRunner
    running: RunningStack
    suite: Suite
    scenario: Scenario
    trial: Trial
    turns: int
    draws: int
    _readings: list[Readings] = field(default_factory=list)
    _machine: list[MachineUsage] = field(default_factory=list)
    _instructions: list[InstructionsByFunction] = field(default_factory=list)

    @abstractmethod
    def take_turn(self) -> None:
        """Make the next slice of the round; do nothing if all requests have been sent.

        Raises :class:`~pytest_webbench.model.errors.StackDiedError` if the server ends meanwhile,
        :class:`~pytest_webbench.model.errors.SeedError` and :class:`~pytest_webbench.model.errors.LoadError`.
        """

    @abstractmethod
    def _prepare(self) -> "_Prepared":
        """Seed the database and make the load."""

    @cached_property
    def _prepared(self) -> "_Prepared":
        """The load, made at the first slice."""
        return self._prepare()

    def measurement(self) -> Measurement:
        """Return the measurement of all slices together, after the last one.

        Raises :class:`~pytest_webbench.model.errors.SeedError` if the database cannot be read, and the errors
        of :meth:`~pytest_webbench.model.stack.RunningStack.verify`.
        """
        load, result = self._prepared.load, self._prepared.drawing.whole()
        if not self.draws:
            result = replace(result, draws=())
        self.running.verify()
        return Measurement(
            trial=self.trial,
            engine=self.bench.engine.name,
            users=load.users,
            amount=load.amount,
            schedule=load.schedule,
            records=len(self._prepared.records),
            load=result,
            server=combine(self._readings),
            launch=self.running.launch,
            state=self._verify(load, result),
            machine=add_machine_usages(self._machine),
            instructions=add_functions(self._instructions),
        )

    def _make_load(self) -> tuple[Sequence[Record], Load]:
        records, load = self.bench.make_load(self.running, self.suite, self.scenario, self.trial)
        return records, replace(load, turns=self.turns)

    def _seed(self) -> None:
        self.bench.seed_records(self.running, self.suite)

    def _seed_for_load(self) -> None:
        """Seed the database, unless the warm-up did and only read."""
        if self.scenario.writes or not self.bench.profile.warm_cell:
            self._seed()

    def _metered(self, make: Callable[[Callable[[], None]], T]) -> T:
        """Meter ``make``, which makes a part of the load and calls its argument just before it starts."""
        meter, machine = meter_of(self.running), MachineMeter()

        def begin() -> None:
            meter.begin()
            machine.begin()

        made = make(begin)
        self._readings.append(Readings(meter.end()))
        self._instructions.append(meter.instructions())
        self._machine.append(machine.end())
        return made

    def _verify(self, load: Load, result: LoadResult) -> StateCheck:
        running = self.running
        if not (running.reachable_inside and running.answers) or result.unnamed:
            return StateCheck(checked=False)
        faults = state_faults(
            records_by_key(self._prepared.records),
            self.suite.dataset.state(running),
            load.exchanges,
            sent=result.sent,
            unconfirmed=result.unconfirmed,
        )
        return StateCheck(checked=True, faults=faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """The records and the load of a round, and the results of its parts."""

    records: Sequence[Record]
    load: Load
    drawing: Drawing


@dataclass(kw_only=True)
class WholeTrialRun(TrialRun):
    """A round made in one piece, or on one set of connections after the other; its warm-up uses others."""

    def take_turn(self) -> None:
        """Make all of the load, or the part for the next set of connections."""
        drawing = self._prepared.drawing
        part = drawing.next()
        if part is not None:
            drawing.add(self._metered(partial(self.bench.carry_out, self.running, part)))

    def _prepare(self) -> _Prepared:
        records, load = self._make_load()
        if warm := self.bench.profile.warm_cell:
            self._seed()
            self.bench.warm_up(self.running, replace(load, amount=warmup_amount(load, warm), turns=1))
            if self.scenario.writes and not self.running.reachable_inside:
                records, load = self._make_load()
        self._seed_for_load()
        return _Prepared(records=records, load=load, drawing=Drawing(load, max(1, self.draws)))


@dataclass(kw_only=True)
class SlicedTrialRun(TrialRun):
    """A round with a load that pauses and resumes on connections that stay open; they are warmed up first."""

    _session: LoadSession | None = None
    """The load on the current set of connections."""
    _turns_left: int = 0

    def take_turn(self) -> None:
        """Resume the load for a slice."""
        drawing = self._prepared.drawing
        session = self._session or self._open(drawing)
        if session is None:
            return
        self._metered(session.take_turn)
        self._turns_left -= 1
        if self._turns_left == 0:
            drawing.add(session.result())
            check_alive(self.running)
            self._session = None

    def _prepare(self) -> _Prepared:
        records, load = self._make_load()
        sets, warm = max(1, self.draws), self.bench.profile.warm_cell
        drawing = Drawing(load, sets)
        if warm:
            self._seed()
            drawing = Drawing(replace(load, warm_up=warmup_amount(load, warm)), sets)
            self._open(drawing)
        self._seed_for_load()
        return _Prepared(records=records, load=load, drawing=drawing)

    def _open(self, drawing: Drawing) -> LoadSession | None:
        """Connect the users of the next part of the load and warm up; return ``None`` if there is none."""
        part = drawing.next()
        if part is None:
            return None
        self._session = begin_session(
            self.bench.engine, part, self.running.base_url, self.running.connections
        )
        self._turns_left = part.turns
        if part.warm_up is not None:
            self._session.warm_up()
            check_alive(self.running)
        return self._session


@contextmanager
def _usage_error_as(kind: type[ContractError | LoadError]) -> Iterator[None]:
    """Turn a :class:`~pytest_webbench.model.errors.UsageError` into an error of ``kind``."""
    try:
        yield
    except UsageError as error:
        raise kind(error.message, evidence=error.evidence, hint=error.hint) from None


def check_alive(running: RunningStack) -> None:
    """Raise :class:`~pytest_webbench.model.errors.StackDiedError` if the server has exited."""
    why = running.ended()
    if why is not None:
        raise StackDiedError(
            f"{running.stack.name} exited while it was measured: {why}",
            evidence=running.log_tail(),
            hint="see the end of its log above",
        )
