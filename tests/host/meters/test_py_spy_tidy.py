"""Files made short: by them the parts of a stack are known."""

import pytest

from pytest_webbench.host.meters.py_spy import tidy_stacks

VENV = "/home/me/.cache/environments/x-1/lib/python3.13/site-packages"


def tidy(stack: str, application: str = "/srv/app") -> str:
    (found,) = tidy_stacks({stack: 3}, application)
    return found


@pytest.mark.parametrize(
    ("file", "short"),
    [
        (f"{VENV}/flask/app.py", "flask/app.py"),
        ("/usr/lib/python3/dist-packages/flask/app.py", "flask/app.py"),
        ("/opt/stack/lib/python3.13/site-packages/uvloop/loop.cpython-313.so", "uvloop/loop.cpython-313.so"),
        ("/usr/lib/python3.13/json/encoder.py", "python3.13/json/encoder.py"),
        ("/usr/local/lib/python3.13t/json/encoder.py", "python3.13t/json/encoder.py"),
        ("/srv/app/items/views.py", "./items/views.py"),
        ("/srv/app/.venv/lib/python3.13/site-packages/flask/app.py", "flask/app.py"),
        ("/srv/application/views.py", "/srv/application/views.py"),
        ("/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6", "libsqlite3.so.0.8.6"),
        ("/usr/lib/python3.13/lib-dynload/_json.cpython-313.so", "_json.cpython-313.so"),
        ("/usr/local/bin/python3.13", "python3.13"),
        ("/build/Python-3.13.0/./Modules/_sqlite/cursor.c", "_sqlite/cursor.c"),
        ("<frozen runpy>", "<frozen runpy>"),
    ],
)  # fmt: skip
def test_a_file_keeps_what_says_whose_it_is(file: str, short: str) -> None:
    line = ":12" if short.endswith((".py", ">")) else ""
    assert tidy(f"main (/srv/app/a.py:1);work ({file}:12)") == f"main (./a.py:1);work ({short}{line})"
    assert tidy(f"work ({file})") == f"work ({short})"


def test_an_application_that_is_itself_installed_is_still_the_application() -> None:
    folder = f"{VENV}/webbench_apps/flask-sqlite3"
    assert tidy(f"list_items ({folder}/items/views.py:15)", folder) == "list_items (./items/views.py:15)"


def test_nothing_is_the_applications_where_its_folder_is_not_known() -> None:
    assert tidy("main (/srv/app/a.py:1)", "") == "main (/srv/app/a.py:1)"


def test_processes_are_left_out_and_what_is_then_the_same_is_added_up() -> None:
    stacks = {
        'process 12:"gunicorn app:app";process 13:"gunicorn app:app";main (/srv/app/a.py:1)': 3,
        'process 12:"gunicorn app:app";process 14:"gunicorn app:app";main (/srv/app/a.py:1)': 4,
        'process 12:"gunicorn app:app"': 5,
    }
    assert tidy_stacks(stacks, "/srv/app") == {"main (./a.py:1)": 7, "": 5}


def test_machine_code_without_symbols_is_one_call() -> None:
    python = "f (/srv/app/a.py:1);f (/srv/app/a.py:1)"
    stack = f"0x1 (/lib/libc.so.6);{python};0x7f12 (/x/json.so);0x7f13 (/x/json.so);0x1 (/lib/libc.so.6)"
    assert tidy(stack) == "? (libc.so.6);f (./a.py:1);f (./a.py:1);? (json.so);? (libc.so.6)"


def test_frames_in_another_form_are_kept() -> None:
    assert tidy("0x7f12;<core::fmt as X>::fmt;odd (") == "0x7f12;<core::fmt as X>::fmt;odd ("
