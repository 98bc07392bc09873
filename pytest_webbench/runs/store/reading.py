"""Reads saved runs, even untrusted ones: folders, and JSON files of pytest-benchmark."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_webbench.model.codec import UnpackedTooMuchError, unpacking_at_most
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.run import RunMetadata, SavedRun
from pytest_webbench.runs.rows import FORMAT, is_derived, origin_of, other_formats, read_row
from pytest_webbench.runs.store.files import NO_RUN, check_format, damaged, read_document
from pytest_webbench.runs.store.folder import FILES, PLAN, RUN, read_folder

__all__ = ["MOST_BYTES", "read_run"]

MOST_BYTES = 1 << 30
"""The size limit of an untrusted file: a run of a day is smaller."""
ROWS_ONLY = "read from pytest-benchmark's JSON, which has results of rounds, but no single response times"


def read_run(path: Path, *, most_bytes: int | None = None) -> SavedRun:
    """Return the run that ``path`` holds: its folder, a file in that, or a JSON file of pytest-benchmark.

    With ``most_bytes``, no file may be larger, nor may all packed data in it together, and a document or a
    line, which grows twentyfold when it is parsed, may have at most a sixteenth of that.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a file that is missing, empty, damaged, or
    in a newer format. Of a killed run, the trials before the truncated one are read.
    """
    try:
        with unpacking_at_most(most_bytes):
            return _read_run(path, most_bytes)
    except RecursionError:
        raise UsageError(f"{path} is damaged: it is nested too deeply for a run", hint=NO_RUN) from None
    except UnpackedTooMuchError:
        raise UsageError(
            f"{path} holds more than {most_bytes:,} bytes once it is unpacked",
            hint="raise --most if you trust where it comes from",
        ) from None


def _read_run(path: Path, most_bytes: int | None) -> SavedRun:
    try:
        folder = path if path.is_dir() else path.parent
        if most_bytes is not None:
            given = [] if path.is_dir() else [path]
            _check_sizes([*given, *(folder / name for name in FILES)], most_bytes)
        if path.is_dir() or (path.name in FILES and path.name != RUN):
            return read_folder(folder)
        data = read_document(path)
        if path.name == RUN and PLAN in data:
            return read_folder(folder)
        return _read_benchmark_file(path, data)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}", hint=NO_RUN) from None


def _check_sizes(files: Iterable[Path], most_bytes: int) -> None:
    for file in files:
        if not file.exists():
            continue
        if not file.is_file():  # a pipe or a device may have no end
            raise UsageError(f"{file} is not a file", hint=NO_RUN)
        size = file.stat().st_size
        lines = file.suffix == ".jsonl"
        allowed = most_bytes if lines else most_bytes // 16
        if size > allowed or (lines and size > most_bytes // 16 and _longest_line(file) > most_bytes // 16):
            raise UsageError(
                f"{file} is too large to be read: of {most_bytes:,} bytes, a document or a line may have a "
                "sixteenth",
                hint="raise --most if you trust where it comes from",
            )


def _longest_line(file: Path) -> int:
    """Return the longest line in bytes, in little memory."""
    longest = length = 0
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            first, *rest = block.split(b"\n")
            length += len(first)
            longest = max(longest, length, *(len(each) for each in rest))
            length = len(rest[-1]) if rest else length
    return longest


def _read_benchmark_file(file: Path, data: Mapping[str, Any]) -> SavedRun:
    """Return the cells among the rows of ``data``, the content of ``file``, as a run."""
    rows = data.get("benchmarks")
    if not isinstance(rows, list):
        raise UsageError(f"{file} holds no run", evidence="it has no benchmarks", hint=NO_RUN)
    for other in other_formats(data):
        check_format(file, other, FORMAT)
    results = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or origin_of(row) is None or is_derived(row):
            continue
        try:
            summary, provenance = read_row(row["extra_info"])
        except ValueError as error:
            raise damaged(
                f"{file} is damaged: benchmark {number} is not a benchmark of webbench", error
            ) from None
        results[summary.cell] = summary, provenance
    if not results:
        raise UsageError(f"{file} has no benchmark of pytest-webbench", hint=NO_RUN)
    started = data.get("datetime")
    return SavedRun(
        source=file.name,
        metadata=RunMetadata(started=started if isinstance(started, str) else ""),
        summaries=tuple(summary for summary, _ in results.values()),
        provenances={cell: provenance for cell, (_, provenance) in results.items()},
        notes=(ROWS_ONLY,),
    )
