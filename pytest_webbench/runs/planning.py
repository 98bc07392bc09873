"""Makes a plan from cells and a profile, and the load of one round from a scenario."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_webbench.analysis.responses import exchanges_of
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.http import Record
from pytest_webbench.model.load import Amount, Load, Schedule
from pytest_webbench.model.plan import Block, Cell, Plan, Profile, Trial, TrialOrder
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Scenario, Unit

__all__ = [
    "at_rate",
    "expected_seconds",
    "make_load",
    "make_paired_plan",
    "make_plan",
    "resolve",
    "warmup_amount",
]

LAUNCH_S = 1.6
"""A guess at the seconds for a launch with its check and its stop."""
COUNTED_LAUNCH_S = 9.0
COUNTED_TRIAL_S = 3.5
"""The same under Valgrind."""
COUNTED_TYPICAL_S = 0.05
"""The typical time of all requests of a counted trial together, when nothing is counted."""
FEWEST_COUNTED = 5
MOST_CONNECTIONS = 100
BETWEEN_REQUESTS_S = 0.5
"""How long a connection of an open loop should be idle at most."""
TRIAL_S = 0.15
"""A guess at the seconds of a trial in addition to its load: seeding, checking the database."""


def resolve(scenario: Scenario, settings: Settings) -> Scenario:
    """Return ``scenario`` with the users and the amount that the profile and the options give it."""
    profile = settings.profile
    amount = scenario.amount
    if amount.requests is None:
        amount = Amount(duration_s=profile.duration_s or amount.duration_s)
    else:
        amount = Amount(requests=_share(amount.requests, profile.request_share, profile.min_requests))
    # An override by name may turn a duration into a number of requests, or the reverse;
    # one for all scenarios only changes scenarios that have that kind of amount.
    duration_s, requests = settings.durations_s, settings.requests
    rate = settings.rates.given.get(scenario.name) or scenario.rate
    if scenario.name in duration_s.by_scenario or (amount.requests is None and duration_s.everywhere):
        amount = Amount(duration_s=duration_s.get(scenario.name))
    if scenario.name in requests.by_scenario or (amount.requests is not None and requests.everywhere):
        amount = Amount(requests=requests.get(scenario.name))
    users = settings.users.get(scenario.name) or scenario.users
    if profile.counts:
        return _counted(scenario, settings)
    resolved = replace(scenario, users=users, amount=amount)
    if rate is None:
        return resolved
    return at_rate(resolved, rate, settings)


def _counted(scenario: Scenario, settings: Settings) -> Scenario:
    """Return ``scenario`` with a fixed number of requests, one after the other.

    There are fewer of slow requests: under Valgrind, one takes about 50 times as long.
    """
    profile, own = settings.profile, scenario.amount.requests
    affordable = max(FEWEST_COUNTED, round(COUNTED_TYPICAL_S / max(scenario.typical_s, 1e-6)))
    few = min(each for each in (own, profile.requests, affordable) if each is not None)
    amount = Amount(requests=settings.requests.get(scenario.name) or few)
    return replace(scenario, users=profile.users or 1, amount=amount, rate=None, unit=Unit.INSTRUCTIONS)


def at_rate(scenario: Scenario, rate: float, settings: Settings) -> Scenario:
    """Return ``scenario``, with its users and amount, as an open loop of ``rate`` requests per second.

    Unless an option sets the users, it gets enough connections that they are not the limit below saturation,
    but not so many that each is idle for longer than servers keep connections open.
    """
    users = settings.users.get(scenario.name)
    if users is None:
        users = max(scenario.users, min(MOST_CONNECTIONS, math.ceil(rate * BETWEEN_REQUESTS_S)))
    return replace(scenario, users=users, rate=rate, arrivals=settings.rates.arrivals)


def _share(requests: int, share: float, least: int) -> int:
    return min(requests, max(least, round(requests * share)))


def make_plan(
    cells: Iterable[Cell], *, profile: Profile, seed: int, rounds: Iterable[int] | None = None
) -> Plan:
    """Return a plan that measures each cell once in each of ``rounds``, each time on a new launch.

    Without ``rounds``, there are as many as ``profile`` says.
    """
    numbers = tuple(range(profile.rounds) if rounds is None else rounds)
    ordered = tuple(dict.fromkeys(cells))
    stacks = tuple(dict.fromkeys(cell.stack for cell in ordered))
    if profile.order is TrialOrder.INTERLEAVED:
        blocks = tuple(_interleaved(ordered, stacks, number, seed) for number in numbers)
    else:
        launches = [(stack, number) for stack in stacks for number in numbers]
        blocks = tuple(
            Block(
                number=number,
                stacks=(stack,),
                groups=tuple((Trial(cell=cell, round=repeat),) for cell in ordered if cell.stack == stack),
            )
            for number, (stack, repeat) in enumerate(launches)
        )
    return Plan(order=profile.order, seed=seed, blocks=blocks)


def _interleaved(cells: Sequence[Cell], stacks: Sequence[str], number: int, seed: int) -> Block:
    rng = random.Random(f"{seed}/block/{number}")
    launches = rng.sample(stacks, len(stacks))
    visits = rng.sample(cells, len(cells))
    return Block(
        number=number,
        stacks=tuple(launches),
        groups=tuple((Trial(cell=cell, round=number),) for cell in visits),
    )


def make_paired_plan(groups: Sequence[Sequence[Cell]], *, rounds: range, seed: int) -> Plan:
    """Return a plan that measures each cell once per block, those of a group in alternating slices.

    A group is a cell and its base; groups with a common cell are merged. The orders of cells, groups and
    launches are random.
    """
    joined = _joined(groups)
    stacks = sorted({cell.stack for group in joined for cell in group})
    blocks = []
    for number in rounds:
        rng = random.Random(f"{seed}/pairs/{number}")
        visits = [rng.sample(group, len(group)) for group in rng.sample(joined, len(joined))]
        blocks.append(
            Block(
                number=number,
                stacks=tuple(rng.sample(stacks, len(stacks))),
                groups=tuple(tuple(Trial(cell=cell, round=number) for cell in group) for group in visits),
            )
        )
    return Plan(order=TrialOrder.INTERLEAVED, seed=seed, blocks=tuple(blocks))


def _joined(groups: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """Merge groups with a common cell; each cell appears once."""
    joined: list[list[Cell]] = []
    for group in groups:
        common = [each for each in joined if not set(each).isdisjoint(group)]
        joined = [each for each in joined if each not in common]
        joined.append(list(dict.fromkeys(cell for part in (*common, group) for cell in part)))
    return joined


def make_load(
    scenario: Scenario,
    records: Sequence[Record],
    *,
    seed: int,
    round_: int,
    timeout_s: float,
) -> Load:
    """Make the load of a round: the same requests for every stack, but different ones in each round.

    Raises :class:`~pytest_webbench.model.errors.UsageError` if there are too few records for the requests or
    ``traffic`` does not return exchanges, and any exception of ``traffic``.
    """
    rng = random.Random(f"{seed}/round/{round_}/{scenario.name}")
    chance = random.Random(f"{seed}/arrivals/{round_}/{scenario.name}").getrandbits(53)
    exchanges = exchanges_of(scenario, records, scenario.amount.requests, rng)
    wanted = scenario.amount.requests
    if not exchanges or (wanted is not None and not scenario.repeat and len(exchanges) < wanted):
        raise UsageError(
            f"{scenario.name} cannot make {scenario.amount} out of {len(records)} records: "
            f"it has {len(exchanges)} different ones and sends each once",
            hint="raise --webbench-records, or lower "
            f"--webbench-requests={scenario.name}={max(len(exchanges), 1)}",
        )
    return Load(
        users=scenario.users,
        amount=scenario.amount,
        exchanges=exchanges,
        repeat=scenario.repeat,
        timeout_s=timeout_s,
        schedule=_schedule(scenario, seed=chance),
    )


def _schedule(scenario: Scenario, seed: int) -> Schedule | None:
    if scenario.rate is None:
        return None
    return Schedule(rate=scenario.rate, arrivals=scenario.arrivals, seed=seed)


def warmup_amount(load: Load, share: float) -> Amount:
    """Return the amount of a cell's warm-up: ``share`` of that of ``load``, at least one request per user."""
    amount = load.amount
    if amount.duration_s is not None:
        return Amount(duration_s=amount.duration_s * share)
    assert amount.requests is not None
    return Amount(requests=min(amount.requests, max(load.users, math.ceil(amount.requests * share))))


def expected_seconds(
    plan: Plan,
    scenarios: Mapping[str, Scenario],
    profile: Profile,
    *,
    warmup_s: float = 0.0,
    lanes: int = 1,
) -> float:
    """Estimate how long the plan will take, in seconds.

    ``warmup_s`` is the length of the warm-up after a launch, for profiles that have one; ``lanes`` is the
    number of stacks that are counted at once.
    """
    if profile.counts:
        launches = sum(len(block.stacks) for block in plan.blocks)
        trials = sum(len(block.trials) for block in plan.blocks)
        at_once = max(1, min(lanes, len({block.stacks for block in plan.blocks})))
        return (launches * COUNTED_LAUNCH_S + trials * COUNTED_TRIAL_S) / at_once
    launch_s = LAUNCH_S + profile.settle_s + profile.pause_s + profile.idle_s
    if profile.warm_launch:
        launch_s += warmup_s
    total = 0.0
    for block in plan.blocks:
        total += len(block.stacks) * launch_s
        for trial in block.trials:
            scenario = scenarios[trial.cell.scenario]
            amount = scenario.amount
            each_s = 1 / scenario.rate if scenario.rate else scenario.typical_s
            load_s = amount.duration_s or (amount.requests or 0) * each_s
            total += load_s * (1 + profile.warm_cell) + TRIAL_S + profile.gap_s
    return total
