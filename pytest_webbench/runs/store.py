"""The folder of a run: what was measured, written after every trial, and the servers' logs.

Saved runs read back: the folder of a run, or a JSON file of pytest-benchmark.
"""

import json
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pytest_webbench.analysis.masking import mask_url
from pytest_webbench.analysis.summary import summarise
from pytest_webbench.host.files import write_whole
from pytest_webbench.model.codec import UnpackedTooMuchError, from_json, to_json, unpacking_at_most
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.events import (
    CheckFailed,
    Event,
    RateChosen,
    StackFailed,
    TrialFailed,
    TrialFinished,
)
from pytest_webbench.model.measurement import Machine, Measurement
from pytest_webbench.model.plan import Cell, Plan, Trial
from pytest_webbench.model.provenance import Provenance
from pytest_webbench.model.results import CellSummary, CodeProfile, Comparison
from pytest_webbench.model.saved_run import FORMAT, RunAbout, RunRecord
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.provenance import provenance_of
from pytest_webbench.runs.rows import FORMAT as ROW_FORMAT
from pytest_webbench.runs.rows import is_derived, origin_of, other_formats, read_row

__all__ = ["MOST_BYTES", "RunFolder", "read_run", "write_markdown"]


def write_markdown(markdown: str, *, file: Path | None) -> None:
    """Write ``markdown`` to ``file``, and append it to the summary of the job where there is one.

    GitHub Actions names the file of that in ``GITHUB_STEP_SUMMARY``. Raises :class:`OSError`.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, markdown.encode())
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as job:
            job.write(markdown)


class RunFolder:
    """Writes a run below ``output``: ``run.json``, ``trials.jsonl``, ``comparisons.json`` and ``logs/``.

    With ``--webbench-explain`` also ``explained.jsonl``, a line for each cell: ``{"explained": profile}``.

    Nothing is made before :meth:`begin`. Each line is written before the next trial begins, so that a
    run that is interrupted or killed keeps its finished trials.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        # The process id keeps two runs apart that begin in the same second.
        self.started = datetime.now().astimezone()
        self.path = output / f"{self.started:%Y%m%d-%H%M%S}-{os.getpid()}"
        self.logs = self.path / "logs"
        self.fault = ""
        """Why an event was not written down, if one was not: the first reason."""

    def begin(self, settings: Settings, plan: Plan, about: RunAbout) -> None:
        """Make the folder, keep it out of git, and write what is going to be measured, and how."""
        self.path.mkdir(parents=True, exist_ok=True)
        ignore = self._output / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        run = {
            "format": FORMAT,
            "settings": to_json(_without_passwords(settings)),
            "plan": to_json(plan),
            **to_json(about),
        }
        write_whole(self.path / "run.json", json.dumps(run, indent=1).encode())

    def consume(self, event: Event) -> None:
        """Write down a trial or a failure; if it cannot be, :attr:`fault` says so, and the run goes on."""
        try:
            self._consume(event)
        except OSError as error:
            self.fault = self.fault or f"{error.filename or self.path}: {error.strerror or error}"

    def _consume(self, event: Event) -> None:
        match event:
            case TrialFinished(measurement=measurement):
                self._append({"trial": to_json(measurement)})
            case TrialFailed(trial=trial, error=error):
                self._append({"trial_failed": to_json(trial), "error": str(error)})
            case RateChosen():
                self._append({"rate_chosen": to_json(event)})
            case StackFailed(stack=stack, error=error):
                self._append({"stack_failed": stack, "error": str(error)})
            case CheckFailed(cell=cell, error=error):
                self._append({"check_failed": to_json(cell), "error": str(error)})

    def keep_comparisons(
        self, comparisons: Sequence[Comparison], *, about: str, needed_s: float | None
    ) -> None:
        """Write down the verdicts of a run that has begun, for programs to read.

        ``about`` says what the base is, ``needed_s`` is the budget that would decide what is open.
        """
        kept = {
            "format": FORMAT,
            "against": about,
            "budget_needed_s": needed_s,
            "comparisons": [to_json(each) for each in comparisons],
        }
        text = msgspec.json.format(msgspec.json.encode(kept), indent=1)  # writes NaN as null, as JSON must
        (self.path / "comparisons.json").write_bytes(text)

    def keep_explained(self, profile: CodeProfile) -> None:
        """Write down the samples of a cell, in ``explained.jsonl``."""
        self._append({"explained": to_json(profile)}, file="explained.jsonl")

    def _append(self, line: dict[str, Any], *, file: str = "trials.jsonl") -> None:
        path = self.path / file
        before = path.stat().st_size if path.exists() else 0
        try:
            with path.open("a") as lines:
                lines.write(json.dumps(line) + "\n")
        except OSError as error:
            with suppress(OSError):  # a full disk: half a line would make the ones before it look damaged
                os.truncate(path, before)
            error.filename = error.filename or str(path)
            raise


def _without_passwords(settings: Settings) -> Settings:
    urls = tuple(replace(each, url=mask_url(each.url)) for each in settings.urls)
    return replace(settings, urls=urls)


T = TypeVar("T")

RUN, TRIALS, COMPARISONS, EXPLAINED = "run.json", "trials.jsonl", "comparisons.json", "explained.jsonl"
NO_RUN = "give the folder of a run (.webbench/20261121-091500-4711) or a file of --benchmark-json"
MOST_BYTES = 1 << 30
"""How large a file of a stranger may be: a run of a day has less."""
SHOWN = 200
"""How many characters of a message from a parser are shown."""


def read_run(path: Path, *, most_bytes: int | None = None) -> RunRecord:
    """The run that ``path`` holds: its folder, a file in that, or a JSON file of pytest-benchmark.

    With ``most_bytes``, no file of it may be larger, nor what is packed in it together, and a document or a
    line, which grows twentyfold when it is parsed, has at most a sixteenth of that.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for what is missing, empty, damaged, or written
    in a newer format. Of a run that was killed, the trials before the one that was cut off are read.
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


def _read_run(path: Path, most_bytes: int | None) -> RunRecord:
    try:
        folder = path if path.is_dir() else path.parent
        if most_bytes is not None:
            _check_sizes([] if path.is_dir() else [path], folder, most_bytes)
        if path.is_dir() or path.name in (TRIALS, COMPARISONS, EXPLAINED):
            return _read_folder(folder)
        data = _json_of(path)
        return _read_folder(folder) if "plan" in data and path.name == RUN else _read_rows(path, data)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be read: {reason}", hint=NO_RUN) from None


def _check_sizes(files: Sequence[Path], folder: Path, most_bytes: int) -> None:
    for file in (*files, *(folder / name for name in (RUN, TRIALS, COMPARISONS, EXPLAINED))):
        if not file.exists():
            continue
        if not file.is_file():  # a pipe or a device may have no end
            raise UsageError(f"{file} is no file", hint=NO_RUN)
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
    """In bytes, found out in little memory."""
    longest = length = 0
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            first, *rest = block.split(b"\n")
            length += len(first)
            longest = max(longest, length, *(len(each) for each in rest))
            length = len(rest[-1]) if rest else length
    return longest


def _json_of(file: Path) -> dict[str, Any]:
    """The object in ``file``."""
    try:
        data = json.loads(file.read_bytes())
    except ValueError as error:
        fault = "is empty" if not file.stat().st_size else "is no JSON, or damaged"
        raise UsageError(f"{file} {fault}", evidence=str(error)[:SHOWN], hint=NO_RUN) from None
    if not isinstance(data, dict):
        raise UsageError(f"{file} holds no run", evidence=f"a {type(data).__name__}", hint=NO_RUN)
    return data


def _checked_format(file: Path, found: Any, newest: int = FORMAT) -> None:
    if isinstance(found, int) and found > newest:
        raise UsageError(
            f"{file} was written by a newer version of pytest-webbench (format {found}; this one reads "
            f"{newest})",
            hint="update pytest-webbench",
        )
    if found != newest:
        raise UsageError(f"{file} holds no run", evidence=f"its format is {found!r}", hint=NO_RUN)


def _value(kind: type[T], data: Any, file: Path, where: str = "") -> T:
    """The value that ``data`` from ``file`` describes."""
    try:
        return from_json(kind, data)
    except (msgspec.ValidationError, ValueError, TypeError, zlib.error) as error:
        place = f"{file}{where}"
        raise UsageError(
            f"{place} is damaged: it does not describe a {kind.__name__}",
            evidence=str(error)[:SHOWN],
            hint="measure again; what was saved cannot be relied on",
        ) from None


# --- the folder of a run ----------------------------------------------------------------------------


def _read_folder(folder: Path) -> RunRecord:
    file = folder / RUN
    if not file.exists():
        raise UsageError(f"{folder} is not the folder of a run: it has no {RUN}", hint=NO_RUN)
    data = _json_of(file)
    _checked_format(file, data.get("format"))
    settings = _value(Settings, data.get("settings"), file)
    about = _value(
        RunAbout, {each.name: data[each.name] for each in fields(RunAbout) if each.name in data}, file
    )
    events = _Events()
    for line, place in _lines(folder / TRIALS, events.notes):
        events.take(line, folder / TRIALS, place)
    explained = [
        _value(CodeProfile, line.get("explained"), folder / EXPLAINED, place)
        for line, place in _lines(folder / EXPLAINED, events.notes)
    ]
    summaries = events.summaries(about, settings)
    verdicts = _comparisons_of(folder / COMPARISONS)
    return RunRecord(
        source=folder.resolve().name,
        about=about,
        settings=settings,
        plan=_value(Plan, data.get("plan"), file),
        measurements=tuple(each for rounds in events.rounds.values() for each in rounds),
        summaries=summaries,
        provenances={each.cell: _provenance(each, settings, about.machine) for each in summaries},
        stack_failures=events.stack_failures,
        check_failures=events.check_failures,
        trial_failures=events.trial_failures,
        rates=tuple(events.rates),
        against=str(verdicts.get("against", "")),
        needed_s=verdicts.get("budget_needed_s"),
        comparisons=verdicts.get("comparisons", ()),
        explained=tuple(explained),
        notes=tuple(events.notes),
    )


class _Events:
    """What the lines of ``trials.jsonl`` say."""

    def __init__(self) -> None:
        self.rounds: dict[Cell, list[Measurement]] = {}
        self.stack_failures: dict[str, str] = {}
        self.check_failures: dict[Cell, str] = {}
        self.trial_failures: dict[Cell, str] = {}
        self.rates: list[RateChosen] = []
        self.notes: list[str] = []

    def take(self, line: Mapping[str, Any], file: Path, place: str) -> None:
        """Take in the event of a line; one of a kind that is not known is left alone."""
        match line:
            case {"trial": trial}:
                measurement = _value(Measurement, trial, file, place)
                self.rounds.setdefault(measurement.trial.cell, []).append(measurement)
            case {"stack_failed": stack, "error": error}:
                self.stack_failures[str(stack)] = str(error)
            case {"check_failed": cell, "error": error}:
                self.check_failures[_value(Cell, cell, file, place)] = str(error)
            case {"trial_failed": trial, "error": error}:
                self.trial_failures[_value(Trial, trial, file, place).cell] = str(error)
            case {"rate_chosen": chosen}:
                self.rates.append(_value(RateChosen, chosen, file, place))

    def summaries(self, about: RunAbout, settings: Settings) -> tuple[CellSummary, ...]:
        """The figures of each cell with a round."""
        found = []
        for cell, rounds in self.rounds.items():
            known = about.scenarios.get(cell.scenario)
            # Scenarios with a duration show a rate, unless the run says otherwise.
            guessed = Unit.TIME if rounds[0].amount.duration_s is None else Unit.RATE
            unit = known.unit if known else guessed
            ordered = sorted(rounds, key=lambda each: each.trial.round)
            found.append(summarise(ordered, unit=unit, planned=settings.profile.rounds))
        return tuple(found)


def _lines(file: Path, notes: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of ``file``, none if there is no such file, each with the number of its line in words.

    A last line that was cut off, as by a kill, is left out, and ``notes`` get a sentence that says so.
    """
    if not file.exists():
        return
    with file.open("rb") as opened:
        yield from _objects(opened, file, notes)


def _objects(lines: Iterable[bytes], file: Path, notes: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except ValueError as error:
            if not line.endswith(b"\n"):
                notes.append(
                    f"the last line of {file.name} is cut off, as when a run is killed; the {number - 1} "
                    "before it are shown"
                )
                return
            raise UsageError(
                f"{file}, line {number} is damaged",
                evidence=str(error)[:SHOWN],
                hint="measure again; what was saved cannot be relied on",
            ) from None
        if not isinstance(data, dict):
            raise UsageError(f"{file}, line {number} holds no event", hint=NO_RUN)
        yield data, f", line {number},"


def _provenance(summary: CellSummary, settings: Settings, machine: Machine | None) -> Provenance:
    return provenance_of(
        summary, profile=settings.profile, generators=settings.load_processes, machine=machine
    )


def _comparisons_of(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    data = _json_of(file)
    _checked_format(file, data.get("format"))
    rows = data.get("comparisons")
    comparisons = tuple(
        _value(Comparison, _with_nan(each), file) for each in (rows if isinstance(rows, list) else ())
    )
    return {**data, "comparisons": comparisons}


NUMBERS = ("base", "head", "p_value")
BOUNDS = ("estimate", "low", "high")


def _with_nan(row: Any) -> Any:
    """``row`` with the numbers that are not known as NaN again, for which JSON has no word."""
    if not isinstance(row, dict) or not isinstance(row.get("ratio"), dict):
        return row
    ratio = {**row["ratio"], **{key: _number(row["ratio"].get(key)) for key in BOUNDS}}
    return {**row, **{key: _number(row.get(key)) for key in NUMBERS}, "ratio": ratio}


def _number(value: Any) -> Any:
    return math.nan if value is None else value


# --- the JSON of pytest-benchmark -------------------------------------------------------------------


def _read_rows(file: Path, data: Mapping[str, Any]) -> RunRecord:
    """The cells among the rows of pytest-benchmark."""
    rows = data.get("benchmarks")
    if not isinstance(rows, list):
        raise UsageError(f"{file} holds no run", evidence="it has no benchmarks", hint=NO_RUN)
    for other in other_formats(data):
        _checked_format(file, other, ROW_FORMAT)
    results = {}
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or origin_of(row) is None or is_derived(row):
            continue
        try:
            summary, provenance = read_row(row["extra_info"])
        except ValueError as error:
            raise UsageError(
                f"{file} is damaged: benchmark {number} does not describe a cell",
                evidence=str(error)[:SHOWN],
                hint="measure again; what was saved cannot be relied on",
            ) from None
        results[summary.cell] = summary, provenance
    if not results:
        raise UsageError(f"{file} has no benchmark of pytest-webbench", hint=NO_RUN)
    started = data.get("datetime")
    return RunRecord(
        source=file.name,
        about=RunAbout(started=started if isinstance(started, str) else ""),
        summaries=tuple(summary for summary, _ in results.values()),
        provenances={cell: provenance for cell, (_, provenance) in results.items()},
        notes=(
            "read from pytest-benchmark's JSON, which has figures of rounds, and no single response times",
        ),
    )
