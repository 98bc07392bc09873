"""A JSON file of pytest-benchmark, read as a run: the cells among its rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.run import RunMetadata, SavedRun
from pytest_webbench.runs.rows import FORMAT, is_derived, origin_of, other_formats, read_row
from pytest_webbench.runs.store.files import NO_RUN, check_format, damaged

__all__ = ["read_benchmark_file"]

NOTE = "read from pytest-benchmark's JSON, which has figures of rounds, and no single response times"


def read_benchmark_file(file: Path, data: Mapping[str, Any]) -> SavedRun:
    """The run of which ``data``, what ``file`` holds, has the rows."""
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
            raise damaged(f"{file} is damaged: benchmark {number} does not describe a cell", error) from None
        results[summary.cell] = summary, provenance
    if not results:
        raise UsageError(f"{file} has no benchmark of pytest-webbench", hint=NO_RUN)
    started = data.get("datetime")
    return SavedRun(
        source=file.name,
        about=RunMetadata(started=started if isinstance(started, str) else ""),
        summaries=tuple(summary for summary, _ in results.values()),
        provenances={cell: provenance for cell, (_, provenance) in results.items()},
        notes=(NOTE,),
    )
