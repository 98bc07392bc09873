"""One trial: seed, warm up, load and meter, verify the state."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_webbench.checking import check_stack, observe_records
from pytest_webbench.errors import LoadError, StackDiedError, UsageError
from pytest_webbench.launchers import RunningStack
from pytest_webbench.load import LoadEngine
from pytest_webbench.logic.planning import make_load, warmup_load
from pytest_webbench.logic.rates import saturating
from pytest_webbench.logic.state import records_by_key, state_faults
from pytest_webbench.machine import MachineMeter
from pytest_webbench.suites import Suite
from pytest_webbench.values.exchange import Record
from pytest_webbench.values.load import Load, LoadResult
from pytest_webbench.values.measurement import Measurement, StateCheck
from pytest_webbench.values.plan import Cell, Trial
from pytest_webbench.values.profile import Profile
from pytest_webbench.values.scenario import Scenario

__all__ = ["Bench"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all trials of a run share: the engine and the numbers."""

    engine: LoadEngine
    profile: Profile
    seed: int
    records: int | None = None
    request_timeout_s: float = 30.0

    def make_ready(self, running: RunningStack, suite: Suite, scenarios: Sequence[Scenario]) -> None:
        """After a launch: settle, seed, check against the contract, warm up as the profile says.

        ``scenarios`` are all of the suite, whether they will be timed or not; a server that cannot be
        seeded is checked with those that only read. Raises a :class:`~pytest_webbench.errors.StackError`.
        """
        profile = self.profile
        time.sleep(profile.settle_s)
        records = self._records(running, suite)
        if running.reachable_inside:
            suite.dataset.prepare(running, records)
            suite.dataset.load(running)
            time.sleep(profile.pause_s)
            if running.answers:
                check_stack(running, suite, scenarios, records)
                suite.dataset.load(running)
        else:
            reading = [each for each in scenarios if not each.writes]
            check_stack(running, suite, reading, records, careful=True)
        if profile.warm_launch:
            self._warm_launch(running, suite, scenarios, records)
        time.sleep(profile.idle_s)

    def measure(self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial) -> Measurement:
        """Carry out one round of ``scenario``, whose users and amount are resolved already.

        Raises :class:`~pytest_webbench.errors.StackDiedError` if the server ends meanwhile,
        :class:`~pytest_webbench.errors.SeedError` and :class:`~pytest_webbench.errors.LoadError`.
        """
        records, load = self._make_load(running, suite, scenario, trial)
        if self.profile.warm_cell:
            self._seed(running, suite)
            self._load(running, warmup_load(load, self.profile.warm_cell))
            if scenario.writes and not running.reachable_inside:  # nothing undoes what the warm-up wrote
                records, load = self._make_load(running, suite, scenario, trial)
        if scenario.writes or not self.profile.warm_cell:
            self._seed(running, suite)
        meter, machine_meter = running.meter, MachineMeter()
        meter.begin()
        result = self._load(running, load)
        usage, machine = meter.end(), machine_meter.end()
        return Measurement(
            trial=trial,
            engine=self.engine.name,
            users=load.users,
            amount=load.amount,
            schedule=load.schedule,
            records=len(records),
            load=result,
            server=usage,
            launch=running.launch,
            state=self._verify(running, suite, load, result, records),
            machine=machine,
        )

    def saturate(self, running: RunningStack, suite: Suite, scenario: Scenario) -> float:
        """How many requests per second the stack serves at most; 0 if it answered none rightly.

        Raises what :meth:`measure` raises.
        """
        trial = Trial(cell=Cell(scenario=scenario.name, stack=running.stack.name), round=-1)
        _, load = self._make_load(running, suite, saturating(scenario), trial)
        self._seed(running, suite)
        result = self._load(running, load)
        self._seed(running, suite)
        return result.ok / result.elapsed_s

    def _make_load(
        self, running: RunningStack, suite: Suite, scenario: Scenario, trial: Trial
    ) -> tuple[Sequence[Record], Load]:
        """The records that the database holds, and the load made from them."""
        records = self._records(running, suite)
        timeout_s = self.request_timeout_s
        try:
            load = make_load(scenario, records, seed=self.seed, round_=trial.round, timeout_s=timeout_s)
        except UsageError as error:  # only now is it known how many records an attached server holds
            raise LoadError(error.message, hint=error.hint) from None
        return records, load

    def _records(self, running: RunningStack, suite: Suite) -> Sequence[Record]:
        if not running.reachable_inside:
            return observe_records(running, suite)
        return suite.dataset.records(suite.dataset.default_count if self.records is None else self.records)

    def _seed(self, running: RunningStack, suite: Suite) -> None:
        if running.reachable_inside:
            suite.dataset.load(running)

    def _load(self, running: RunningStack, load: Load) -> LoadResult:
        result = self.engine.run(load, running.base_url, running.connections)
        why = running.ended()
        if why is not None:
            raise StackDiedError(
                f"{running.stack.name} ended while it was measured: {why}",
                evidence=running.log_tail(),
                hint="see the end of its log above",
            )
        return result

    def _warm_launch(
        self, running: RunningStack, suite: Suite, scenarios: Sequence[Scenario], records: Sequence[Record]
    ) -> None:
        by_name = {scenario.name: scenario for scenario in scenarios}
        for step in suite.warmup:
            scenario = replace(by_name[step.scenario], users=step.users, amount=step.amount)
            load = make_load(scenario, records, seed=self.seed, round_=-1, timeout_s=self.request_timeout_s)
            self._load(running, load)

    @staticmethod
    def _verify(
        running: RunningStack, suite: Suite, load: Load, result: LoadResult, records: Sequence[Record]
    ) -> StateCheck:
        if not (running.reachable_inside and running.answers):
            return StateCheck(checked=False)
        faults = state_faults(
            records_by_key(records),
            suite.dataset.state(running),
            load.exchanges,
            sent=result.sent,
            unconfirmed=result.unconfirmed,
        )
        return StateCheck(checked=True, faults=faults)
