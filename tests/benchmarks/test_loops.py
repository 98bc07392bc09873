"""Loops that make a handler execute so many more instructions."""

from typing import Any

import pytest
from gate_bench.loops import choose_turns
from gate_bench.repository import with_loop

from pytest_webbench.model.errors import WebbenchError

SOURCE = '''"""A module."""

import asyncio


@asyncio.coroutine
def get_item(item_id):
    """Say which."""
    return item_id


def other():
    return get_item(1)
'''


def test_the_loop_is_the_first_that_the_handler_does() -> None:
    names: dict[str, Any] = {"seen": []}
    source = with_loop(SOURCE, "get_item", 7).replace("@asyncio.coroutine\n", "")
    exec(source.replace("pass", "seen.append(_)"), names)
    assert names["get_item"](3) == 3
    assert names["seen"] == list(range(7))


def test_what_is_around_the_loop_stays() -> None:
    changed = with_loop(SOURCE, "get_item", 7).splitlines()
    assert [line for line in changed if line not in SOURCE.splitlines()] == [
        "    for _ in range(7):",
        "        pass",
    ]


@pytest.mark.parametrize("growth", [0.005, 0.02])
def test_turns_are_chosen_by_what_a_loop_of_that_length_costs(growth: float) -> None:
    def count(turns: int) -> float:
        return 90 * min(turns, 256) + 240 * max(0, turns - 256)  # small integers are ready, others are made

    loop = choose_turns(1_431_000, growth, count)
    assert loop.instructions == count(loop.turns)
    assert loop.instructions / 1_431_000 == pytest.approx(growth, abs=0.0002)


def test_loops_that_cost_nothing_are_an_error() -> None:
    with pytest.raises(WebbenchError, match="not counted"):
        choose_turns(1_431_000, 0.02, lambda _: 0.0)
