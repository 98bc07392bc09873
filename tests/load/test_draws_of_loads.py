"""A load in several draws has the requests of the whole, and its result is that of the whole."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.validity import draws_differ
from pytest_webbench.load.fake import FakeEngine
from pytest_webbench.load.partition import Drawing, draws_of, join_draws, part_of
from pytest_webbench.model.http import Answer, Effect, EffectKind, Exchange, Request
from pytest_webbench.model.load import Amount, Draw, ErrorClass, Load, Schedule
from tests.builders import make_result


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
        "probably do not share them evenly; the figure is the mean"
    )
    (said,) = drawn(1796, 838, 1879, held=(5, 5))
    assert said.endswith("the server's processes had as many each, so it is something else that varies")
    assert drawn(1796, 1838, 1879) == []
    assert drawn() == drawn(5) == []


def test_an_engine_that_cannot_share_connections_is_named() -> None:
    draws = (Draw(ok=1, elapsed_s=1.0), Draw(ok=2, elapsed_s=1.0))
    (said,) = draws_differ([replace(make_result(), draws=draws)], engine="k6")
    assert "k6 cannot give each of the server's processes as many" in said
