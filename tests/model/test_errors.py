"""What is said to a person: what happened, the evidence, the next step; nothing steers the terminal."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.model import errors
from pytest_webbench.model.errors import StackError, UsageError, WebbenchError, printable


def test_an_error_in_full() -> None:
    error = StackError("it fell over", evidence="line 1\nline 2", hint="try --again")
    assert str(error) == "it fell over\n    line 1\n    line 2\nNext step: try --again"


def test_an_error_in_short() -> None:
    assert str(UsageError("no such thing")) == "no such thing"


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    assert errors.__doc__ is not None
    for name in errors.__all__:
        error = getattr(errors, name)
        if inspect.isclass(error):
            assert issubclass(error, WebbenchError)
            assert name in errors.__doc__


def test_escape_sequences_and_the_like_are_shown_and_not_sent() -> None:
    hostile = "a\x1b[31mb\x07\r\x9b1m\u202ec"
    shown = "a\\x1b[31mb\\x07\\r\\x9b1m\\u202ec"
    assert printable(hostile) == shown
    assert (
        str(StackError(hostile, evidence=hostile, hint=hostile))
        == f"{shown}\n    {shown}\nNext step: {shown}"
    )


def test_lines_tabs_and_letters_of_all_scripts_are_kept() -> None:
    assert printable("żółw\t日本語\n🐢") == "żółw\t日本語\n🐢"


@given(st.text())
def test_whatever_comes_is_printable(text: str) -> None:
    assert all(each.isprintable() or each in "\n\t" for each in printable(text))
