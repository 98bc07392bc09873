"""The folder of a run: what was measured, written after every trial, and the servers' logs."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pytest_webbench.files import write_whole
from pytest_webbench.logic.masking import mask_url
from pytest_webbench.values.code_profile import CodeProfile
from pytest_webbench.values.codec import to_json
from pytest_webbench.values.event import Event, RateChosen, StackFailed, TrialFailed, TrialFinished
from pytest_webbench.values.plan import Plan
from pytest_webbench.values.record import FORMAT, RunAbout
from pytest_webbench.values.settings import Settings
from pytest_webbench.values.verdict import Comparison

__all__ = ["RunFolder", "write_markdown"]


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
