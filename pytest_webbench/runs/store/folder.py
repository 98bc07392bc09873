"""The folder of a run: written while it runs, and read back."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pytest_webbench.host.files import write_whole
from pytest_webbench.model.plan import Plan
from pytest_webbench.model.results import CodeProfile, Comparison
from pytest_webbench.model.run import Event, RunMetadata, SavedRun
from pytest_webbench.model.settings import Settings
from pytest_webbench.runs.provenance import provenance_of
from pytest_webbench.runs.store import comparisons, explained, run_file, trials

__all__ = ["FILES", "RunFolder", "read_folder"]

FILES = (run_file.NAME, trials.NAME, comparisons.NAME, explained.NAME)
"""What is read of a folder; the servers' logs and the report lie beside them."""


class RunFolder:
    """Writes a run below ``output``: :data:`FILES` and ``logs/``.

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

    def begin(self, settings: Settings, plan: Plan, about: RunMetadata) -> None:
        """Make the folder, keep it out of git, and write what is going to be measured, and how."""
        self.path.mkdir(parents=True, exist_ok=True)
        ignore = self._output / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, b"*\n")
        run_file.write_run_file(self.path, settings, plan, about)

    def consume(self, event: Event) -> None:
        """Write down a trial or a failure; if it cannot be, :attr:`fault` says so, and the run goes on."""
        try:
            trials.write_event(self.path, event)
        except OSError as error:
            self.fault = self.fault or f"{error.filename or self.path}: {error.strerror or error}"

    def keep_comparisons(self, found: Sequence[Comparison], *, about: str, needed_s: float | None) -> None:
        """Write down the verdicts of a run that has begun.

        ``about`` says what the base is, ``needed_s`` is the budget that would decide what is open.
        """
        kept = comparisons.Comparisons(against=about, budget_needed_s=needed_s, comparisons=tuple(found))
        comparisons.write_comparisons(self.path, kept)

    def keep_explained(self, profile: CodeProfile) -> None:
        """Write down the samples of a cell."""
        explained.write_explained(self.path, profile)


def read_folder(folder: Path) -> SavedRun:
    """The run that ``folder`` holds."""
    notes: list[str] = []
    settings, plan, about = run_file.read_run_file(folder)
    events = trials.read_trials(folder, notes)
    profiles = explained.read_explained(folder, notes)
    verdicts = comparisons.read_comparisons(folder)
    summaries = events.summaries(about, settings.profile.rounds)
    return SavedRun(
        source=folder.resolve().name,
        about=about,
        settings=settings,
        plan=plan,
        measurements=tuple(each for rounds in events.rounds.values() for each in rounds),
        summaries=summaries,
        provenances={
            each.cell: provenance_of(
                each, profile=settings.profile, generators=settings.load_processes, machine=about.machine
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
        explained=profiles,
        notes=tuple(notes),
    )
