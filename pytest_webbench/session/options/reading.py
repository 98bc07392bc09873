"""Reads the settings of a run from the command line, the ini file and ``[tool.webbench]``."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from secrets import randbelow
from typing import Any

import pytest

from pytest_webbench.analysis.metrics import find_metric
from pytest_webbench.analysis.text import did_you_mean
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.plan import COUNTS, PROFILES, Measure, Profile
from pytest_webbench.model.results import Threshold
from pytest_webbench.model.settings import Override, Rates, Settings, WhenInvalid
from pytest_webbench.model.stack import VERSION_SETS
from pytest_webbench.session.options.project_file import Project, find_project
from pytest_webbench.session.options.table import OPTIONS, Option

__all__ = ["check_names", "read_settings"]


def read_settings(config: pytest.Config) -> Settings:
    """Return the settings of a run.

    Raises :class:`~pytest_webbench.model.errors.UsageError` that lists every fault.
    """
    project = find_project(config)
    in_file, faults = _read_table(project)
    given: dict[str, Any] = {"output": project.folder / ".webbench"}
    for option in OPTIONS:
        value, folder = _find(config, project, option, in_file)
        if not option.field or value is None:
            continue
        try:
            value = option.parser(value if option.many or not option.metavar else str(value))
        except ValueError as error:
            faults += [f"{option.flag}: {fault}" for fault in error.args]
            continue
        if option.parser is Path:
            value = folder / value.expanduser() if value.name else None
        if value is not None:
            given[option.field] = value
    if faults:
        raise UsageError("; ".join(faults), hint="see pytest --help, section webbench")
    return _settings(config, given)


TIMED = frozenset(
    {"profile", "durations_s", "users", "rates", "arrivals", "engine", "generators"}
    | {"load_workers", "load_bind", "load_master", "workers", "explain", "urls", "cpus"}
)
"""The fields without a meaning where instructions are counted."""


def _refuse_timing(config: pytest.Config) -> None:
    """Raise an error for timing options on the command line; those in a file apply to timed runs."""
    for option in OPTIONS:
        if option.field in TIMED and config.getoption(option.dest, None):
            raise UsageError(
                f"--webbench-measure=instructions counts the requests of one user to one worker, and "
                f"{option.flag} is for runs that are timed",
                hint="leave one of the two out",
            )


def _thresholds(config: pytest.Config, given: Sequence[Threshold], profile: Profile) -> tuple[Threshold, ...]:
    """Return the thresholds of metrics that ``profile`` measures; a file may have some of either measure.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for another one on the command line.
    """
    other = [each for each in given if not find_metric(each.metric).known_of(profile.measure)]
    if other and config.getoption("webbench_fail", None):
        asked = f"--webbench-fail={other[0].metric}"
        raise UsageError(
            f"{asked} is for runs that are timed, and --webbench-measure=instructions counts"
            if profile.counts
            else f"{asked} is for runs that count, and this one measures time",
            hint="leave it out" if profile.counts else "add --webbench-measure=instructions, or leave it out",
        )
    return tuple(each for each in given if each not in other)


def _settings(config: pytest.Config, given: dict[str, Any]) -> Settings:
    """Return settings with the values ``given`` by field; some of them name a value, or are part of one."""
    counts = given.pop("measure", Measure.TIME) == Measure.INSTRUCTIONS
    profile = COUNTS if counts else PROFILES[given.get("profile", "quick")]
    # Counts of different days are compared, so the random choices must be the same.
    given.setdefault("seed", 0 if counts else randbelow(1_000_000))
    if counts:
        _refuse_timing(config)
        given = {name: value for name, value in given.items() if name not in TIMED} | {"workers": 1}
        for name in ("start_timeout_s", "request_timeout_s"):
            given.setdefault(name, getattr(Settings(), name) * profile.patience)
    given.pop("profile", None)
    given["thresholds"] = _thresholds(config, given.get("thresholds", ()), profile)
    rates = given.pop("rates", Rates())
    if "versions" in given:
        given["versions"] = VERSION_SETS[given["versions"]]
    if "invalid" in given:
        given["invalid"] = WhenInvalid(given["invalid"])
    return Settings(
        profile=replace(profile, rounds=given.pop("rounds", profile.rounds)),
        rates=replace(rates, arrivals=Arrivals(given.pop("arrivals", rates.arrivals))),
        baseline=any(config.getoption(f"benchmark_{each}", None) for each in ("save", "autosave", "compare")),
        **given,
    )


def _find(
    config: pytest.Config, project: Project, option: Option, in_file: Mapping[str, Any]
) -> tuple[Any, Path]:
    """Return the value given for ``option``, or ``None``, and the folder that a relative path starts from.

    The command line wins over the ini file, and the ini file over the table.
    """
    value = config.getoption(option.dest, None)
    if value is not None or not option.ini:
        return value, config.invocation_params.dir
    value = config.getini(option.dest)
    if value is not None:
        return value, project.ini_folder
    return in_file.get(option.dest), project.file.parent if project.file else project.folder


def _read_table(project: Project) -> tuple[dict[str, Any], list[str]]:
    """Return the values in ``[tool.webbench]`` as the command line would give them, and their faults."""
    known = {option.dest.removeprefix("webbench_"): option for option in OPTIONS if option.ini}
    values: dict[str, Any] = {}
    faults = []
    for key, value in project.table.items():
        option = known.get(key.replace("-", "_"))
        if option is None:
            faults.append(f"no option is called {key!r}{did_you_mean(key, known)}")
        elif wanted := _wanted(option, value):
            faults.append(f"{key} is {wanted}")
        elif option.many:
            values[option.dest] = list(map(str, value if isinstance(value, list) else [value]))
        else:
            values[option.dest] = value
    return values, [f"[tool.webbench] in {project.file}: {fault}" for fault in faults]


def _wanted(option: Option, value: Any) -> str:
    """Return what ``value`` should be, if it is of the wrong type."""
    if not option.metavar:
        return "" if isinstance(value, bool) else "true or false, without quotes"
    values = value if option.many and isinstance(value, list) else [value]
    if not any(isinstance(each, bool | dict | list) for each in values):
        return ""
    return "a text, a number, or a list of them" if option.many else "a text or a number"


def check_names(settings: Settings, scenarios: Mapping[str, Any]) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for a number given to an unknown scenario."""
    for option in OPTIONS:
        value = getattr(settings, option.field, None)
        numbers = value.given if isinstance(value, Rates) else value
        for name in numbers.by_scenario if isinstance(numbers, Override) else ():
            if name not in scenarios:  # patterns are not allowed here
                raise UsageError(
                    f"{option.flag}: no scenario is called {name!r}{did_you_mean(name, scenarios)}",
                    evidence=f"known: {', '.join(scenarios)}",
                    hint="name a scenario, or leave the name out for all of them",
                )
