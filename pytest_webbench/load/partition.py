"""One load in parts: split between generators at once, or made on several sets of connections in sequence.

Pure: returns shards and draws, and merges their results into that of the whole load.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from pytest_webbench.analysis.statistics import join_latencies
from pytest_webbench.analysis.text import join_examples
from pytest_webbench.load.schedule import TURN_REQUESTS, amount_of_turn
from pytest_webbench.model.http import Exchange
from pytest_webbench.model.load import Amount, Arrivals, Draw, Held, Load, LoadResult, Schedule

__all__ = [
    "DRAWS",
    "Drawing",
    "Shard",
    "connections_of_each",
    "draws_of",
    "join_draws",
    "merge",
    "part_of",
    "partition",
    "put_together",
    "surplus",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One generator's part of a load; its request ``n`` is request ``numbers[n]`` of the whole."""

    load: Load
    numbers: range


def partition(load: Load, parts: int) -> list[Shard]:
    """Split ``load`` into ``parts`` shards, or fewer: each has a user, and in a schedule a request.

    Users are spread as evenly as possible. An amount of requests is cut into ranges, in proportion to
    the users. With a duration the number of requests is not known in advance, and a schedule gives all
    shards the same rate: there, shard ``i`` of ``N`` takes the numbers ``i``, ``i + N``, ``i + 2N`` and
    so on. Together, constant arrivals are due when those of the whole load would be. Poisson arrivals
    are independent in each shard, so that their sum is Poisson too.
    """
    limit = load.most_requests
    parts = max(1, min(parts, load.users, limit))
    if parts == 1:
        return [Shard(load=load, numbers=range(limit))]
    users = [load.users // parts + (part < load.users % parts) for part in range(parts)]
    if load.schedule is None and load.amount.requests is not None:
        return _cut(load, users, limit)
    return _deal(load, users, limit)


def merge(results: Sequence[tuple[Shard, LoadResult]]) -> LoadResult:
    """Merge the results of all shards into that of the whole load.

    Counts are sums, and times are kept as each shard has them. The elapsed time is that of the longest;
    ``generator_busy`` is that of the busiest generator.
    """
    each = [result for _, result in results]
    return put_together(
        each,
        users=sum(result.users for result in each),
        elapsed_s=max(result.elapsed_s for result in each),
        unconfirmed=_unconfirmed(results),
        turns=max(result.turns for result in each),
    )


def put_together(
    each: Sequence[LoadResult], *, users: int, elapsed_s: float, unconfirmed: tuple[int, ...], turns: int
) -> LoadResult:
    """Combine what several results have in common, whether they ran at once or in succession."""
    scheduled = sum(result.scheduled for result in each)
    examples = join_examples(each)
    errors: Counter[str] = Counter()
    for result in each:
        errors.update(result.errors)
    return LoadResult(
        users=users,
        elapsed_s=elapsed_s,
        sent=sum(result.sent for result in each),
        ok=sum(result.ok for result in each),
        errors=dict(errors),
        in_flight=sum(result.in_flight for result in each),
        latency_ns=join_latencies(result.latency_ns for result in each),
        ttfb_ns=join_latencies(result.ttfb_ns for result in each),
        service_ns=join_latencies(result.service_ns for result in each),
        in_flight_s=math.fsum(result.in_flight_s for result in each),
        error_s=math.fsum(result.error_s for result in each),
        unconfirmed=unconfirmed,
        unnamed=sum(result.unnamed for result in each),
        generator_cpu_s=math.fsum(result.generator_cpu_s for result in each),
        generator_busy=max(result.generator_busy for result in each),
        connections_opened=sum(result.connections_opened for result in each),
        bytes_received=sum(result.bytes_received for result in each),
        scheduled=scheduled,
        dropped=sum(result.dropped for result in each),
        lag_s=math.fsum(result.lag_s * result.scheduled for result in each) / max(scheduled, 1),
        late=sum(result.late for result in each),
        examples=examples.texts,
        example_counts=examples.counts,
        longest_in_flight_s=max(result.longest_in_flight_s for result in each),
        turns=turns,
    )


def _cut(load: Load, users: list[int], limit: int) -> list[Shard]:
    """Cut the numbers below ``limit`` into ranges, each in proportion to the ``users`` of its shard."""
    ends = [limit * upto // load.users for upto in accumulate(users)]
    shards = []
    for own, start, end in zip(users, [0, *ends], ends, strict=False):
        warm_up = load.warm_up and _in_proportion(load.warm_up, (end - start) / limit)
        first = start % len(load.exchanges)
        # A shard may have no request, but a load needs an exchange.
        kept = max(1, min(end - start, len(load.exchanges)))
        exchanges = (load.exchanges[first:] + load.exchanges[:first])[:kept]
        amount = Amount(requests=end - start)
        part = replace(load, users=own, amount=amount, exchanges=exchanges, warm_up=warm_up)
        shards.append(Shard(load=part, numbers=range(start, end)))
    return shards


def _deal(load: Load, users: list[int], limit: int) -> list[Shard]:
    """Deal the numbers below ``limit`` to the shards in turn, like cards."""
    parts = len(users)
    shards = []
    for part, own in enumerate(users):
        numbers = range(part, limit, parts)
        amount = load.amount if load.amount.requests is None else Amount(requests=len(numbers))
        schedule = load.schedule and _part_of(load.schedule, part, parts)
        exchanges = _every(load, part, parts)
        dealt = replace(load, users=own, amount=amount, exchanges=exchanges, schedule=schedule)
        shards.append(Shard(load=dealt, numbers=numbers))
    return shards


def _in_proportion(amount: Amount, part: float) -> Amount:
    """Return the fraction ``part`` of an amount of requests; a duration stays whole."""
    return amount if amount.requests is None else Amount(requests=round(amount.requests * part))


def _every(load: Load, part: int, parts: int) -> tuple[Exchange, ...]:
    """Return the exchanges of the numbers ``part``, ``part + parts`` and so on, until they repeat."""
    if not load.repeat:
        return load.exchanges[part::parts]
    count = len(load.exchanges)
    period = count // math.gcd(count, parts)
    return tuple(load.exchanges[(part + turn * parts) % count] for turn in range(period))


def _part_of(schedule: Schedule, part: int, parts: int) -> Schedule:
    rate = schedule.rate / parts
    if schedule.arrivals is Arrivals.CONSTANT:
        return replace(schedule, rate=rate, offset_s=schedule.offset_s + part / schedule.rate)
    # A hash: seeds often differ by a small number, and must not collide with those of other parts.
    return replace(schedule, rate=rate, seed=random.Random(f"{schedule.seed}/{part}").getrandbits(53))


def _unconfirmed(results: Sequence[tuple[Shard, LoadResult]]) -> tuple[int, ...]:
    return tuple(sorted(part.numbers[number] for part, result in results for number in result.unconfirmed))


def connections_of_each(held: Held, ports: Sequence[int]) -> tuple[int, ...]:
    """Return how many of the connections from ``ports`` each process has, the largest first."""
    return tuple(sorted(_counts(held, ports).values(), reverse=True))


def surplus(held: Held, ports: Sequence[int]) -> tuple[int, ...]:
    """Return the ports of connections that other processes should have.

    Empty if the counts differ by at most 1.
    """
    counts = _counts(held, ports)
    kept = list(ports)
    moved: list[int] = []
    while counts and max(counts.values()) - min(counts.values()) > 1:
        most, least = max(counts, key=lambda each: counts[each]), min(counts, key=lambda each: counts[each])
        port = next(each for each in reversed(kept) if held.by_port.get(each) == most)
        kept.remove(port)
        moved.append(port)
        counts[most] -= 1
        counts[least] += 1
    return tuple(moved)


def _counts(held: Held, ports: Sequence[int]) -> Counter[int]:
    counts = Counter(dict.fromkeys(held.processes, 0))
    counts.update(held.by_port[port] for port in ports if held.by_port.get(port) in counts)
    return counts


DRAWS = 5
"""Sets of connections in a round: enough to reveal two speeds in most rounds, at hardly any cost in time."""
SHORTEST_S = 0.1
"""The shortest load on one set of connections, in seconds."""


def draws_of(amount: Amount, users: int) -> int:
    """Return how many sets of connections a load can have, so that each is informative."""
    if amount.duration_s is not None:
        most = int(amount.duration_s / SHORTEST_S + 1e-9)
    else:
        assert amount.requests is not None
        most = amount.requests // (TURN_REQUESTS * users)
    return max(1, min(DRAWS, most))


def part_of(load: Load, *, draw: int, draws: int, sent: int) -> Load | None:
    """Return the part of ``load`` for ``draw``, from 0, of ``draws``, once ``sent`` requests have been sent.

    Its request 0 is request ``sent`` of the whole load. ``None`` if the load has no more requests.
    """
    first = sent % len(load.exchanges) if load.repeat else sent
    exchanges = load.exchanges[first:] + (load.exchanges[:first] if load.repeat else ())
    if not exchanges:
        return None
    schedule = load.schedule
    if schedule is not None:
        seed = random.Random(f"{schedule.seed}/draw {draw}").getrandbits(53) if draw else schedule.seed
        schedule = replace(schedule, seed=seed)
    return replace(
        load,
        amount=amount_of_turn(load.amount, turn=draw, turns=draws),
        exchanges=exchanges,
        schedule=schedule,
        turns=max(1, load.turns // draws),
        warm_up=load.warm_up and _some(amount_of_turn(load.warm_up, turn=draw, turns=draws)),
    )


def _some(amount: Amount) -> Amount | None:
    return None if amount.requests == 0 else amount


def join_draws(results: Sequence[LoadResult]) -> LoadResult:
    """Merge the results of a load's draws, at least one and in order, into that of the whole load."""
    draws = tuple(Draw(ok=each.ok, elapsed_s=each.elapsed_s, held=each.held) for each in results)
    if len(results) == 1:
        return replace(results[0], draws=draws)
    unconfirmed: list[int] = []
    sent = 0
    for result in results:
        unconfirmed += [sent + number for number in result.unconfirmed]
        sent += result.sent
    whole = put_together(
        results,
        users=results[0].users,
        elapsed_s=math.fsum(result.elapsed_s for result in results),
        unconfirmed=tuple(unconfirmed),
        turns=sum(result.turns for result in results),
    )
    least_even = max((each.held for each in results if each.held), key=_gap, default=())
    return replace(whole, held=least_even, draws=draws)


def _gap(held: tuple[int, ...]) -> int:
    return held[0] - held[-1]


class Drawing:
    """Hands out the parts of ``load`` and merges their results."""

    def __init__(self, load: Load, draws: int) -> None:
        self._load = load
        self._draws = draws
        self._results: list[LoadResult] = []

    def next(self) -> Load | None:
        """Return the next part; ``None`` if there is none."""
        draw = len(self._results)
        if draw == 0 and self._draws == 1:
            return self._load
        if draw == self._draws:
            return None
        sent = sum(result.sent for result in self._results)
        return part_of(self._load, draw=draw, draws=self._draws, sent=sent)

    def add(self, result: LoadResult) -> None:
        """Add the result of the part that was handed out."""
        self._results.append(result)

    def whole(self) -> LoadResult:
        """Return the result of the whole load."""
        return join_draws(self._results)
