"""Saves the results to disk after each run, so that an interrupted benchmark can be resumed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from gate_bench.calibration import Calibration
from gate_bench.loops import Loops
from gate_bench.parts import Part, Setup
from gate_bench.runs import Run
from pytest_webbench.model.codec import from_json, to_json
from pytest_webbench.model.errors import WebbenchError

__all__ = ["Kept"]

T = TypeVar("T", Calibration, Loops)


class Kept:
    """The folder of a benchmark: ``setup.json``, the calibrations, and ``runs.jsonl``.

    ``setup`` is that of the folder, whose seed replaces a new one. Raises
    :class:`~pytest_webbench.model.errors.WebbenchError` if the folder has runs of a different setup.
    """

    def __init__(self, folder: Path, setup: Setup) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.setup = self._agreed(setup)
        self._runs = self._read_runs()

    def _agreed(self, setup: Setup) -> Setup:
        file = self.folder / "setup.json"
        if not file.exists():
            file.write_text(json.dumps(to_json(setup)))
            return setup
        known = from_json(Setup, json.loads(file.read_text()))
        if replace(known, seed=setup.seed) != setup:
            raise WebbenchError(
                f"{self.folder} has runs of other options",
                evidence=f"{known}, not {setup}",
                hint="give the options of then, or another folder by --keep",
            )
        return known

    def _read_runs(self) -> list[Run]:
        file = self.folder / "runs.jsonl"
        if not file.exists():
            return []
        whole, _, _ = file.read_text().rpartition("\n")  # the last line may have been cut off
        file.write_text(whole + "\n" if whole else "")
        return [from_json(Run, json.loads(line)) for line in whole.splitlines()]

    def attempts(self, part: Part, number: int) -> list[Run]:
        """Return the attempts at run ``number`` of ``part``, the earliest first."""
        return [run for run in self._runs if (run.part, run.number) == (part.name, number)]

    def add(self, run: Run) -> None:
        """Save ``run``."""
        self._runs.append(run)
        with (self.folder / "runs.jsonl").open("a") as file:
            file.write(json.dumps(to_json(run)) + "\n")

    def find(self, kind: type[T]) -> T | None:
        """Return the calibration of this ``kind``, ``None`` if there is none yet."""
        file = self._file_of(kind)
        return from_json(kind, json.loads(file.read_text())) if file.exists() else None

    def keep(self, calibration: Calibration | Loops) -> None:
        """Save ``calibration`` beside the runs."""
        self._file_of(type(calibration)).write_text(json.dumps(to_json(calibration)))

    def _file_of(self, kind: type) -> Path:
        return self.folder / f"{kind.__name__.lower()}.json"
