"""How the samples of Python calls are divided into the machine code that ran for them."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.hot_spots import add_machine_code

LINE = "main (./app.py:1);list_items (./views.py:15)"


def test_the_samples_of_a_line_are_shared_out_as_the_machine_code_was_met_there() -> None:
    deep = {
        f"{LINE};fetch (_sqlite/cursor.c)": 6,
        f"other (./other.py:1);{LINE.split(';')[1]};dumps (Modules/_json.c);memcpy (libc.so.6)": 2,
        LINE: 2,
    }
    assert add_machine_code({LINE: 100}, deep) == {
        f"{LINE};fetch (_sqlite/cursor.c)": 60,
        f"{LINE};dumps (Modules/_json.c);memcpy (libc.so.6)": 20,
        LINE: 20,
    }


def test_how_often_a_line_was_met_is_not_taken_from_the_lossy_samples() -> None:
    stacks = {LINE: 10, "main (./app.py:1);validate (pydantic/type_adapter.py:3)": 90}
    assert add_machine_code(stacks, {f"{LINE};fetch (_sqlite/cursor.c)": 99}) == {
        f"{LINE};fetch (_sqlite/cursor.c)": 10,
        "main (./app.py:1);validate (pydantic/type_adapter.py:3)": 90,
    }


def test_a_line_that_was_not_met_divides_as_its_function_does() -> None:
    deep = {"list_items (./views.py:99);fetch (_sqlite/cursor.c)": 1}
    assert add_machine_code({LINE: 5}, deep) == {f"{LINE};fetch (_sqlite/cursor.c)": 5}


def test_waits_for_other_threads_have_no_share() -> None:
    deep = {
        f"{LINE};take_gil (libpython3.13.so);pthread_cond_timedwait (libc.so.6)": 99,
        f"{LINE};fetch (_sqlite/cursor.c)": 1,
    }
    assert add_machine_code({LINE: 7}, deep) == {f"{LINE};fetch (_sqlite/cursor.c)": 7}


def test_an_event_loop_in_machine_code_waits_as_often_as_it_was_seen_to() -> None:
    loop = "Runner.run (python3.13/asyncio/runners.py:118)"
    waiting, working = f"{loop};epoll_pwait (libc.so.6)", f"{loop};uv__read (unix/stream.c)"
    assert add_machine_code({loop: 10}, {waiting: 9, working: 1}) == {waiting: 9, working: 1}


def test_python_that_waits_stays_a_wait() -> None:
    waiting = "f (./a.py:1);Condition.wait (python3.13/threading.py:359)"
    deep = {f"{waiting};lock_release (libpython3.13.so)": 3}
    assert add_machine_code({waiting: 5}, deep) == {waiting: 5}


def test_stacks_of_one_line_get_each_a_part_of_it() -> None:
    """Many stacks that were met once must not all get the code that was met most."""
    stacks = {f"f{number} (./a.py:1);{LINE}": 1 for number in range(40)}
    found = add_machine_code(stacks, {f"{LINE};a (libsqlite3.so)": 3, f"{LINE};b (libsqlite3.so)": 1})
    assert Counter(stack[-18:] for stack in found) == {";a (libsqlite3.so)": 30, ";b (libsqlite3.so)": 10}


def test_without_machine_code_all_stays_as_it_is() -> None:
    assert add_machine_code({LINE: 5, "": 3}, {}) == {LINE: 5, "": 3}
    assert add_machine_code({}, {LINE: 3}) == {}


frames = st.sampled_from(
    ["a (./a.py:1)", "a (./a.py:2)", "b (b.py:1)", "c (libc.so.6)", "take_gil (python)", "odd"]
)
stacks_of = st.dictionaries(st.lists(frames, min_size=1, max_size=4).map(";".join), st.integers(1, 30))


@given(stacks_of, stacks_of)
def test_no_sample_is_lost_and_each_stack_keeps_its(stacks: dict[str, int], deep: dict[str, int]) -> None:
    found = add_machine_code(stacks, deep)
    assert sum(found.values()) == sum(stacks.values())
    for stack, count in stacks.items():
        assert sum(met for each, met in found.items() if each.startswith(stack)) >= count
