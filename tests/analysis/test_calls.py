"""Which calls of a request changed, found although lines moved and copies lie elsewhere."""

from pytest_webbench.analysis.calls import Place, call_changes

OURS, THEIRS = "/runs/1/copies/base/app", "/runs/1/copies/head/app"
LIBRARY = "/env/lib/python3.13/site-packages"


def place(file: str, line: int, called: str, function: str = "list_items") -> Place:
    return Place(file=file, function=function, line=line, called=called)


def test_a_query_in_a_loop_is_the_first() -> None:
    base = {
        place(f"{OURS}/items/views.py", 31, "Connection.execute"): 1.0,
        place(f"{LIBRARY}/werkzeug/wrappers.py", 7, "len", "get"): 40.0,
    }
    head = {
        place(f"{THEIRS}/items/views.py", 35, "Connection.execute"): 1.0,
        place(f"{THEIRS}/items/views.py", 38, "Connection.execute"): 20.0,
        place(f"{LIBRARY}/werkzeug/wrappers.py", 7, "len", "get"): 90.0,
    }
    found = call_changes(base, head, folders=(OURS, THEIRS))
    assert [(each.place.file, each.place.line, each.change, each.own) for each in found] == [
        ("items/views.py", 38, 20.0, True),
        ("werkzeug/wrappers.py", 7, 50.0, False),
    ]


def test_what_only_moved_is_no_change() -> None:
    base = {place(f"{OURS}/views.py", 3, "dict"): 2.0}
    head = {place(f"{THEIRS}/views.py", 9, "dict"): 1.0, place(f"{THEIRS}/views.py", 12, "dict"): 1.2}
    assert call_changes(base, head, folders=(OURS, THEIRS)) == ()


def test_a_call_that_is_gone_is_shown_where_it_was() -> None:
    base = {place(f"{OURS}/views.py", 3, "Cursor.fetchone"): 1.0}
    (found,) = call_changes(base, {}, folders=(OURS, THEIRS))
    assert (found.place.line, found.change) == (3, -1.0)
