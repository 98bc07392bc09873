"""A rehearsal before anything is launched: every function of the user is called once."""

import resource
from collections.abc import Sequence

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.http import Record
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Registry, Scenario
from pytest_webbench.runs.contract import exchanges_of_check
from pytest_webbench.runs.planning import make_load

__all__ = ["rehearse"]

ANYWHERE = Target.parse("http://127.0.0.1")
SPARE_FILES = 64
"""The most files that a load generator has open beside its connections."""


def rehearse(registry: Registry, settings: Settings) -> None:
    """Create the exchanges of the check and of the first round of each scenario, without sending any.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a mistake in a user's function, for too few
    records, requests that cannot be sent, and more connections than this machine allows. The records of
    a server that was already running are not known yet.
    """
    for name in registry.selected_scenarios:
        _check_connections(registry.scenarios[name], settings)
    if settings.urls:
        if settings.rates.common_share is not None and settings.allow_writes:
            raise UsageError(
                "to find out a common rate, records would be changed and deleted without end",
                hint="give a rate, or leave out --webbench-allow-writes",
            )
        return
    for suite_name in dict.fromkeys(registry.scenarios[cell.scenario].suite for cell in registry.cells()):
        suite = registry.suites[suite_name]
        count = suite.dataset.default_count if settings.records is None else settings.records
        records = suite.dataset.records(count)
        suite.examples(records)
        for scenario in registry.checks()[suite_name]:
            exchanges_of_check(scenario, records)
            if scenario.name in registry.selected_scenarios:
                _rehearse_load(scenario, records, settings)


def _rehearse_load(scenario: Scenario, records: Sequence[Record], settings: Settings) -> None:
    load = make_load(scenario, records, seed=settings.seed, round_=0, timeout_s=1.0)
    for exchange in load.exchanges:
        try:
            encode(exchange.request, ANYWHERE)
        except LoadError as error:
            raise UsageError(f"scenario {scenario.name}: {error.message}", hint=error.hint) from None


def _check_connections(scenario: Scenario, settings: Settings) -> None:
    processes = settings.load_workers if settings.engine == "locust" else settings.generators
    needed = -(-scenario.users // processes) + SPARE_FILES
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and needed > most:
        raise UsageError(
            f"scenario {scenario.name} has {scenario.users:,} users, each with a connection, but a process "
            f"of this machine may open {most:,} files (ulimit -Hn)",
            hint=f"raise that limit, or lower --webbench-users {scenario.name}={max(most - SPARE_FILES, 1)}",
        )
