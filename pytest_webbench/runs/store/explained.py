"""``explained.jsonl``: a line for each cell whose code was sampled, written once it has been."""

from dataclasses import dataclass
from pathlib import Path

from pytest_webbench.model.results import CodeProfile
from pytest_webbench.runs.store.files import append_line, read_lines, value_of

__all__ = ["NAME", "read_explained", "write_explained"]

NAME = "explained.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the file."""

    explained: CodeProfile


def write_explained(folder: Path, profile: CodeProfile) -> None:
    """Write the samples of a cell. Raises :class:`OSError`."""
    append_line(folder / NAME, Line(explained=profile))


def read_explained(folder: Path, notes: list[str]) -> tuple[CodeProfile, ...]:
    """The samples of each cell, up to a line that was cut off; ``notes`` tell of that one."""
    lines = read_lines(folder / NAME, notes)
    return tuple(value_of(Line, data, place, "samples").explained for data, place in lines)
