"""What the documents tell people to type."""

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_webbench.session.options.table import OPTIONS

ROOT = Path(__file__).parents[1]
FLAGS = "|".join(option.flag for option in OPTIONS if option.metavar)
VALUE_AFTER_A_BLANK = re.compile(rf"(?:{FLAGS})\s+(?=['\"]?[\w./~<{{*$\[])[^\n]*")
CODE = re.compile(r"```.*?```|`[^`]+`", re.DOTALL)


def commands() -> Iterator[tuple[str, str]]:
    """The code of all documents, and the whole of what is nothing else."""
    for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        yield from ((file.name, code) for code in CODE.findall(file.read_text()))
    for file in ROOT.glob(".github/**/*.yml"):
        yield file.name, file.read_text()


def test_values_of_options_are_written_with_an_equals_sign() -> None:
    """pytest takes an existing folder after a blank for a path to tests, and moves its root folder."""
    found = list(commands())
    assert len(found) > 1000
    assert [(name, hit) for name, code in found for hit in VALUE_AFTER_A_BLANK.findall(code)] == []
