"""Loops that make a handler execute so many more instructions."""

from typing import Any

from gate_bench.loops import choose_turns
from gate_bench.repository import with_loop

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


def test_turns_are_chosen_by_the_cost_of_a_loop_of_that_length() -> None:
    def count(turns: int) -> float:
        return 400 + 60 * min(turns, 256) + 100 * max(0, turns - 256)  # as large integers cost more

    loop = choose_turns(1_000_000, 0.02, count)
    assert abs(loop.instructions / 1_000_000 - 0.02) < 0.0002
    assert loop.instructions == count(loop.turns)
