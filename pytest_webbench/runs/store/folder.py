"""The folder of a run, written while it runs and read back; ``trials.jsonl`` has its own module.

``run.json`` has the plan and its settings, written before anything is launched; ``comparisons.json`` has
the verdicts of a run that compares, for programs to read; ``explained.jsonl`` a line for each cell whose
code was sampled.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from pytest_webbench.analysis.gate import remarks
from pytest_webbench.analysis.text import mask_url
from pytest_webbench.host.files import write_whole
from pytest_webbench.model.codec import encode, to_saved
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.growth import WhatGrew
from pytest_webbench.model.plan import Plan
from pytest_webbench.model.results import CodeProfile, Comparison, Remark
from pytest_webbench.model.run import Event, RunMetadata, SavedRun
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.metadata import provenance_of
from pytest_webbench.runs.store import trials
from pytest_webbench.runs.store.files import (
    NO_RUN,
    append_line,
    check_format,
    read_document,
    read_lines,
    value_of,
)

__all__ = ["FILES", "PLAN", "RUN", "RunFolder", "read_folder"]

RUN, COMPARISONS, EXPLAINED = "run.json", "comparisons.json", "explained.jsonl"
FILES = (RUN, trials.NAME, COMPARISONS, EXPLAINED)
"""The files of a folder that are read; the servers' logs and the report are beside them."""
RUN_FORMAT = 1
"""The version of ``run.json``, ``trials.jsonl`` and ``explained.jsonl``.

1: the first one. The metadata of the run may be missing, and so may any field with a default.
"""
COMPARISONS_FORMAT = 1
"""The version of ``comparisons.json``.

1: the first one. A number that is not known is ``null``.
"""
SETTINGS, PLAN = "settings", "plan"
PROFILE, REASON = "explained", "why_not"
"""Keys of a line of ``explained.jsonl``: the samples, and why there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparisons:
    """The content of ``comparisons.json``."""

    format: int = COMPARISONS_FORMAT
    against: str = ""
    """A description of the base."""
    budget_needed_s: float | None = None
    """The budget that would decide undecided cells.

    ``None`` if there are none, or if it cannot be estimated.
    """
    comparisons: tuple[Comparison, ...] = ()
    remarks: tuple[Remark, ...] = ()
    """The remarks printed below the verdicts; files of earlier versions lack them."""
    grown: tuple[WhatGrew, ...] = ()
    """What makes failed cells execute more; files of earlier versions lack it."""


class RunFolder:
    """Writes a run below ``output``: :data:`FILES` and ``logs/``.

    Nothing is created before :meth:`begin`. Each line is written before the next trial begins, so that a
    run that is interrupted or killed keeps its finished trials.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        # The process id keeps two runs apart that begin in the same second, a number those of one process.
        self.started = datetime.now().astimezone()
        name = f"{self.started:%Y%m%d-%H%M%S}-{os.getpid()}"
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        self.path = next(output / each for each in names if not (output / each).exists())
        self.logs = self.path / "logs"
        self.fault = ""
        """Why an event could not be saved: the first reason; empty if all were."""

    def begin(self, settings: Settings, plan: Plan, metadata: RunMetadata) -> None:
        """Create the folder, exclude it from git, and write ``run.json``, without passwords."""
        self.path.mkdir(parents=True, exist_ok=True)
        ignore = self._output / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, b"*\n")
        urls = tuple(replace(each, url=mask_url(each.url)) for each in settings.urls)
        saved = replace(settings, urls=urls)
        content = {"format": RUN_FORMAT, SETTINGS: saved, PLAN: plan, **to_saved(metadata)}
        write_whole(self.path / RUN, encode(content, indent=1))

    def consume(self, event: Event) -> None:
        """Save a trial or a failure.

        If it cannot be saved, :attr:`fault` gets the reason, and the run continues.
        """
        try:
            trials.write_event(self.path, event)
        except OSError as error:
            self.fault = self.fault or f"{error.filename or self.path}: {error.strerror or error}"

    def keep_comparisons(
        self,
        found: Sequence[Comparison],
        *,
        base: str,
        needed_s: float | None,
        grown: Sequence[WhatGrew] = (),
    ) -> None:
        """Save the verdicts of a run that has begun. Raises :class:`OSError`.

        ``base`` names the base, ``needed_s`` is the budget that would decide undecided cells.
        """
        kept = _Comparisons(
            against=base,
            budget_needed_s=needed_s,
            comparisons=tuple(found),
            remarks=tuple(remarks(found, needed_s=needed_s)),
            grown=tuple(grown),
        )
        write_whole(self.path / COMPARISONS, encode(kept, indent=1))

    def keep_explained(self, profile: CodeProfile) -> None:
        """Save the samples of a cell. Raises :class:`OSError`."""
        saved = to_saved(profile)
        saved[REASON] = saved.pop("reason")
        append_line(self.path / EXPLAINED, {PROFILE: saved})


def read_folder(folder: Path) -> SavedRun:
    """Return the run that ``folder`` holds."""
    notes: list[str] = []
    settings, plan, metadata = _read_run_file(folder)
    events = trials.read_trials(folder, notes)
    profiles = [_profile(data, place) for data, place in read_lines(folder / EXPLAINED, notes)]
    verdicts = _read_comparisons(folder / COMPARISONS)
    summaries = events.summaries(metadata, settings.profile.rounds)
    return SavedRun(
        source=folder.resolve().name,
        metadata=metadata,
        settings=settings,
        plan=plan,
        measurements=tuple(each for rounds in events.rounds.values() for each in rounds),
        summaries=summaries,
        provenances={
            each.cell: provenance_of(
                each, profile=settings.profile, generators=settings.load_processes, machine=metadata.machine
            )
            for each in summaries
        },
        live=tuple(events.live.summaries()),
        stack_failures=events.stack_failures,
        check_failures=events.check_failures,
        trial_failures=events.trial_failures,
        rates=tuple(events.rates),
        against=verdicts.against,
        needed_s=verdicts.budget_needed_s,
        comparisons=verdicts.comparisons,
        grown=verdicts.grown,
        explained=tuple(profiles),
        notes=tuple(notes),
    )


def _read_run_file(folder: Path) -> tuple[Settings, Plan, RunMetadata]:
    file = folder / RUN
    if not file.exists():
        raise UsageError(f"{folder} is not the folder of a run: it has no {RUN}", hint=NO_RUN)
    data = read_document(file)
    check_format(file, data.get("format"), RUN_FORMAT)
    metadata = {each.name: data[each.name] for each in fields(RunMetadata) if each.name in data}
    return (
        value_of(Settings, data.get(SETTINGS), file, "the settings of a run"),
        value_of(Plan, data.get(PLAN), file, "a plan"),
        value_of(RunMetadata, metadata, file, "a run"),
    )


def _profile(line: dict[str, Any], place: str) -> CodeProfile:
    saved = line.get(PROFILE)
    if isinstance(saved, dict):
        saved = {**saved, "reason": saved.get(REASON, "")}
    return value_of(CodeProfile, saved, place, "samples")


def _read_comparisons(file: Path) -> _Comparisons:
    if not file.exists():
        return _Comparisons()
    data = read_document(file)
    check_format(file, data.get("format"), COMPARISONS_FORMAT)
    return value_of(_Comparisons, data, file, "verdicts")
