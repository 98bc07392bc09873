"""One trial, at once or in turns: seed, warm up, load and meter, verify the state."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from pytest_webbench.analysis.database_state import records_by_key, state_faults
from pytest_webbench.analysis.metrics import combine
from pytest_webbench.host.machine import MachineMeter
from pytest_webbench.load.engine import begin_session, can_take_turns
from pytest_webbench.load.partition import Drawing, draws_of
from pytest_webbench.load.schedule import add_machine_usages, saturating
from pytest_webbench.model.errors import ContractError, LoadError, StackDiedError, StackError, UsageError
from pytest_webbench.model.http import Record
from pytest_webbench.model.load import Amount, Load, LoadEngine, LoadResult, LoadSession, nothing
from pytest_webbench.model.measurement import MachineUsage, Measurement, Readings, StateCheck
from pytest_webbench.model.plan import Cell, Profile, Trial
from pytest_webbench.model.stack import RunningStack
from pytest_webbench.model.suite import Scenario, Suite
from pytest_webbench.runs.contract import check_stack, observe_records
from pytest_webbench.runs.planning import make_load, warmup_amount
from pytest_webbench.stacks.launcher import meter_of

__all__ = ["TrialRun", "TrialRunner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRunner:
    """What all trials of a run share: the engine and the numbers."""

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
    ) -> dict[str, ContractError]:
        """After a launch: settle, seed, check against the contract, warm up as the profile says.

        ``scenarios`` are all of the suite, whether they will be timed or not; a server that cannot be
        seeded is checked with those that only read, and so is a stack that was checked thoroughly after an
        earlier launch: the loads that write are themselves compared with the database. Those named in
        ``leave_out`` are not checked. Returns, by name, what is wrong with the scenarios that must not be
        timed. Raises a :class:`~pytest_webbench.model.errors.StackError` for what concerns all of them.
        """
        try:
            return self._make_ready(running, suite, scenarios, thorough=thorough, leave_out=leave_out)
        except UsageError as error:  # a mistake of the user's that these records, or this round, bring out
            raise ContractError(error.message, evidence=error.evidence, hint=error.hint) from None

    def _make_ready(
        self,
        running: RunningStack,
        suite: Suite,
        scenarios: Sequence[Scenario],
        *,
        thorough: bool,
        leave_out: Collection[str],
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
            )
            if inside and (thorough or wrong):
                suite.dataset.load(running)
        if profile.warm_launch:
            self._warm_launch(running, suite, scenarios, records, wrong={*wrong, *leave_out})
        running.verify()
        time.sleep(profile.idle_s)
        return wrong

    def measure(self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial) -> Measurement:
        """Carry out one round of ``scenario``, whose users and amount are resolved already.

        Raises what :meth:`TrialRun.take_turn` raises.
        """
        visit = self.visit(running, suite, scenario, trial)
        for _ in range(visit.turns):
            visit.take_turn()
        return visit.measurement()

    def visit(
        self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial, *, turns: int = 1
    ) -> "TrialRun":
        """A round of ``scenario`` that will be made in so many ``turns``, or in more.

        One of a server that ran already is made on several sets of connections, for there is no fresh launch
        to give it others, and how the server shares them out can often not be seen, let alone changed.
        """
        draws = draws_of(scenario.amount, scenario.users) if running.launch.startup_s is None else 0
        return TrialRun(
            bench=self,
            running=running,
            suite=suite,
            scenario=scenario,
            trial=trial,
            turns=max(turns // max(draws, 1), 1) * max(draws, 1),
            draws=draws,
        )

    def saturate(self, running: RunningStack, suite: Suite, scenario: Scenario) -> float:
        """How many requests per second the stack serves at most; 0 if it answered none rightly.

        Raises what :meth:`measure` raises.
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
        """The records that the database holds, and the load made from them."""
        try:
            records = self._records(running, suite)
            load = make_load(
                scenario,
                records,
                seed=self.seed,
                round_=trial.round,
                timeout_s=self.request_timeout_s,
            )
        except UsageError as error:  # only now is it known how many records an attached server holds
            raise LoadError(error.message, evidence=error.evidence, hint=error.hint) from None
        return records, load

    def _records(self, running: RunningStack, suite: Suite) -> Sequence[Record]:
        if not running.reachable_inside:
            return observe_records(running, suite, timeout_s=self.request_timeout_s)
        return suite.dataset.records(suite.dataset.default_count if self.records is None else self.records)

    def seed_records(self, running: RunningStack, suite: Suite) -> None:
        """Make the database hold the records again, where it can be reached."""
        if running.reachable_inside:
            suite.dataset.load(running)

    def warm_up(self, running: RunningStack, load: Load) -> None:
        """Make ``load`` and keep nothing of it; even shares of connections are not worth the time here."""
        self.engine.run(load, running.base_url)
        check_alive(running)

    def carry_out(
        self, running: RunningStack, load: Load, before_start: Callable[[], None] = nothing
    ) -> LoadResult:
        """What the engine saw of ``load``; raises if the server has ended meanwhile."""
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
        """Warm up with all steps, those of ``wrong`` scenarios too: the others are as warm as elsewhere."""
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
class TrialRun:
    """A round of a cell that is under way: it is made in ``turns``, between which others have theirs.

    ``scenario`` has the users and the amount of the whole round.
    """

    bench: TrialRunner
    running: RunningStack
    suite: Suite
    scenario: Scenario
    trial: Trial
    turns: int = 1
    draws: int = 0
    _records: Sequence[Record] = ()
    _load: Load | None = None
    _drawing: Drawing | None = None
    _part: Load | None = None
    _opened: LoadSession | None = None
    _taken: int = 0
    _readings: list[Readings] = field(default_factory=list)
    _machine: list[MachineUsage] = field(default_factory=list)

    def take_turn(self) -> None:
        """Make the next part of the round.

        Raises :class:`~pytest_webbench.model.errors.StackDiedError` if the server ends meanwhile,
        :class:`~pytest_webbench.model.errors.SeedError` and :class:`~pytest_webbench.model.errors.LoadError`.
        """
        drawing = self._drawing or self._prepare()
        part = self._part or self._draw(drawing)
        if part is None:  # each request has been sent
            return
        meter, machine = meter_of(self.running), MachineMeter()

        def begin() -> None:
            meter.begin()
            machine.begin()

        result = None
        if self._opened is None:
            result = self.bench.carry_out(self.running, part, begin)
        else:
            self._opened.take_turn(begin)
        self._taken += 1
        self._readings.append(Readings(meter.end()))
        self._machine.append(machine.end())
        if self._opened is not None and self._taken == part.turns:
            result = self._opened.result()
            check_alive(self.running)
        if result is not None:
            drawing.add(result)
            self._part = self._opened = None
            self._taken = 0

    def measurement(self) -> Measurement:
        """What all turns gave together, once the last one is over.

        Raises :class:`~pytest_webbench.model.errors.SeedError` if the database cannot be looked at, and what
        :meth:`~pytest_webbench.model.stack.RunningStack.verify` raises.
        """
        load, drawing = self._load, self._drawing
        assert load is not None
        assert drawing is not None
        result = drawing.whole()
        if not self.draws:
            result = replace(result, draws=())
        self.running.verify()
        return Measurement(
            trial=self.trial,
            engine=self.bench.engine.name,
            users=load.users,
            amount=load.amount,
            schedule=load.schedule,
            records=len(self._records),
            load=result,
            server=combine(self._readings),
            launch=self.running.launch,
            state=self._verify(load, result),
            machine=add_machine_usages(self._machine),
        )

    def _prepare(self) -> Drawing:
        """Fill the database, warm up, and make the load."""
        running, writes, warm = self.running, self.scenario.writes, self.bench.profile.warm_cell
        load = self._make_load()
        self._drawing = None
        if warm:
            self.bench.seed_records(running, self.suite)
            load = self._warm_up(load, warmup_amount(load, warm))
        drawing = Drawing(load, max(1, self.draws))
        if load.warm_up is not None:
            self._draw(drawing)
        if writes or not warm:
            self.bench.seed_records(running, self.suite)
        self._load, self._drawing = replace(load, warm_up=None), drawing
        return drawing

    def _warm_up(self, load: Load, amount: Amount) -> Load:
        """Make the warm-up, if it cannot be made on the connections of the load; the load to make then."""
        undone = self.running.reachable_inside or not self.scenario.writes
        if can_take_turns(self.bench.engine) and load.schedule is None and undone:
            return replace(load, warm_up=amount)
        self.bench.warm_up(self.running, replace(load, amount=amount, turns=1))
        return load if undone else self._make_load()

    def _draw(self, drawing: Drawing) -> Load | None:
        """Begin the next part of the load on connections of its own, and warm up on these."""
        self._part = part = drawing.next()
        if part is not None and (part.turns > 1 or part.warm_up is not None):
            self._opened = self._open(part)
            if part.warm_up is not None:
                self._opened.warm_up()
                check_alive(self.running)
        return part

    def _make_load(self) -> Load:
        self._records, load = self.bench.make_load(self.running, self.suite, self.scenario, self.trial)
        return replace(load, turns=self.turns)

    def _open(self, load: Load) -> LoadSession:
        return begin_session(self.bench.engine, load, self.running.base_url, self.running.connections)

    def _verify(self, load: Load, result: LoadResult) -> StateCheck:
        running = self.running
        if not (running.reachable_inside and running.answers) or result.unnamed:
            return StateCheck(checked=False)
        faults = state_faults(
            records_by_key(self._records),
            self.suite.dataset.state(running),
            load.exchanges,
            sent=result.sent,
            unconfirmed=result.unconfirmed,
        )
        return StateCheck(checked=True, faults=faults)


def check_alive(running: RunningStack) -> None:
    """Raise :class:`~pytest_webbench.model.errors.StackDiedError` if the server has ended."""
    why = running.ended()
    if why is not None:
        raise StackDiedError(
            f"{running.stack.name} ended while it was measured: {why}",
            evidence=running.log_tail(),
            hint="see the end of its log above",
        )
