"""Which calls of a request changed, found although lines moved and copies lie elsewhere."""

import pytest

from pytest_webbench.analysis.calls import CountedCalls, call_changes, plain_name
from pytest_webbench.model.growth import Place

OURS, THEIRS = "/runs/1/copies/base", "/runs/1/copies/head"
LIBRARY = "/env/lib/python3.13/site-packages"


def place(file: str, line: int, called: str, function: str = "list_items", source: str = "") -> Place:
    return Place(file=file, function=function, line=line, called=called, source=source)


def counted(calls: dict[Place, int], folder: str, requests: int = 1) -> CountedCalls:
    return CountedCalls(calls=calls, requests=requests, folders=(f"{folder}/app", folder))


def test_a_query_in_a_loop_is_the_first() -> None:
    base = {
        place(f"{OURS}/app/items/views.py", 31, "Connection.execute"): 20,
        place(f"{LIBRARY}/werkzeug/wrappers.py", 7, "len", "get"): 800,
    }
    head = {
        place(f"{THEIRS}/app/items/views.py", 35, "Connection.execute"): 20,
        place(f"{THEIRS}/app/items/views.py", 38, "Connection.execute"): 400,
        place(f"{LIBRARY}/werkzeug/wrappers.py", 7, "len", "get"): 1800,
    }
    found = call_changes(counted(base, OURS, 20), counted(head, THEIRS, 20))
    assert [(each.place.file, each.place.line, each.change, each.own) for each in found] == [
        ("items/views.py", 38, 20.0, True),
        ("werkzeug/wrappers.py", 7, 50.0, False),
    ]


@pytest.mark.parametrize("lines", [(30, 34), (34, 30)])
def test_one_more_call_is_at_the_line_that_was_added(lines: tuple[int, int]) -> None:
    old, new = "rows = db.execute(ALL)", "count = db.execute(COUNT)"
    base = {place(f"{OURS}/app/views.py", 31, "Connection.execute", source=old): 1}
    head = {
        place(f"{THEIRS}/app/views.py", lines[0], "Connection.execute", source=old): 1,
        place(f"{THEIRS}/app/views.py", lines[1], "Connection.execute", source=new): 1,
    }
    (found,) = call_changes(counted(base, OURS), counted(head, THEIRS))
    assert (found.place.line, found.change) == (lines[1], 1.0)


def test_what_only_moved_is_no_change() -> None:
    base = {place(f"{OURS}/app/views.py", 3, "dict"): 20}
    head = {place(f"{THEIRS}/app/views.py", 9, "dict"): 10, place(f"{THEIRS}/app/views.py", 12, "dict"): 12}
    assert call_changes(counted(base, OURS, 10), counted(head, THEIRS, 10)) == ()


def test_a_call_that_is_gone_is_shown_where_it_was() -> None:
    base = {place(f"{OURS}/app/views.py", 3, "Cursor.fetchone"): 1}
    (found,) = call_changes(counted(base, OURS), counted({}, THEIRS))
    assert (found.place.line, found.change) == (3, -1.0)


def test_files_are_shown_from_the_application_the_repository_or_the_libraries() -> None:
    files = {
        f"{THEIRS}/app/items/views.py": ("items/views.py", True),
        f"{THEIRS}/src/shop/models.py": ("src/shop/models.py", True),
        f"{THEIRS}/app/.venv/lib/python3.13/site-packages/flask/app.py": ("flask/app.py", False),
        "/opt/elsewhere/shop.py": ("/opt/elsewhere/shop.py", True),
        "/usr/lib/python3.13/json/__init__.py": ("json/__init__.py", False),
        "/usr/lib/python3/dist-packages/apt.py": ("apt.py", False),
        "<frozen importlib._bootstrap>": ("<frozen importlib._bootstrap>", False),
    }
    head = {place(file, 1, "len"): 1 for file in files}
    found = {each.place.file: each.own for each in call_changes(counted({}, OURS), counted(head, THEIRS))}
    assert found == dict(files.values())


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Connection.execute", "Connection.execute"),
        ("list_items.<locals>.<listcomp>", "list_items"),
        ("View.get.<locals>.<genexpr>.<dictcomp>", "View.get"),
        ("outer.<locals>.inner", "outer.inner"),
        ("outer.<locals>.<lambda>", "outer.<lambda>"),
        ("<genexpr>", "<module>"),
        ("<module>", "<module>"),
    ],
)
def test_names_are_those_that_people_write(name: str, plain: str) -> None:
    assert plain_name(name) == plain
