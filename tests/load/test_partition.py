"""A load in parts is the undivided load, and so is what they saw."""

from array import array
from collections import Counter
from dataclasses import replace
from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.validity import draws_differ
from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.load.partition import (
    Drawing,
    Shard,
    connections_of_each,
    draws_of,
    join_draws,
    merge,
    part_of,
    partition,
    surplus,
)
from pytest_webbench.model.http import Answer, Effect, EffectKind, Exchange, Request
from pytest_webbench.model.load import (
    Amount,
    Arrivals,
    Draw,
    ErrorClass,
    Held,
    Latencies,
    Load,
    LoadResult,
    Schedule,
)
from tests.builders import make_result

# Shards, by several generators at once.


def exchanges(count: int) -> tuple[Exchange, ...]:
    return tuple(Exchange(request=Request(path=f"/{n}"), answer=Answer()) for n in range(count))


amounts = st.one_of(
    st.builds(lambda n: Amount(requests=n), st.integers(0, 300)),
    st.builds(lambda s: Amount(duration_s=s), st.floats(0.1, 60)),
)
schedules = st.builds(
    Schedule,
    rate=st.floats(0.5, 1e5),
    arrivals=st.sampled_from(Arrivals),
    seed=st.integers(0, 2**40),
    offset_s=st.floats(0, 5),
)
loads = st.builds(
    Load,
    users=st.integers(1, 40),
    amount=amounts,
    exchanges=st.builds(exchanges, st.integers(1, 30)),
    repeat=st.booleans(),
    timeout_s=st.floats(0.1, 60),
    schedule=st.none() | schedules,
)
parts = st.integers(1, 12)


def most_requests(load: Load) -> int | None:
    bounds = [load.amount.requests, None if load.repeat else len(load.exchanges)]
    return min((bound for bound in bounds if bound is not None), default=None)


def sent(part: Shard, at_most: int = 200) -> list[tuple[int, Exchange]]:
    """The global number and the exchange of the requests of ``part``, as an engine sends them."""
    limit = most_requests(part.load)
    own = part.load.exchanges
    return [
        (part.numbers[n], own[n % len(own)]) for n in range(at_most if limit is None else min(limit, at_most))
    ]


@given(loads, parts, st.floats(0, 1))
def test_a_warm_up_is_shared_as_the_load_is(load: Load, parts: int, portion: float) -> None:
    """No shard has more of it than of the load: where each request is sent once, there is no more."""
    limit = load.most_requests
    whole = Amount(requests=round(limit * portion)) if load.amount.requests else Amount(duration_s=0.5)
    shards = partition(replace(load, schedule=None, warm_up=whole), parts)
    warm_ups = [each.load.warm_up for each in shards]
    if whole.requests is None:
        assert warm_ups == [whole] * len(shards)
    else:
        counts = [each.requests for each in warm_ups if each and each.requests is not None]
        assert len(counts) == len(shards)
        assert abs(sum(counts) - whole.requests) <= len(shards)
        assert all(count <= each.load.most_requests for count, each in zip(counts, shards, strict=True))


@given(loads, parts)
def test_users_add_up_and_are_spread_evenly(load: Load, parts: int) -> None:
    shards = partition(load, parts)
    users = [each.load.users for each in shards]
    assert 1 <= len(shards) <= min(parts, load.users)
    assert sum(users) == load.users
    assert max(users) - min(users) <= 1


@given(loads, parts)
def test_every_request_is_sent_once_and_is_the_one_of_the_undivided_load(load: Load, parts: int) -> None:
    shards = partition(load, parts)
    everything = [one for each in shards for one in sent(each, at_most=500)]
    count = len(load.exchanges)
    assert all(exchange == load.exchanges[number % count] for number, exchange in everything)
    numbers = sorted(number for number, _ in everything)
    limit = most_requests(load)
    expected = 500 * len(shards) if limit is None else limit
    assert numbers == list(range(expected))


@given(loads, parts)
def test_every_shard_is_a_load_that_an_engine_takes(load: Load, parts: int) -> None:
    for each in partition(load, parts):
        assert each.load.users >= 1
        assert each.load.exchanges
        assert each.load.timeout_s == load.timeout_s
        assert each.load.amount.duration_s == load.amount.duration_s
        assert len(each.load.exchanges) <= len(load.exchanges)


@given(loads)
def test_one_shard_is_the_load_itself(load: Load) -> None:
    (only,) = partition(load, 1)
    assert only.load == load
    assert only.numbers[:50] == range(50)[: len(only.numbers)]


def test_requests_are_cut_into_ranges_in_proportion_to_the_users() -> None:
    shards = partition(Load(users=5, amount=Amount(requests=100), exchanges=exchanges(7)), 3)
    assert [each.load.users for each in shards] == [2, 2, 1]
    assert [each.numbers for each in shards] == [range(40), range(40, 80), range(80, 100)]
    assert [each.load.amount.requests for each in shards] == [40, 40, 20]
    assert shards[1].load.exchanges[0].request.path == "/5"


def test_fewer_requests_than_generators() -> None:
    """Everybody has a user, so that as many connect as in the undivided load."""
    shards = partition(Load(users=15, amount=Amount(requests=10), exchanges=exchanges(3)), 10)
    assert sum(each.load.users for each in shards) == 15
    assert sum(each.load.amount.requests or 0 for each in shards) == 10
    assert len(partition(Load(users=15, amount=Amount(requests=2), exchanges=exchanges(3)), 10)) == 2
    once = Load(users=15, amount=Amount(duration_s=1), exchanges=exchanges(3), repeat=False)
    assert [len(each.load.exchanges) for each in partition(once, 10)] == [1, 1, 1]


def due_s(schedule: Schedule, count: int) -> list[float]:
    return [schedule.offset_s + turn / schedule.rate for turn in range(count)]


@given(
    st.integers(1, 40),
    st.floats(0.5, 1e5),
    st.floats(0, 5),
    parts,
    st.one_of(st.just(Amount(duration_s=10)), st.builds(lambda n: Amount(requests=n), st.integers(1, 300))),
)
def test_constant_arrivals_together_are_those_of_the_undivided_load(
    users: int, rate: float, offset_s: float, parts: int, amount: Amount
) -> None:
    """Request number n is due when it would be, up to a nanosecond."""
    schedule = Schedule(rate=rate, offset_s=offset_s)
    load = Load(users=users, amount=amount, exchanges=exchanges(3), schedule=schedule)
    whole = due_s(schedule, 3000)
    for each in partition(load, parts):
        assert each.load.schedule is not None
        count = min(len(each.numbers), 200)
        for number, due in zip(each.numbers, due_s(each.load.schedule, count), strict=False):
            assert due == pytest.approx(whole[number], abs=1e-9, rel=1e-12)


@given(st.integers(0, 2**40), st.integers(2, 12))
def test_poisson_arrivals_have_chances_of_their_own(seed: int, parts: int) -> None:
    def seeds(of: int) -> list[int]:
        schedule = Schedule(rate=90, arrivals=Arrivals.POISSON, seed=of)
        load = Load(users=40, amount=Amount(duration_s=1), exchanges=exchanges(1), schedule=schedule)
        shards = [each.load.schedule for each in partition(load, parts)]
        assert [each.rate for each in shards if each] == [pytest.approx(90 / parts)] * parts
        return [each.seed for each in shards if each]

    assert seeds(seed) == seeds(seed)
    together = [*seeds(seed), *seeds(seed + 1), *seeds(seed + parts)]
    assert len(set(together)) == 3 * parts


def result(**changes: object) -> LoadResult:
    plain: dict[str, object] = {
        "users": 1,
        "elapsed_s": 1.0,
        "sent": 0,
        "ok": 0,
        "errors": {},
        "in_flight": 0,
        "latency_ns": Latencies(),
        "ttfb_ns": Latencies(),
    }
    return LoadResult(**(plain | changes))  # type: ignore[arg-type]


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[Load, list[tuple[Shard, LoadResult]], Counter[int]]:
    """A load, what its shards saw, and the latency of each right request by its global number."""
    load = Load(users=draw(st.integers(1, 9)), amount=draw(amounts), exchanges=exchanges(5))
    results = []
    right: Counter[int] = Counter()
    for each in partition(load, draw(parts)):
        numbers = [number for number, _ in sent(each, at_most=30)]
        bad = {n for n in range(len(numbers)) if draw(st.booleans())}
        latencies = [1000 + numbers[n] for n in range(len(numbers)) if n not in bad]
        right.update(latencies)
        seen = result(
            users=each.load.users,
            elapsed_s=draw(st.floats(0.1, 9)),
            sent=len(numbers),
            ok=len(latencies),
            errors={"reset": len(bad)} if bad else {},
            latency_ns=Latencies(array(draw(st.sampled_from("IQ")), latencies)),
            ttfb_ns=Latencies(array("I", latencies)),
            unconfirmed=tuple(sorted(bad)),
        )
        results.append((each, seen))
    return load, results, right


@given(outcomes())
def test_nothing_is_lost_and_nothing_is_made_up(
    outcome: tuple[Load, list[tuple[Shard, LoadResult]], Counter[int]],
) -> None:
    load, results, right = outcome
    whole = merge(results)
    assert whole.users == load.users
    assert Counter(whole.latency_ns.samples) == Counter(whole.ttfb_ns.samples) == right
    assert whole.sent == whole.ok + sum(whole.errors.values())
    everything = chain.from_iterable(sent(each, at_most=30) for each, _ in results)
    confirmed = {latency - 1000 for latency in right}
    assert set(whole.unconfirmed) == {number for number, _ in everything} - confirmed
    assert list(whole.unconfirmed) == sorted(whole.unconfirmed)
    assert whole.elapsed_s == max(seen.elapsed_s for _, seen in results)


def merged(*results: LoadResult) -> LoadResult:
    load = Load(users=9, amount=Amount(duration_s=1), exchanges=exchanges(1))
    return merge(list(zip(partition(load, len(results)), results, strict=True)))


def test_times_of_eight_bytes_stay_whole() -> None:
    long = 2**40
    few, many = Latencies(array("I", [1, 2])), Latencies(array("Q", [long]))
    whole = merged(result(latency_ns=few, ttfb_ns=few), result(latency_ns=many, ttfb_ns=few))
    assert whole.latency_ns == Latencies(array("Q", [1, 2, long]))
    assert (whole.latency_ns.samples.typecode, whole.ttfb_ns.samples.typecode) == ("Q", "I")
    assert whole.ttfb_ns == Latencies(array("I", [1, 2, 1, 2]))
    assert few == Latencies(array("I", [1, 2]))


def test_errors_are_added_class_by_class_and_the_first_examples_kept() -> None:
    whole = merged(
        result(errors={"reset": 2, "wrong_body": 1}, examples=("a",), error_s=1.5, in_flight=1),
        result(errors={"reset": 3}, examples=("b", "c", "d"), error_s=0.5, in_flight=2),
    )
    assert whole.errors == {"reset": 5, "wrong_body": 1}
    assert whole.examples == ("a", "b", "c")
    assert (whole.error_s, whole.in_flight) == (2.0, 3)


def test_what_the_generators_cost() -> None:
    whole = merged(
        result(generator_cpu_s=1.0, generator_busy=0.2, connections_opened=3, bytes_received=10),
        result(generator_cpu_s=3.0, generator_busy=0.7, connections_opened=4, bytes_received=20),
    )
    assert (whole.generator_cpu_s, whole.generator_busy) == (4.0, 0.7)
    assert (whole.connections_opened, whole.bytes_received) == (7, 30)


def test_how_late_an_open_loop_was_on_average() -> None:
    whole = merged(
        result(scheduled=300, lag_s=0.001, late=5, dropped=1, service_ns=Latencies(array("I", [7]))),
        result(scheduled=100, lag_s=0.005, late=2, dropped=2, service_ns=Latencies(array("I", [8]))),
    )
    assert (whole.scheduled, whole.late, whole.dropped) == (400, 7, 3)
    assert whole.lag_s == pytest.approx(0.002)
    assert list(islice(whole.service_ns.samples, 5)) == [7, 8]
    assert merged(result(), result()).lag_s == 0


# Connections that are opened anew.


def held(*counts: int) -> tuple[Held, list[int]]:
    """Process 1 holds ``counts[0]`` connections, process 2 ``counts[1]``, and so on."""
    ports = list(range(1000, 1000 + sum(counts)))
    owners = [process for process, count in enumerate(counts, 1) for _ in range(count)]
    processes = tuple(range(1, len(counts) + 1))
    return Held(processes=processes, by_port=dict(zip(ports, owners, strict=True))), ports


@pytest.mark.parametrize(
    ("counts", "moved"),
    [
        ((2, 2), 0),
        ((2, 1), 0),  # not to be shared more evenly
        ((3, 1), 1),
        ((4, 0), 2),
        ((50, 0), 25),
        ((1, 0), 0),
        ((0, 0), 0),
        ((7,), 0),
        ((6, 0, 0), 4),
        ((5, 3, 1), 2),
    ],
)
def test_no_more_than_the_surplus_moves(counts: tuple[int, ...], moved: int) -> None:
    assert len(surplus(*held(*counts))) == moved


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_what_stays_is_even_if_the_rest_goes_where_it_is_missing(counts: list[int]) -> None:
    found, ports = held(*counts)
    moved = surplus(found, ports)
    stays = connections_of_each(found, [port for port in ports if port not in moved])
    least = len(ports) // len(counts)
    assert max(stays) <= least + 1
    assert sum(max(0, least - each) for each in stays) <= len(moved)


def test_connections_of_others_do_not_count() -> None:
    found = Held(processes=(1, 2), by_port={1000: 1, 1001: 1, 1002: 1, 1003: 2, 9: 1, 10: 3})
    assert connections_of_each(found, [1000, 1003, 10]) == (1, 1)
    assert surplus(found, [1000, 1003, 10]) == ()


# Draws, one after the other.


def make_load(exchanges: int, amount: Amount, *, repeat: bool = True) -> Load:
    asked = tuple(
        Exchange(
            request=Request(path=f"/{number}"),
            answer=Answer(),
            effect=Effect(kind=EffectKind.REMOVE, key=number),
        )
        for number in range(exchanges)
    )
    return Load(users=2, amount=amount, exchanges=asked, repeat=repeat)


@given(st.integers(1, 7), st.integers(1, 60), st.integers(1, 5), st.booleans())
def test_the_draws_have_the_requests_of_the_whole_load(
    exchanges: int, requests: int, draws: int, repeat: bool
) -> None:
    load = make_load(exchanges, Amount(requests=requests), repeat=repeat)
    paths: list[str] = []
    for draw in range(draws):
        part = part_of(load, draw=draw, draws=draws, sent=len(paths))
        if part is not None:
            paths += [part.exchanges[n % len(part.exchanges)].request.path for n in range(part.most_requests)]
    assert paths == [f"/{number % exchanges}" for number in range(load.most_requests)]


def test_what_failed_keeps_its_number() -> None:
    load = make_load(7, Amount(requests=50))
    engine = FakeEngine(errors={ErrorClass.RESET: 4})
    drawing = Drawing(load, 3)
    numbers: list[int] = []
    sent = 0
    while (part := drawing.next()) is not None:
        result = engine.run(part, "http://127.0.0.1:1")
        numbers += [sent + number for number in result.unconfirmed]
        sent += result.sent
        drawing.add(result)
    whole = drawing.whole()
    assert (whole.sent, whole.turns, len(whole.draws)) == (50, 3, 3)
    assert whole.unconfirmed == tuple(numbers)
    assert whole.elapsed_s == pytest.approx(sum(draw.elapsed_s for draw in whole.draws))
    assert whole.ok == len(whole.latency_ns) == sum(draw.ok for draw in whole.draws)


def test_poisson_arrivals_of_another_draw_are_others() -> None:
    load = replace(make_load(1, Amount(duration_s=5)), schedule=Schedule(rate=10, seed=3))
    schedules = [part_of(load, draw=draw, draws=5, sent=0) for draw in range(5)]
    assert len({part.schedule.seed for part in schedules if part and part.schedule}) == 5


@pytest.mark.parametrize(
    ("amount", "users", "draws"),
    [
        (Amount(duration_s=10), 50, 5),
        (Amount(duration_s=0.3), 50, 3),
        (Amount(duration_s=0.05), 50, 1),
        (Amount(requests=1000), 10, 5),
        (Amount(requests=300), 10, 3),
        (Amount(requests=100), 10, 1),
    ],
)
def test_a_draw_is_long_enough_to_say_something(amount: Amount, users: int, draws: int) -> None:
    assert draws_of(amount, users) == draws


def test_the_least_even_shares_are_those_of_the_whole() -> None:
    results = [make_result(), replace(make_result(), held=(3, 1)), replace(make_result(), held=(2, 2))]
    whole = join_draws(results)
    assert whole.held == (3, 1)
    assert [draw.held for draw in whole.draws] == [(), (3, 1), (2, 2)]


def drawn(*rates: int, held: tuple[int, ...] = ()) -> list[str]:
    draws = tuple(Draw(ok=rate, elapsed_s=1.0, held=held) for rate in rates)
    return list(draws_differ([replace(make_result(), draws=draws)], engine="native"))


def test_sets_of_connections_with_two_speeds_are_said() -> None:
    (said,) = drawn(1796, 838, 1879)
    assert said == (
        "3 sets of connections differ by up to 55% (838 to 1,879 requests/s): the server's processes "
        "probably do not share them evenly; the result is the mean"
    )
    (said,) = drawn(1796, 838, 1879, held=(5, 5))
    assert said.endswith("the server's processes had equal numbers of connections, so something else varies")
    assert drawn(1796, 1838, 1879) == []
    assert drawn() == drawn(5) == []


def test_an_engine_that_cannot_share_connections_is_named() -> None:
    draws = (Draw(ok=1, elapsed_s=1.0), Draw(ok=2, elapsed_s=1.0))
    (said,) = draws_differ([replace(make_result(), draws=draws)], engine="k6")
    assert "k6 cannot spread them evenly across the server's processes" in said
