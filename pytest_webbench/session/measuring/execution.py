"""Carries out a plan and shows the progress; a comparison adds further plans."""

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from pytest_webbench.host.machine import usable_cores
from pytest_webbench.model.plan import Plan
from pytest_webbench.model.run import BlockStarted, Event
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher
from pytest_webbench.model.suite import Registry
from pytest_webbench.report.content.comparison import describe_more
from pytest_webbench.report.progress import BarProgress, LineProgress, ProgressWriter
from pytest_webbench.runs.compare import Comparing
from pytest_webbench.runs.results import Results
from pytest_webbench.runs.runner import CommonRates, Runner
from pytest_webbench.runs.side_by_side import run_side_by_side
from pytest_webbench.runs.trial import TrialRunner

__all__ = ["Execution"]


@dataclass(kw_only=True)
class Execution:
    """Connects the runner with its ``consumers`` and with the progress on standard output.

    ``check`` is called after each event, and may raise an exception to end the run.
    """

    settings: Settings
    registry: Registry
    launcher: Launcher
    bench: TrialRunner
    stop_early: Callable[[int], bool]
    consumers: Sequence[Callable[[Event], None]]
    check: Callable[[], None] = lambda: None

    def carry_out(self, plan: Plan, results: Results, comparing: Comparing | None) -> None:
        """Carry out ``plan``, and the rounds that a comparison adds until it is decided or out of time.

        ``results`` is one of the consumers; comparisons are made from it.
        """
        runner = self._runner({} if comparing is None else comparing.bases)
        following: Plan | None = plan
        while following is not None:
            self._carry_out(following, runner, comparing)
            following = None if comparing is None else _judge(comparing, results)

    def _runner(self, bases: Mapping[str, str]) -> Runner:
        share = self.settings.rates.common_share
        return Runner(
            bench=self.bench,
            launcher=self.launcher,
            stacks=self.registry.stacks,
            scenarios=self.registry.scenarios,
            suites=self.registry.suites,
            checks=self.registry.checks(),
            stop_early=self.stop_early,
            common_rates=None if share is None else CommonRates(share=share, settings=self.settings),
            bases=bases,
        )

    def _carry_out(self, plan: Plan, runner: Runner, comparing: Comparing | None) -> None:
        with closing(_progress(plan)) as progress, closing(self._events(plan, runner)) as events:
            for event in events:
                if comparing is not None and isinstance(event, BlockStarted):
                    comparing.start_clock()
                for consume in self.consumers:
                    consume(event)
                progress.consume(event)
                self.check()

    def _events(self, plan: Plan, runner: Runner) -> Generator[Event, None, None]:
        lanes = usable_cores()
        if self.settings.profile.counts and lanes > 1:
            return run_side_by_side(runner, plan, lanes=lanes)
        return runner.run(plan)


def _judge(comparing: Comparing, results: Results) -> Plan | None:
    """Judge the results so far; return the rounds to add, if any."""
    comparisons = comparing.judge(results)
    plan = comparing.next_plan(results)
    if plan is not None:
        sys.stdout.write(f"webbench: {describe_more(comparisons, len(plan.blocks))}\n")
    return plan


def _progress(plan: Plan) -> ProgressWriter:
    return BarProgress(sys.stdout, plan) if sys.stdout.isatty() else LineProgress(sys.stdout, plan)
