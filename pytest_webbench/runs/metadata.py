"""The metadata of a run, and the provenance of its results."""

import ast
import io
import os
import tokenize
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pytest_webbench.analysis.cross_run import launch_provenance
from pytest_webbench.analysis.text import mask_credentials
from pytest_webbench.host.machine import describe_machine
from pytest_webbench.model.load import Loop, Schedule
from pytest_webbench.model.measurement import Machine, Provenance
from pytest_webbench.model.plan import Measure, Plan, Profile
from pytest_webbench.model.results import CellSummary
from pytest_webbench.model.run import RunMetadata, ScenarioMetadata, StackMetadata
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Registry, Scenario
from pytest_webbench.stacks.environment import asks_for

__all__ = [
    "code_lines_of",
    "count_code_lines",
    "planned_provenance",
    "provenance_of",
    "repeating_command",
    "run_metadata",
]

SEED = "--webbench-seed"


MOST_FOLDERS, MOST_FILES = 500, 500


def run_metadata(
    registry: Registry,
    plan: Plan,
    *,
    words: Sequence[str],
    root: Path,
    started: datetime,
    live: Sequence[str] = (),
) -> RunMetadata:
    """Return the metadata of the run of ``plan``, started with the arguments ``words`` of pytest in ``root``.

    ``live`` are the names of further stacks that tests ask for.
    """
    planned = {name for block in plan.blocks for name in block.stacks} | set(live)
    scenarios = {name: registry.scenarios[name] for name in registry.selected_scenarios}
    suites = dict.fromkeys(each.suite for each in scenarios.values())
    return RunMetadata(
        version=version("pytest-webbench"),
        command=repeating_command(words, seed=plan.seed, root=root),
        started=started.isoformat(timespec="seconds"),
        machine=describe_machine(),
        stacks={
            name: StackMetadata(title=each.title, suite=each.suite, code_lines=code_lines_of(each))
            for name, each in registry.stacks.items()
            if name in planned
        },
        scenarios={
            name: ScenarioMetadata(title=each.title, unit=each.unit, suite=each.suite)
            for name, each in scenarios.items()
        },
        published=tuple(each for name in suites for each in registry.suites[name].published),
    )


def repeating_command(words: Sequence[str], *, seed: int, root: Path) -> tuple[str, ...]:
    """Return the command line that repeats the run: with its seed, and paths relative to ``root`` or home."""
    kept = ["pytest", *(_portable(word, root) for word in words)]
    given = any(word == SEED or word.startswith(f"{SEED}=") for word in words)
    return (*kept, *(() if given else (f"{SEED}={seed}",)))


def _portable(word: str, root: Path) -> str:
    """Return ``word`` without machine-specific parts of a path, and without a URL's password."""
    home = str(Path.home())
    word = mask_credentials(word)
    return word.replace(f"{root}/", "").replace(home, "~") if len(home) > 1 else word.replace(f"{root}/", "")


def code_lines_of(stack: Stack) -> int | None:
    """Return a stack's lines of code; ``None`` without an application, or if a file of it cannot be read.

    Also ``None`` if an application cannot be distinguished from its surroundings, in a folder of thousands
    of files. Environments and hidden folders do not count.
    """
    if not stack.command:
        return None
    try:
        files = _sources(stack.folder)
        return sum(count_code_lines(_source(file)) for file in files) if files else None
    except (OSError, SyntaxError, ValueError):
        return None


def _sources(folder: Path) -> list[Path]:
    """Return the Python files in ``folder``; none if there are too many."""
    found: list[Path] = []
    for number, (place, folders, names) in enumerate(os.walk(folder)):
        folders[:] = [each for each in folders if _may_be_code(Path(place, each))]
        found += [Path(place, name) for name in names if name.endswith(".py")]
        if number > MOST_FOLDERS or len(found) > MOST_FILES:
            return []
    return found


def _may_be_code(folder: Path) -> bool:
    return not folder.name.startswith(".") and not (folder / "pyvenv.cfg").exists()


def _source(file: Path) -> str:
    with tokenize.open(file) as source:
        return source.read()


NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def count_code_lines(source: str) -> int:
    """Return the number of lines with a Python token, without comments and docstrings.

    Raises :class:`SyntaxError` for invalid Python.
    """
    docstrings = _lines_of_docstrings(source)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def _lines_of_docstrings(source: str) -> set[int]:
    """Return the lines of strings that stand alone: a string with code on its line is not a docstring."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def provenance_of(
    summary: CellSummary, *, profile: Profile | None, generators: int | None, machine: Machine | None = None
) -> Provenance:
    """Return the provenance of a cell's result, from a run with these settings."""
    return replace(
        launch_provenance(summary.launch),
        engine=summary.engine,
        loop=Loop(schedule=summary.schedule),
        users=summary.users,
        amount=summary.amount,
        records=summary.records,
        profile=profile,
        measure=Measure.INSTRUCTIONS if summary.counts else Measure.TIME,
        turns=summary.turns,
        generators=generators,
        machine=machine,
    )


def planned_provenance(
    scenario: Scenario, stack: Stack, settings: Settings, *, launcher: str, engine: str, default_records: int
) -> Provenance:
    """Return the provenance of a cell's result, as far as it is known in advance.

    Not known yet: the number of workers that a command starts by itself, the records of a server that was
    already running, a rate that is chosen in the run, and the connections that it needs.
    """
    records = default_records if settings.records is None else settings.records
    chosen_later = scenario.rate is None and settings.rates.common_share is not None
    schedule = None
    if scenario.rate is not None:
        schedule = Schedule(rate=scenario.rate, arrivals=scenario.arrivals)
    told = [name for name in ("workers", "threads") if not settings.urls and asks_for(stack, name)]
    return Provenance(
        launcher=launcher,
        engine=engine,
        loop=None if chosen_later else Loop(schedule=schedule),
        users=None if chosen_later else scenario.users,
        amount=scenario.amount,
        records=None if settings.urls else records,
        profile=settings.profile,
        measure=settings.profile.measure,
        generators=settings.load_processes,
        workers=settings.workers if "workers" in told else None,
        threads=settings.threads if "threads" in told else None,
    )
