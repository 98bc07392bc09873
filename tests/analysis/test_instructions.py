"""Dumps of callgrind: what was counted, by object and function."""

from dataclasses import replace

import pytest

from pytest_webbench.analysis.instructions import (
    InstructionCounts,
    add_counts,
    add_functions,
    by_function,
    changes_of_functions,
    changes_of_objects,
    instructions_per_request,
    parse_dump,
    short_function,
    short_object,
)
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.measurement import Measurement
from tests.builders import make_result, make_round

DUMP = """\
# callgrind format
version: 1
events: Ir sysCount sysTime sysCpuTime
summary: 140 9 900 90

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
fn=(4) recv
30 4 3 500 50
fn=(5) clock_gettime@@GLIBC_2.17
40 3 3
fn=(6) __futex_abstimed_wait_common
50 2 1
fn=(7) sem_post@@GLIBC_2.34
60 1 1
"""
TIMING = ("clock_gettime@@GLIBC_2.17", "__futex_abstimed_wait_common", "sem_post@@GLIBC_2.34")


def test_costs_are_those_of_each_function_itself() -> None:
    counts = parse_dump(DUMP)
    assert counts.instructions == 140
    assert counts.functions == {
        ("/usr/lib/libpython3.13.so.1.0", "_PyEval_EvalFrameDefault"): 90,
        ("/usr/lib/libc.so.6", "malloc"): 40,
        ("/usr/lib/libc.so.6", "recv"): 4,
        **{("/usr/lib/libc.so.6", name): cost for name, cost in zip(TIMING, (3, 2, 1), strict=True)},
    }
    assert sum(counts.objects().values()) == counts.instructions


@pytest.mark.parametrize("name", ["", "mmap", "munmap", "brk", "madvise", "__lll_lock_wake"])
def test_clocks_waits_for_threads_and_memory_are_no_system_calls_of_a_request(name: str) -> None:
    assert parse_dump(DUMP.replace(TIMING[0], name or TIMING[0])).syscalls == 4


@pytest.mark.parametrize("name", ["pthread_create", "timer_create", "epoll_wait", "futimens", "mmapped"])
def test_other_system_calls_count(name: str) -> None:
    assert parse_dump(DUMP.replace(TIMING[0], name)).syscalls == 7


def test_processes_are_added() -> None:
    both = add_counts([parse_dump(DUMP), parse_dump(DUMP)])
    assert (both.instructions, both.syscalls) == (280, 8)
    assert both.functions["/usr/lib/libc.so.6", "malloc"] == 80


@pytest.mark.parametrize("text", ["", "events: Dr Dw\nsummary: 1 2\n", "<html>"])
def test_what_is_not_such_a_dump_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a dump of callgrind"):
        parse_dump(text)


LIBRARY = "/usr/lib/libsqlite3.so.0.8.6"


def test_functions_are_stored_by_names_that_people_know() -> None:
    counts = InstructionCounts(
        instructions=1_000_000,
        functions={
            (LIBRARY, "sqlite3VdbeExec"): 600_000,
            (LIBRARY, "sqlite3VdbeExec.constprop.0"): 1_000,
            (LIBRARY, "0x000000000001a2b0"): 50_000,
            (LIBRARY, "tiny"): 9,
            ("/usr/bin/python3.13", "_PyEval_EvalFrameDefault.cold"): 348_991,
        },
    )
    found = by_function(counts)
    assert found == {
        "libsqlite3.so": {"sqlite3VdbeExec": 601_000, "": 50_009},
        "python3.13": {"_PyEval_EvalFrameDefault": 348_991},
    }
    twice = add_functions([found, found])
    assert twice["libsqlite3.so"] == {"sqlite3VdbeExec": 1_202_000, "": 100_018}


def test_changes_are_per_request_and_the_largest_come_first_whatever_their_sign() -> None:
    base = counted(
        {"libc.so": {"malloc": 5_000, "": 1_000}, "python3.13": {"eval": 90_000, "": 4_000}}, ok=100
    )
    head = counted(
        {"libc.so": {"malloc": 4_000, "": 1_000}, "python3.13": {"eval": 99_000, "dict": 500}}, ok=50
    )
    sides = instructions_per_request([base, base]), instructions_per_request([head])
    assert [(each.object, each.function, each.change) for each in changes_of_objects(*sides)] == [
        ("python3.13", "", 1_990 - 940),
        ("libc.so", "", 100 - 60),
    ]
    assert [(each.function, each.change) for each in changes_of_functions(*sides)] == [
        ("eval", 1_980 - 900),
        ("malloc", 80 - 50),
    ]


def test_what_hardly_changed_is_left_out() -> None:
    base = counted({"libc.so": {"malloc": 5_000}, "python3.13": {"eval": 90_000}}, ok=1)
    head = counted({"libc.so": {"malloc": 5_090}, "python3.13": {"eval": 99_910}}, ok=1)
    sides = instructions_per_request([base]), instructions_per_request([head])
    assert [each.object for each in changes_of_objects(*sides)] == ["python3.13"]
    assert instructions_per_request([make_round()]) == {}


def counted(instructions: InstructionsByFunction, *, ok: int) -> Measurement:
    return replace(make_round(make_result(requests=ok)), instructions=instructions)


def test_objects_are_named_as_people_know_them() -> None:
    names = {
        "/usr/lib/libpython3.13.so.1.0": "libpython3.13.so",
        "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6": "libsqlite3.so",
        "/env/lib/python3.13/site-packages/pydantic_core/_pydantic_core.cpython-313-x86_64-linux-gnu.so": (
            "pydantic_core/_pydantic_core.so"
        ),
        "/env/lib/python3.11/site-packages/psycopg_binary.libs/libpq-9b38f5e3.so.5.17": (
            "psycopg_binary.libs/libpq.so"
        ),
        "/usr/lib/python3.13/lib-dynload/_sqlite3.cpython-313-x86_64-linux-gnu.so": "_sqlite3.so",
        "/usr/bin/python3.13": "python3.13",
        "???": "???",
    }
    assert {path: short_object(path) for path in names} == names


def test_functions_without_a_name_have_no_address() -> None:
    assert list(map(short_function, ["0x0000000000045f20", "???", "(below main)"])) == [""] * 3
    assert short_function("pydantic_core::url::parse::h0123456789abcdef") == "pydantic_core::url::parse"
    assert short_function("PyDict_GetItem.part.0.cold") == "PyDict_GetItem"
    assert short_function("pthread_mutex_lock@@GLIBC_2.2.5") == "pthread_mutex_lock"
    assert short_function("deadbeef_hash") == "deadbeef_hash"
