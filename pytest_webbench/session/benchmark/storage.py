"""Stored baselines: only sound results are saved and loaded, and files are complete."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from pytest_benchmark.storage.file import FileStorage

from pytest_webbench.host.files import write_whole
from pytest_webbench.model.codec import decode, from_json
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.measurement import Provenance
from pytest_webbench.model.plan import Measure
from pytest_webbench.runs.rows import FORMAT, is_counted, is_derived, origin_of, other_formats, read_row
from pytest_webbench.session.benchmark.rows import as_bytes, provenance_of, why_unsound

__all__ = ["Baseline", "is_writable", "load_baselines", "save_baseline"]

NUMBERED = "[0-9][0-9][0-9][0-9]_"
"""The pattern of the files that pytest-benchmark numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A stored file; ``path`` is the name under which pytest-benchmark shows it.

    ``rows`` are the comparable ones, by full name; ``left_out`` has the reasons for the others.
    """

    path: Any
    data: Mapping[str, Any]
    rows: Mapping[str, Any]
    left_out: Mapping[str, str]

    def provenances(self) -> dict[str, Provenance | None]:
        """Return the provenances of the rows, without those of other metrics of the same cells."""
        return {name: provenance_of(row) for name, row in self.rows.items() if not is_derived(row)}


# --- saving -----------------------------------------------------------------------------------------


def is_writable(storage: Any) -> bool:
    """Return whether files can be saved, as far as that can be known in advance."""
    if not isinstance(storage, FileStorage):
        return True
    folder = _file(storage, "any").parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def save_baseline(
    storage: Any, output_json: Mapping[str, Any], name: str, *, save: Callable[..., None]
) -> None:
    """Save the valid rows, if there are any, and log which ones are left out.

    ``save`` is the storage's own method, used for anything but files. Raises :class:`OSError`.
    """
    rows: list[Mapping[str, Any]] = []
    unsound: list[Mapping[str, Any]] = []
    for row in output_json["benchmarks"]:
        (rows if why_unsound(row) is None else unsound).append(row)
    names = [row["name"] for row in unsound if not is_derived(row)]
    if names:
        storage.logger.info(f"webbench: not saved, because invalid: {', '.join(names)}")
    if not rows:
        return
    sound = {**output_json, "benchmarks": rows}
    if not isinstance(storage, FileStorage):
        save(sound, name)
        return
    file = _file(storage, f"{storage._next_num}_{name}.json")
    write_whole(file, as_bytes(sound))
    storage.logger.info(f"Saved benchmark data in: {file}")


def _file(storage: Any, name: str) -> Path:
    """Return the file ``name`` in the folder for this kind of machine, which is created if necessary."""
    return Path(storage.get(name))


# --- loading ----------------------------------------------------------------------------------------


def load_baselines(
    storage: Any, wanted: str | bool, *, required: bool, measure: Measure = Measure.TIME
) -> tuple[list[Baseline], list[str]]:
    """Return the baselines that match ``wanted``, or the newest of this ``measure``, without unsound rows.

    Also returns sentences on those that were skipped because they are of the other measure.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a file that is damaged or of another format,
    and for a missing baseline if one is ``required``.
    """
    globs = () if wanted is True else (str(wanted),)
    found, passed_over = [], []
    for path, data in _load(storage, globs):
        other = _other_measure(data, measure)
        if not other and globs:
            found.append(_baseline(path, data))
        elif not other:
            found = [_baseline(path, data)]
            break
        else:
            passed_over.append(f"{path} is not compared with: {other}")
    if passed_over and not found and globs:
        raise UsageError(
            passed_over[0].replace("is not compared with", "cannot be compared with"),
            hint="compare with a baseline of the same --webbench-measure, or measure it again",
        )
    if required and not found:
        which = f" that matches {globs[0]}" if globs else ""
        raise UsageError(
            f"--benchmark-compare-fail has no baseline to judge by: {storage} has none{which}",
            hint="make one with --benchmark-autosave, or name one: --benchmark-compare=FILE",
        )
    return found, passed_over


def _other_measure(data: Mapping[str, Any], measure: Measure) -> str:
    """Return why no result of ``data`` can be compared with one of ``measure``; empty if one can."""
    ours = [row for row in data["benchmarks"] if origin_of(row) is not None and not is_derived(row)]
    counts = measure is Measure.INSTRUCTIONS
    if not ours or any(is_counted(row) == counts for row in ours):
        return ""
    had, have = ("times", "counts of instructions") if counts else ("counts of instructions", "times")
    return f"it has {had}, and this run has {have}"


def _baseline(path: Any, data: Mapping[str, Any]) -> Baseline:
    why = {row["fullname"]: why_unsound(row) for row in data["benchmarks"]}
    return Baseline(
        path=path,
        data=data,
        rows={row["fullname"]: row for row in data["benchmarks"] if why[row["fullname"]] is None},
        left_out={name: reason for name, reason in why.items() if reason is not None},
    )


def _load(storage: Any, globs: Sequence[str]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    load: Callable[..., Iterator[tuple[Any, Mapping[str, Any]]]] = storage.load
    if not isinstance(storage, FileStorage):
        found = list(load(*globs))
        yield from found if globs else reversed(found)
        return
    for file in _files(storage, globs):
        _check_file(file)
        yield from load(str(file))


def _files(storage: Any, globs: Sequence[str]) -> list[Path]:
    try:
        files: list[Path] = storage.query(*(globs or (NUMBERED,)))
    except (ValueError, NotImplementedError):  # a path of several folders without a file
        raise UsageError(
            f"--benchmark-compare: there is no file {globs[0]}",
            hint="give a file, or a number or pattern in the storage, such as 0001 or '*_base'",
        ) from None
    return files if globs else files[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stats:
    """The statistics that are compared."""

    min: float
    max: float
    mean: float
    median: float
    stddev: float
    iqr: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) and value >= 0 for value in astuple(self)):
            raise ValueError("a statistic is not a number of seconds")


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
    """Raise ``UsageError`` if ``file`` is not a usable baseline."""
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
    except (OSError, ValueError) as error:  # including those of json, msgspec and UTF-8
        raise UsageError(
            f"the baseline {file} is damaged or no file of pytest-benchmark: {error}",
            hint="compare with another one (--benchmark-compare=NUM or =FILE), or measure it again",
        ) from None
