"""Which connections are opened anew so that each process has as many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.load.partition import connections_of_each, surplus
from pytest_webbench.model.load import Held


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
