"""``comparisons.json``: the verdicts of a run that compares, for programs to read."""

from dataclasses import dataclass
from pathlib import Path

from pytest_webbench.host.files import write_whole
from pytest_webbench.model.codec import encode
from pytest_webbench.model.results import Comparison
from pytest_webbench.runs.store.files import check_format, read_document, value_of

__all__ = ["FORMAT", "NAME", "Comparisons", "read_comparisons", "write_comparisons"]

NAME = "comparisons.json"
FORMAT = 1
"""The version of the file.

1: the first one. A number that is not known is ``null``.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """``against`` says what the base is, ``budget_needed_s`` is the budget that would decide what is open.

    The latter is ``None`` if nothing is open, or if it cannot be said.
    """

    format: int = FORMAT
    against: str = ""
    budget_needed_s: float | None = None
    comparisons: tuple[Comparison, ...] = ()


def write_comparisons(folder: Path, comparisons: Comparisons) -> None:
    """Write the file, whole or not at all. Raises :class:`OSError`."""
    write_whole(folder / NAME, encode(comparisons, indent=1))


def read_comparisons(folder: Path) -> Comparisons:
    """What the file says; nothing if there is none."""
    file = folder / NAME
    if not file.exists():
        return Comparisons()
    data = read_document(file)
    check_format(file, data.get("format"), FORMAT)
    return value_of(Comparisons, data, file, "verdicts")
