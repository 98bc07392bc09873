"""From stacks to the rectangles of a flame graph."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.hot_spots import APPLICATION, OTHER, flame
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile, FlameRect

CELL = Cell(scenario="hello", stack="one")


def rects(stacks: dict[str, int], smallest: float = 0.0) -> list[FlameRect]:
    return list(flame(CodeProfile(cell=CELL, rate_hz=100, stacks=stacks), smallest=smallest))


def test_callers_carry_their_callees_and_lines_are_merged() -> None:
    found = rects(
        {
            "main (./app.py:1);get (flask/app.py:1)": 50,
            "main (./app.py:2);get (flask/app.py:7)": 25,
            "main (./app.py:2)": 15,
            "boot (./boot.py:2)": 10,
        }
    )
    assert [(each.depth, each.start, each.width, each.label, each.samples) for each in found] == [
        (0, 0.0, 0.9, "main (./app.py)", 90),
        (1, 0.0, 0.75, "get (flask/app.py)", 75),
        (0, 0.9, 0.1, "boot (./boot.py)", 10),
    ]
    assert [each.part for each in found] == [APPLICATION, "framework", APPLICATION]


def test_recursion_is_as_deep_as_it_was() -> None:
    found = rects({"f (./a.py:1);f (./a.py:1);f (./a.py:1)": 3})
    assert [each.depth for each in found] == [0, 1, 2]


def test_machine_code_of_the_interpreter_is_left_out_and_that_of_parts_is_kept() -> None:
    found = rects(
        {"f (./a.py:1);_PyEval (libpython3.13.so);encode (Modules/_json.c:3);memcpy (libc.so.6)": 3}
    )
    assert [(each.label, each.part) for each in found] == [
        ("f (./a.py)", APPLICATION),
        ("encode (Modules/_json.c)", "JSON"),
    ]


def test_python_without_a_part_has_that_of_its_caller() -> None:
    found = rects({"boot (python3.13/threading.py:1);f (./a.py:1);sub (python3.13/re/__init__.py:1)": 1})
    assert [each.part for each in found] == [OTHER, APPLICATION, APPLICATION]


def test_small_siblings_are_folded_into_one() -> None:
    stacks = {"f (./a.py:1);big (./a.py:1)": 90} | {f"f (./a.py:1);g{n} (./a.py:1)": 1 for n in range(10)}
    found = rects(stacks, smallest=0.05)
    assert [(each.label, each.samples) for each in found] == [
        ("f (./a.py)", 100),
        ("big (./a.py)", 90),
        ("10 more functions", 10),
    ]
    assert [each.label for each in rects(stacks, smallest=0.2)] == ["f (./a.py)", "big (./a.py)"]


def test_waiting_and_nothing_have_no_rectangle() -> None:
    assert rects({}) == []
    assert rects({"f (./a.py:1);epoll_wait (libc.so.6)": 5}) == []


names = st.sampled_from(["a (./a.py:1)", "a (./a.py:2)", "b (flask/b.py:1)", "c (libc.so.6)", "d (x.py:1)"])
stacks_of_names = st.dictionaries(
    st.lists(names, min_size=1, max_size=5).map(";".join), st.integers(1, 50), min_size=1, max_size=12
)


@given(stacks_of_names, st.sampled_from([0.0, 0.01, 0.2]))
def test_rectangles_lie_within_their_callers_and_never_on_each_other(
    stacks: dict[str, int], smallest: float
) -> None:
    found = rects(stacks, smallest)
    for each in found:
        assert each.width > 0
        assert each.start + each.width <= 1 + 1e-9
        if each.depth:
            assert any(
                other.depth == each.depth - 1
                and other.start <= each.start + 1e-9
                and each.start + each.width <= other.start + other.width + 1e-9
                for other in found
            )
    for depth in {each.depth for each in found}:
        row = sorted((each.start, each.start + each.width) for each in found if each.depth == depth)
        assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(row))
