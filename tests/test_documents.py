"""What the documents tell people to type."""

import re
from pathlib import Path

from pytest_webbench.options import OPTIONS

ROOT = Path(__file__).parents[1]
FLAGS = "|".join(option.flag for option in OPTIONS if option.metavar)
VALUE_AFTER_A_BLANK = re.compile(rf"(?:{FLAGS})[ \n]+(?=['\"]?[\w./~<{{*$\[])[^\n]*")


def test_values_of_options_are_written_with_an_equals_sign() -> None:
    """pytest takes an existing folder after a blank for a path to tests, and moves its root folder."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.yml")]
    assert len(files) > 20
    found = [f"{file.name}: {hit}" for file in files for hit in VALUE_AFTER_A_BLANK.findall(file.read_text())]
    assert found == []
