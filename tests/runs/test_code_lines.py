"""Which lines count as code."""

import pytest

from pytest_webbench.runs.metadata import count_code_lines

SOURCE = '''"""A module,
with a docstring of two lines."""

# A comment.
import os  # a comment behind code


class Thing:
    """A docstring."""

    text = """
    not a docstring
    """

    def method(
        self,
    ) -> int:
        \'\'\'Another docstring.\'\'\'
        return 1
'''


def test_blank_lines_comments_and_docstrings_are_no_code() -> None:
    # import, class, three of text, three of def, return
    assert count_code_lines(SOURCE) == 9


@pytest.mark.parametrize("source", ["", "\n\n", "# nothing\n", '"""A docstring."""\n'])
def test_a_source_without_code_has_none(source: str) -> None:
    assert count_code_lines(source) == 0


def test_what_is_no_python_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        count_code_lines("def (:\n")
