"""Dumps of callgrind: what was counted, by object and function."""

import pytest

from pytest_webbench.analysis.instructions import add_counts, growth, parse_dump, short_name

DUMP = """\
# callgrind format
version: 1
events: Ir sysCount sysTime sysCpuTime
summary: 130 4 900 90

ob=(1) /usr/lib/libpython3.13.so.1.0
fl=(1) ceval.c
fn=(1) _PyEval_EvalFrameDefault
10 60
fi=(2) object.h
+5 10 1 900 90
fe=(1)
cob=(2) /usr/lib/libc.so.6
cfi=(3) malloc.c
cfn=(2) malloc
calls=7 20
* 40 3
fn=(3) _PyEval_EvalFrameDefault'2
* 20

ob=(2)
fl=(3)
fn=(2)
20 38
-2 2
"""


def test_costs_are_those_of_each_function_itself() -> None:
    counts = parse_dump(DUMP)
    assert (counts.instructions, counts.syscalls) == (130, 4)
    assert counts.functions == {
        ("/usr/lib/libpython3.13.so.1.0", "_PyEval_EvalFrameDefault"): 90,
        ("/usr/lib/libc.so.6", "malloc"): 40,
    }
    assert sum(counts.objects().values()) == counts.instructions


def test_processes_are_added() -> None:
    both = add_counts([parse_dump(DUMP), parse_dump(DUMP)])
    assert (both.instructions, both.syscalls) == (260, 8)
    assert both.functions["/usr/lib/libc.so.6", "malloc"] == 80


@pytest.mark.parametrize("text", ["", "events: Dr Dw\nsummary: 1 2\n", "<html>"])
def test_what_is_not_such_a_dump_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a dump of callgrind"):
        parse_dump(text)


def test_the_largest_changes_come_first_whatever_their_sign() -> None:
    found = growth({"a": 100, "b": 50, "c": 7}, {"a": 90, "b": 80, "d": 3, "c": 7.4}, most=2)
    assert [(each.name, each.change) for each in found] == [("b", 30), ("a", -10)]


def test_objects_are_named_as_people_know_them() -> None:
    assert short_name("/usr/lib/libpython3.13.so.1.0") == "libpython3.13.so"
    assert (
        short_name("/env/pydantic_core/_pydantic_core.cpython-313-x86_64-linux-gnu.so") == "_pydantic_core.so"
    )
    assert short_name("???") == "???"
