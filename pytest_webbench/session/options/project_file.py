"""Finds the settings of a project: its folder, and the table ``[tool.webbench]`` that applies.

pytest chooses its root folder, and with it its own settings file, before it knows the options of plugins. In
``--webbench-cache DIR`` it takes ``DIR`` for a path to tests, and may choose a root folder other than the
project's. So the search for the table starts in the folder in which pytest was called, and tables that are
found but not read are reported.
"""

import os
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.model.errors import UsageError

__all__ = ["Project", "find_project"]

TOML = "pyproject.toml"
SETTINGS_OF_PYTEST = {
    "pytest.toml": "",
    ".pytest.toml": "",
    "pytest.ini": "",
    ".pytest.ini": "",
    TOML: "",
    "tox.ini": r"^\[pytest\]",
    "setup.cfg": r"^\[tool:pytest\]",
}
"""The files in which pytest looks for settings, and the section that each must have."""
OURS = re.compile(r"^(?!\s*[#;]).*webbench", re.MULTILINE)
_PROJECT: "pytest.StashKey[Project]" = pytest.StashKey()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project of a run.

    ``folder`` is pytest's root folder, or what it would be if no value of an option had been taken for a path
    to tests. ``table`` is ``[tool.webbench]`` of ``file``, or empty. ``ini_folder`` is the folder of the file
    that pytest reads. ``notes`` say which files are read, and which are found but not read.
    """

    folder: Path
    file: Path | None
    table: Mapping[str, Any]
    ini_folder: Path
    notes: tuple[str, ...]


def find_project(config: pytest.Config) -> Project:
    """Return the project of a run; the result is cached.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for a file of the project that cannot be read,
    unless a nearer one applies.
    """
    if _PROJECT not in config.stash:
        config.stash[_PROJECT] = _find_project(config)
    return config.stash[_PROJECT]


def _find_project(config: pytest.Config) -> Project:
    start, given, here = _start(config), config.getoption("inifilename", None), config.invocation_params.dir
    folder, misled_by = config.rootpath, ""
    if not given and not config.getoption("rootdir", None) and (word := _taken_for_path(config)):
        folder, misled_by = _root_folder(start), word
    found: dict[Path, Mapping[str, Any]] = {}
    damaged: list[str] = []
    for file in dict.fromkeys(_candidates(config, start, given)):
        try:
            table = _table(file)
        except UsageError as error:
            if not found and (file.parent in {start, here} or file.is_relative_to(folder)):
                raise
            damaged.append(f"{error.message}; it is not read")
        else:
            found |= {} if table is None else {file: table}
    holds = next(iter(found), None)
    notes = [f"settings of [tool.webbench] in {_shown(holds, here)}"] if holds else []
    for file in [*found][1:]:
        why = f"that of {_shown(holds, here)} holds"
        notes.append(f"[tool.webbench] in {_shown(file, here)} is not read: {why}")
    notes += damaged
    if not given:
        notes += _unread_settings(config, start)
    if folder != config.rootpath:
        notes.append(f"pytest took a value for a path to tests, hence its rootdir: write {misled_by}")
    return Project(
        folder=folder,
        file=holds,
        table=found[holds] if holds else {},
        ini_folder=config.inipath.parent if config.inipath else folder,
        notes=tuple(notes),
    )


# --- [tool.webbench] ----------------------------------------------------------------------------------------


def _candidates(config: pytest.Config, start: Path, given: str | None) -> Iterator[Path]:
    """Yield the files that may have the table, by decreasing priority.

    A file of ``-c``; then the nearest to the given paths, if they are in the folder of the call, and to that
    folder; finally the nearest to paths elsewhere, and to pytest's root folder.
    """
    if given and given.endswith(".toml"):
        yield Path(os.path.normpath(config.invocation_params.dir / given))
    here = config.invocation_params.dir
    inside = start.is_relative_to(here)
    for folder in (start, here) if inside else (here, start):
        yield from (each / TOML for each in _upwards(folder))
    yield from (each / TOML for each in _upwards(config.rootpath))


def _start(config: pytest.Config) -> Path:
    """Return the common folder of the given paths; without any, that of the call."""
    here = config.invocation_params.dir
    paths = []
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        # Node ids of the built-in run are not paths.
        words = (word.partition("::")[0] for word in config.args)
        paths = [os.path.normpath(here / word) for word in words if _exists(here / word)]
    if not paths:
        return here
    common = Path(os.path.commonpath(paths))
    return common if common.is_dir() else common.parent


def _upwards(folder: Path) -> tuple[Path, ...]:
    return (folder, *folder.parents)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _table(file: Path) -> Mapping[str, Any] | None:
    """Return the table in ``file``, ``None`` without one; raises ``UsageError``."""
    if not _is_file(file):
        return None
    tool = _read_toml(file).get("tool", {})
    table = tool.get("webbench") if isinstance(tool, Mapping) else None
    if table is not None and not isinstance(table, Mapping):
        raise UsageError(
            f"{file}: [tool.webbench] is not a table",
            hint='write a line [tool.webbench], and below it lines such as profile = "smoke"',
        )
    return table


def _read_toml(file: Path) -> Mapping[str, Any]:
    hint = f"correct {file.name}: settings of webbench may stand in it"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}", hint=hint) from None
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = 1 + content.count(b"\n", 0, error.start)
        raise UsageError(f"{file}, line {line}: not UTF-8", hint=hint) from None
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
        line = int(place[1]) if place and place[1] else 1 + content.rstrip().count(b"\n")
        why = said[: place.start()] if place else said
        raise UsageError(f"{file}, line {line}: not valid TOML: {why}", hint=hint) from None


# --- the settings of pytest ---------------------------------------------------------------------------------


def _taken_for_path(config: pytest.Config) -> str:
    """Return the correct spelling of an option whose value pytest took for a path; empty if there is none."""
    invocation = config.invocation_params
    given = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *map(str, invocation.args)]
    arguments = set(config.args) if config.args_source is pytest.Config.ArgsSource.ARGS else set()
    for option, word in pairwise(given):
        names_one = option.startswith("--") and "=" not in option and not word.startswith("-")
        if names_one and word not in arguments and _exists(invocation.dir / word):
            return f"{option}={word}"
    return ""


def _root_folder(start: Path) -> Path:
    """Return the root folder that pytest would choose from ``start``."""
    settings = _settings_of_pytest(start)
    if settings:
        return settings.parent
    for name in (TOML, "setup.py"):
        found = next((each for each in _upwards(start) if _is_file(each / name)), None)
        if found:
            return found
    return start


def _settings_of_pytest(start: Path) -> Path | None:
    """Return the settings file that pytest would choose from ``start``."""
    for folder in _upwards(start):
        for name, needs in SETTINGS_OF_PYTEST.items():
            file = folder / name
            if not _is_file(file):
                continue
            if name == TOML:
                if _pytest_table(file) is not None:
                    return file
            elif re.search(needs, _text(file), re.MULTILINE):
                return file
    return None


def _pytest_table(file: Path) -> Any:
    try:
        tool = _read_toml(file).get("tool", {})
    except UsageError:
        return None
    return tool.get("pytest") if isinstance(tool, Mapping) else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unread_settings(config: pytest.Config, start: Path) -> Iterable[str]:
    """Yield notes on files with settings of ours that pytest does not read."""
    here = config.invocation_params.dir
    for file in dict.fromkeys(map(_settings_of_pytest, (start, here))):
        if file is None or file == config.inipath:
            continue
        if OURS.search(str(_pytest_table(file)) if file.name == TOML else _text(file)):
            where = f"the rootdir of pytest is {config.rootpath}"
            yield f"webbench_ settings of pytest in {_shown(file, here)} are not read: {where}"


def _shown(file: Path | None, here: Path) -> str:
    """Return ``file`` relative to ``here``, if it is below."""
    return str(file.relative_to(here)) if file and file.is_relative_to(here) else str(file)
