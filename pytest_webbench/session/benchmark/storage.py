"""The storage of pytest-benchmark, guarded: what goes in is sound and whole, and so is what comes out."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from pytest_benchmark.storage.file import FileStorage

from pytest_webbench.host.files import write_new
from pytest_webbench.model.codec import decode, from_json
from pytest_webbench.model.errors import UsageError
from pytest_webbench.runs.rows import FORMAT, is_derived, origin_of, other_formats, read_row
from pytest_webbench.session.benchmark.rows import as_bytes, why_unsound

__all__ = ["GuardedStorage"]

NUMBERED = "[0-9][0-9][0-9][0-9]_"
"""The pattern of the files that pytest-benchmark numbers."""


class GuardedStorage:
    """A storage of pytest-benchmark into which only valid figures go, and out of which no others come.

    ``loaded`` has what was loaded, by the name under which pytest-benchmark shows it; ``left_out`` says
    why of each of its rows that is not compared with.
    """

    def __init__(self, storage: Any, *, required: bool, failed: Callable[[str], None]) -> None:
        """Guard ``storage``; a baseline may be ``required``; ``failed`` is told what was not saved."""
        self._storage = storage
        self._required = required
        self._failed = failed
        self.loaded: dict[str, Mapping[str, Any]] = {}
        self.left_out: dict[str, dict[str, str]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def __str__(self) -> str:
        return str(self._storage)

    @property
    def location(self) -> str:
        """Where it is; pytest-benchmark's own fails if that is not below the current folder."""
        return str(self._storage)

    def is_writable(self) -> bool:
        """Whether files can be saved, as far as that can be known before."""
        if not isinstance(self._storage, FileStorage):
            return True
        folder = self._folder()
        return folder.is_dir() and os.access(folder, os.W_OK)

    def _folder(self) -> Path:
        """The folder of this kind of machine, which is made if need be."""
        folder: Path = self._storage.get("figures").parent
        return folder

    # --- saving ---------------------------------------------------------------------------------

    def save(self, output_json: dict[str, Any], save: str) -> None:
        """Save what is valid, nothing at all if nothing is, and say what was left out."""
        rows: list[Mapping[str, Any]] = []
        unsound: list[Mapping[str, Any]] = []
        for row in output_json["benchmarks"]:
            (rows if why_unsound(row) is None else unsound).append(row)
        names = [row["name"] for row in unsound if not is_derived(row)]
        if names:
            self._storage.logger.info(f"webbench: not saved, because invalid: {', '.join(names)}")
        if not rows:
            return
        try:
            self._write({**output_json, "benchmarks": rows}, save)
        except OSError as error:
            self._failed(
                f"nothing was saved in {self} ({error.strerror or error}): see that there is room and that "
                "it can be written to, or choose another place with --benchmark-storage"
            )

    def _write(self, output_json: dict[str, Any], save: str) -> None:
        if not isinstance(self._storage, FileStorage):
            self._storage.save(output_json, save)
            return
        content = as_bytes(output_json)
        file = write_new(self._folder(), lambda: f"{self._next_number():04}_{save}.json", content)
        self._storage.logger.info(f"Saved benchmark data in: {file}")

    def _next_number(self) -> int:
        return 1 + max((int(file.name[:4]) for file in self._storage.query(NUMBERED)), default=0)

    # --- loading --------------------------------------------------------------------------------

    def load(self, *globs: str) -> Iterator[tuple[Any, dict[str, Any]]]:
        """What pytest-benchmark would load, without unsound rows; without ``globs``, the newest file.

        Raises :class:`~pytest_webbench.model.errors.UsageError` for a file that is damaged or of another
        format, and where there has to be a baseline and is none.
        """
        for name, data in self._load(globs):
            rows = data["benchmarks"]
            why = {row["fullname"]: why_unsound(row) for row in rows}
            kept = {**data, "benchmarks": [row for row in rows if why[row["fullname"]] is None]}
            self.loaded[str(name)] = kept
            self.left_out[str(name)] = {each: reason for each, reason in why.items() if reason is not None}
            yield name, kept
        if self._required and not self.loaded:
            which = f" that matches {globs[0]}" if globs else ""
            raise UsageError(
                f"--benchmark-compare-fail has no baseline to judge by: {self} has none{which}",
                hint="make one with --benchmark-autosave, or name one: --benchmark-compare=FILE",
            )

    def _load(self, globs: tuple[str, ...]) -> Iterator[tuple[Any, dict[str, Any]]]:
        if not isinstance(self._storage, FileStorage):
            yield from self._storage.load(*globs)
            return
        storage: Any = self._storage
        for file in self._files(globs):
            _check_file(file)
            yield from storage.load(str(file))

    def _files(self, globs: tuple[str, ...]) -> list[Path]:
        try:
            files: list[Path] = self._storage.query(*(globs or (NUMBERED,)))
        except (ValueError, NotImplementedError):  # a path of several folders, and no file is there
            raise UsageError(
                f"--benchmark-compare: there is no file {globs[0]}",
                hint="give a file, or a number or pattern in the storage, such as 0001 or '*_base'",
            ) from None
        return files if globs else files[-1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stats:
    """What is compared with, of the figures of a row."""

    min: float
    max: float
    mean: float
    median: float
    stddev: float
    iqr: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in astuple(self)):
            raise ValueError("a figure is no number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    fullname: str
    stats: _Stats
    extra_info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    benchmarks: tuple[_Row, ...]
    machine_info: dict[str, Any]


def _check_file(file: Path) -> None:
    """Raise ``UsageError`` if ``file`` does not hold what is compared with."""
    try:
        data = decode(file.read_bytes())
        if isinstance(data, Mapping) and (other := other_formats(data)):
            raise UsageError(
                f"the baseline {file} has the format {other[0]} of pytest-webbench, and this one reads "
                f"{FORMAT}",
                hint="compare with the version of pytest-webbench that wrote it, or measure it again",
            )
        from_json(_File, data)
        for row in data["benchmarks"]:
            if origin_of(row) is not None and not is_derived(row):
                read_row(row["extra_info"])
    except (OSError, ValueError) as error:  # those of json, msgspec and UTF-8 are among them
        raise UsageError(
            f"the baseline {file} is damaged or no file of pytest-benchmark: {error}",
            hint="compare with another one (--benchmark-compare=NUM or =FILE), or measure it again",
        ) from None
