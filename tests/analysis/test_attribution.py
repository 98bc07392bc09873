"""From stacks of calls to parts, with stacks as py-spy gives them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.hot_spots import (
    APPLICATION,
    OTHER,
    PARTS,
    Attributor,
    attribute,
    compare_parts,
    split_frame,
    waits,
)
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.suites.items import STACKS

FLASK = (
    "Thread._bootstrap (python3.13/threading.py:1012)",
    "_worker (python3.13/concurrent/futures/thread.py:93)",
    "ThreadWorker.handle_request (gunicorn/workers/gthread.py:400)",
    "Flask.__call__ (flask/app.py:1536)",
    "list_items (./items/views.py:15)",
)


def profile(stacks: dict[str, int], *, cpu_ms: float | None = None, stack: str = "one") -> CodeProfile:
    return CodeProfile(
        cell=Cell(scenario="list_items", stack=stack),
        rate_hz=100,
        stacks=stacks,
        cpu_s_per_request=None if cpu_ms is None else cpu_ms / 1000,
    )


def under(*frames: str) -> str:
    return ";".join([*FLASK, *frames])


@pytest.mark.parametrize(
    ("frame", "parts"),
    [
        ("list_items (./items/views.py:15)", ("list_items", "./items/views.py")),
        ("sqlite3_step (libsqlite3.so.0.8.6)", ("sqlite3_step", "libsqlite3.so.0.8.6")),
        ("<module> (./app.py:3)", ("<module>", "./app.py")),
        ("f (g) (./odd (1).py:3)", ("f (g) (./odd", "1).py")),
        ("ABCMeta.__call__ (<frozen abc>:117)", ("ABCMeta.__call__", "<frozen abc>")),
        ("impl core::fmt::Display", ("impl core::fmt::Display", "")),
        ("C:x (a:b)", ("C:x", "a:b")),
        ("", ("", "")),
    ],
)
def test_a_frame_is_a_function_and_a_file(frame: str, parts: tuple[str, str]) -> None:
    assert split_frame(frame) == parts


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        ((), APPLICATION),
        (("jsonify (flask/json/__init__.py:170)",), "JSON"),
        (
            ("encode (python3.13/json/encoder.py:261)", "encoder_call (Modules/_json.c:3)"),
            "JSON",
        ),
        (("0x7f12 (_json.cpython-313-x86_64-linux-gnu.so)", "PyDict_Next (libpython3.13.so.1.0)"), "JSON"),
        (("pysqlite_cursor_iternext (_sqlite/cursor.c:1109)", "0x7f (libc.so.6)"), "database driver"),
        (("0x1 (_sqlite3.cpython-313-x86_64-linux-gnu.so)", "x (libsqlite3.so.0.8.6)"), "database driver"),
        (("sqlite3_step (python3.13)",), "database driver"),
        (("gc_collect_main (libpython3.13.so.1.0)",), APPLICATION),
        (("escape (html/__init__.py:1)",), APPLICATION),
        (("Flask.finalize_request (flask/app.py:3)", "compile (python3.13/re/__init__.py:9)"), "framework"),
        (("BaseSerializer.data (rest_framework/serializers.py:9)",), "validation"),
        (("APIView.dispatch (rest_framework/views.py:9)",), "framework"),
        (("QuerySet._fetch_all (django/db/models/query.py:9)",), "ORM"),
        (("SQLiteCursorWrapper.execute (django/db/backends/sqlite3/base.py:9)",), "ORM"),
        (("call (django/core/handlers/base.py:9)",), "framework"),
        (("SQLModel.__new__ (sqlmodel/main.py:857)", "BaseModel.__new__ (pydantic/main.py:1)"), "validation"),
        (("0x7 (pydantic_core/_pydantic_core.cpython-313-x86_64-linux-gnu.so)",), "validation"),
        (("write (uvloop/loop.c:9)", "uv__write (unix/stream.c:9)", "write (libc.so.6)"), "server"),
    ],
)
def test_the_innermost_frame_that_has_a_part_decides(frames: tuple[str, ...], part: str) -> None:
    assert Attributor().part_of_stack((*FLASK, *frames)) == part


def test_nothing_known_is_other() -> None:
    assert Attributor().part_of_stack(("0x7f (libc.so.6)", "main (unheard/of.py:1)")) == OTHER


def test_a_file_of_the_application_is_never_taken_for_a_library() -> None:
    for file in ("./json/encoder.py", "./flask/app.py", "./sqlalchemy.py", "./socket.py"):
        assert Attributor().part_of(f"f ({file}:1)") == APPLICATION, file


def test_parts_of_a_stacks_own_win() -> None:
    attributor = Attributor({"mylib/*": "pricing", "./views/*": "views", "sqlalchemy/*": "database"})
    assert attributor.part_of("f (mylib/a.py:1)") == "pricing"
    assert attributor.part_of("f (./views/a.py:1)") == "views"
    assert attributor.part_of("f (./models.py:1)") == APPLICATION
    assert attributor.part_of("f (sqlalchemy/orm/session.py:1)") == "database"
    assert Attributor().part_of("f (mylib/a.py:1)") is None


@pytest.mark.parametrize(
    "frames",
    [
        ("epoll_wait (libc.so.6)",),
        ("select_epoll_poll (select.so)", "epoll_wait (libc.so.6)"),
        ("EpollSelector.select (python3.13/selectors.py:452)",),
        ("Condition.wait (python3.13/threading.py:359)",),
        ("take_gil (libpython3.13.so.1.0)", "pthread_cond_timedwait (libc.so.6)", "0x7f (libc.so.6)"),
        ("pthread_cond_timedwait (libc.so.6)", "0x7f01 (libc.so.6)", "0x7f02 (libc.so.6)"),
        ("_queue_SimpleQueue_get_impl (Modules/_queuemodule.c:1)", "0x1 (libc.so.6)", "0x2 (libc.so.6)"),
        ("uv__io_poll (unix/linux.c:9)", "epoll_pwait (libc.so.6)"),
        ("Arbiter.sleep (gunicorn/arbiter.py:380)", "select (libc.so.6)"),
    ],
)
def test_waiting_is_no_work(frames: tuple[str, ...]) -> None:
    assert waits((*FLASK, *frames))
    found = attribute(profile({under(*frames): 70, under(): 30}))
    assert (found.working, found.waiting) == (30, 70)
    assert [part.part for part in found.parts] == [APPLICATION]


@pytest.mark.parametrize(
    "frames",
    [
        ("list_items (./views.py:15)",),
        ("select (./models.py:15)",),
        ("wait (./threading_helpers.py:1)",),
        ("pthread_cond_signal (libc.so.6)",),
        ("0x1 (libc.so.6)", "0x2 (libc.so.6)"),
        ("Condition.wait (python3.13/threading.py:359)", "lock_release (libpython3.13.so.1.0)"),
        ("epoll_wait (libc.so.6)", "callback (./app.py:1)"),
        ("send (libc.so.6)",),
    ],
)
def test_work_is_no_waiting(frames: tuple[str, ...]) -> None:
    assert not waits((*FLASK, *frames))


def test_shares_have_the_interval_of_a_proportion_and_follow_the_cpu_time() -> None:
    found = attribute(profile({under(): 30, under("dumps (python3.13/json/__init__.py:1)"): 70}, cpu_ms=20))
    first, second = found.parts
    assert (first.part, first.samples, second.part) == ("JSON", 70, APPLICATION)
    assert first.share.estimate == 0.7
    # Wilson's interval of 70 in 100, as tables have it.
    assert first.share.low == pytest.approx(0.6042, abs=5e-5)
    assert first.share.high == pytest.approx(0.7811, abs=5e-5)
    assert first.cpu_ms is not None
    assert first.cpu_ms.estimate == pytest.approx(14)
    assert first.cpu_ms.high == pytest.approx(20 * 0.7811, abs=1e-3)


def test_without_cpu_time_there_are_shares_alone() -> None:
    (part,) = attribute(profile({under(): 5})).parts
    assert part.cpu_ms is None
    assert part.share.high == 1.0
    assert 0.5 < part.share.low < 0.6


@pytest.mark.parametrize("stacks", [{}, {"": 3}, {under("epoll_wait (libc.so.6)"): 9}])
def test_nothing_seen_is_nothing(stacks: dict[str, int]) -> None:
    found = attribute(profile(stacks, cpu_ms=3))
    assert (found.working, found.parts) == (0, ())


def test_differences_are_named_from_the_largest_on() -> None:
    slow = profile({"f (sqlalchemy/a.py:1)": 80, "f (./a.py:1)": 20}, cpu_ms=100)
    fast = profile({"f (sqlite3.c:1)": 50, "f (./a.py:1)": 50}, cpu_ms=24)
    orm, driver, own = compare_parts(slow, fast)
    assert (orm.part, round(orm.first_ms, 9), orm.second_ms) == ("ORM", 80.0, 0.0)
    assert orm.more_ms.low > 60
    assert (driver.part, round(driver.more_ms.estimate, 9)) == ("database driver", -12.0)
    assert (own.part, round(own.more_ms.estimate, 9)) == (APPLICATION, 8.0)
    assert math.fsum(each.more_ms.estimate for each in (orm, driver, own)) == pytest.approx(76)


def test_the_same_profile_has_no_difference_that_is_sure() -> None:
    one = profile({"f (sqlalchemy/a.py:1)": 80, "f (./a.py:1)": 20}, cpu_ms=10)
    for difference in compare_parts(one, one):
        assert difference.more_ms.estimate == 0
        assert 0 in difference.more_ms


@pytest.mark.parametrize("cpu_ms", [None, 5.0])
def test_without_samples_or_cpu_time_nothing_is_compared(cpu_ms: float | None) -> None:
    other = profile({}, cpu_ms=5) if cpu_ms else profile({under(): 5})
    assert compare_parts(profile({under(): 5}, cpu_ms=cpu_ms), other) == ()


@given(st.dictionaries(st.text(st.sampled_from("ab ();:./py"), min_size=1, max_size=30), st.integers(1, 99)))
def test_whatever_the_frames_every_sample_has_a_place(stacks: dict[str, int]) -> None:
    found = attribute(profile(stacks, cpu_ms=1))
    assert found.working + found.waiting == sum(stacks.values())
    assert sum(part.samples for part in found.parts) == found.working
    for part in found.parts:
        assert 0 <= part.share.low <= part.share.estimate <= part.share.high <= 1


def test_the_table_knows_the_libraries_of_the_built_in_stacks() -> None:
    named = {name for stack in STACKS for name in stack.packages}
    modules = {"djangorestframework": "rest_framework", "flask-sqlalchemy": "flask_sqlalchemy"}
    for name in named:
        assert f"{modules.get(name, name)}/*" in PARTS, name
