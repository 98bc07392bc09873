"""From the command line, the ini file and ``[tool.webbench]`` to the settings of a run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from secrets import randbelow
from typing import Any, NamedTuple

import pytest

from pytest_webbench.analysis.gate import parse_threshold
from pytest_webbench.analysis.responses import shown
from pytest_webbench.analysis.text import NAME_WORDS, did_you_mean, is_name
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.schedule import COMMON_SHARE
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.plan import PROFILES
from pytest_webbench.model.results import Threshold
from pytest_webbench.model.settings import NamedUrl, Override, Rates, Settings, WhenInvalid
from pytest_webbench.model.stack import VERSION_SETS
from pytest_webbench.session.options.project_file import find_project
from pytest_webbench.session.options.table import OPTIONS, Option

__all__ = ["check_names", "read_settings"]


class Number(NamedTuple):
    """What numbers an option takes."""

    kind: type[int] | type[float]
    least: float
    most: float

    def parse(self, text: str) -> Any:
        """The number; raises :class:`ValueError` that says what is wrong with ``text``."""
        try:
            value = self.kind(text)
        except ValueError:
            noun = "a whole number" if self.kind is int else "a number"
            raise ValueError(f"{text!r} is not {noun}") from None
        if not self.least <= value <= self.most:
            raise ValueError(f"{text} is out of range ({self.least:,} to {self.most:,})")
        return value


SECONDS = Number(float, 0.01, 86_400)
COUNT = Number(int, 1, 100_000_000)
FEW = Number(int, 1, 10_000)
RATE = Number(float, 0.001, 1_000_000)

MEMORY_LEAST = 32 << 20
LAUNCHERS = ("auto", "process", "container")
ENGINES = ("native", "k6", "locust")
ARRIVALS = ("constant", "poisson")
WHEN_INVALID = ("fail", "note")


class _Reader:
    """Reads raw values, noting every fault instead of stopping at the first."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.faults: list[str] = []
        self._project = find_project(config)
        self._table = self._tool_table()

    def raw(self, dest: str) -> Any:
        """The value of the command line, else of the ini file, else of ``[tool.webbench]``, else ``None``."""
        return self._found(dest)[0]

    def path(self, dest: str) -> Path | None:
        """A path, which is relative to the folder of the call, or to that of the file in which it stands."""
        value, folder = self._found(dest)
        return folder / Path(str(value)).expanduser() if value else None

    def _found(self, dest: str) -> tuple[Any, Path]:
        """A value, and the folder that it belongs to."""
        given = self._config.getoption(dest, None)
        if given is not None:
            return given, self._config.invocation_params.dir
        given = self._config.getini(dest)
        if given is not None:
            return given, self._project.ini_folder
        file = self._project.file
        return self._table.get(dest), file.parent if file else self._project.folder

    def _tool_table(self) -> dict[str, Any]:
        """``[tool.webbench]``, whose keys are the options without ``webbench``, by those of the options."""
        known = {option.dest.removeprefix("webbench_"): option for option in OPTIONS if option.ini}
        values: dict[str, Any] = {}
        for key, value in self._project.table.items():
            option = known.get(key.replace("-", "_"))
            if option is None:
                self._fault_of_table(f"no option is called {key!r}{did_you_mean(key, known)}")
            else:
                values[option.dest] = self._of_table(key, value, option)
        return values

    def _of_table(self, key: str, value: Any, option: Option) -> Any:
        """A value of the table as the command line would give it, ``None`` if it is none for ``option``."""
        if not option.metavar:
            if isinstance(value, bool):
                return value
            self._fault_of_table(f"{key} is true or false, without quotes")
            return None
        several = value if option.many and isinstance(value, list) else [value]
        if any(isinstance(each, bool | dict | list) for each in several):
            what = "a text, a number, or a list of them" if option.many else "a text or a number"
            self._fault_of_table(f"{key} is {what}")
            return None
        return list(map(str, several)) if option.many else str(value)

    def _fault_of_table(self, fault: str) -> None:
        self.faults.append(f"[tool.webbench] in {self._project.file}: {fault}")

    def words(self, dest: str) -> list[str]:
        """The parts of a list: given several times, or separated by commas."""
        return [word for text in self.raw(dest) or () for part in text.split(",") if (word := part.strip())]

    def number(self, dest: str, number: Number, default: Any) -> Any:
        """The number given, or ``default`` where none is or it is at fault."""
        text = self.raw(dest)
        return default if text is None else self._parse(dest, str(text), number, default)

    def choice(self, dest: str, known: tuple[str, ...], default: str) -> str:
        """One of the words known, or ``default``."""
        text = self.raw(dest) or default
        if text in known:
            return str(text)
        self.faults.append(
            f"{_flag(dest)}: {text!r} is not known{did_you_mean(text, known)} (known: {', '.join(known)})"
        )
        return default

    def size(self, dest: str) -> int | None:
        """A number of bytes, given with or without k, m or g; ``None`` where none is or it is at fault."""
        text = str(self.raw(dest) or "").strip().lower()
        if not text:
            return None
        factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1], 1)
        digits = text.rstrip("kmg") if text[-1] in "kmg" else text
        if not digits.isdigit() or int(digits) * factor < MEMORY_LEAST:
            self.faults.append(f"{_flag(dest)}: {text!r} is not a size of at least 32m, such as 512m or 2g")
            return None
        return int(digits) * factor

    def override(self, dest: str, number: Number, words: Iterable[str] | None = None) -> Override[Any]:
        """Numbers for all scenarios, or for some by name; ``words`` stand for those that were given."""
        everywhere, by_scenario = None, {}
        for word in self.words(dest) if words is None else words:
            name, separator, text = word.rpartition("=")
            value = self._parse(dest, text, number, None)
            if separator:
                by_scenario[name] = value
            else:
                everywhere = value
        return Override(everywhere=everywhere, by_scenario=by_scenario)

    def _parse(self, dest: str, text: str, number: Number, default: Any) -> Any:
        try:
            return number.parse(text)
        except ValueError as error:
            self.faults.append(f"{_flag(dest)}: {error}")
            return default


def _flag(dest: str) -> str:
    return "--" + dest.replace("_", "-")


def read_settings(config: pytest.Config) -> Settings:
    """The settings that the command line and the ini file make together.

    Raises :class:`~pytest_webbench.model.errors.UsageError` that names every fault at once.
    """
    read = _Reader(config)
    profile = PROFILES[read.choice("webbench_profile", tuple(PROFILES), "quick")]
    rounds = read.number("webbench_rounds", FEW, profile.rounds)
    settings = Settings(
        profile=replace(profile, rounds=rounds),
        stacks=tuple(read.words("webbench_stack")),
        scenarios=tuple(read.words("webbench_scenario")),
        urls=_urls(read),
        allow_writes=bool(read.raw("webbench_allow_writes")),
        launcher=read.choice("webbench_launcher", LAUNCHERS, "auto"),
        versions=VERSION_SETS[read.choice("webbench_versions", tuple(VERSION_SETS), "current")],
        base_image=read.raw("webbench_base_image"),
        cpus=read.number("webbench_cpus", Number(float, 0.01, 10_000), None),
        memory_bytes=read.size("webbench_memory"),
        seed=read.number("webbench_seed", Number(int, 0, 2**63), randbelow(1_000_000)),
        durations_s=read.override("webbench_duration", SECONDS),
        requests=read.override("webbench_requests", COUNT),
        users=read.override("webbench_users", FEW),
        rates=_rates(read),
        engine=read.choice("webbench_engine", ENGINES, "native"),
        generators=read.number("webbench_generators", Number(int, 1, 256), 1),
        load_workers=read.number("webbench_load_workers", FEW, 2),
        load_bind=_address(read, "webbench_load_bind"),
        load_master=_address(read, "webbench_load_master"),
        records=read.number("webbench_records", Number(int, 0, 10_000_000), None),
        workers=read.number("webbench_workers", FEW, 2),
        threads=read.number("webbench_threads", FEW, 2),
        start_timeout_s=read.number("webbench_start_timeout", SECONDS, 30.0),
        request_timeout_s=read.number("webbench_request_timeout", SECONDS, 30.0),
        against=read.raw("webbench_against"),
        against_stack=read.raw("webbench_against_stack"),
        thresholds=_thresholds(read),
        budget_s=_budget(read),
        markdown=read.path("webbench_markdown"),
        invalid=_invalid(read),
        baseline=any(config.getoption(f"benchmark_{each}", None) for each in ("save", "autosave", "compare")),
        explain=bool(read.raw("webbench_explain")),
        strict=bool(read.raw("webbench_strict")),
        allow_missing=bool(read.raw("webbench_allow_missing")),
        wait=bool(read.raw("webbench_wait")),
        output=read.path("webbench_output") or find_project(config).folder / ".webbench",
        cache=read.path("webbench_cache"),
    )
    if read.faults:
        raise UsageError("; ".join(read.faults), hint="see pytest --help, section webbench")
    return settings


def _rates(read: _Reader) -> Rates:
    share, numbers = None, []
    for word in read.words("webbench_rate"):
        name, separator, text = word.partition(":")
        if name != "common":
            numbers.append(word)
        elif not separator:
            share = COMMON_SHARE
        elif (share := _share(text)) is None:
            read.faults.append(f"--webbench-rate: {text!r} is not a share from 1% to 95%, such as 50%")
    arrivals = Arrivals(read.choice("webbench_arrivals", ARRIVALS, "constant"))
    given = read.override("webbench_rate", RATE, numbers)
    return Rates(given=given, common_share=share, arrivals=arrivals)


def _thresholds(read: _Reader) -> tuple[Threshold, ...]:
    thresholds = []
    for text in read.words("webbench_fail"):
        try:
            thresholds.append(parse_threshold(text))
        except ValueError as error:
            read.faults.append(f"--webbench-fail: {error}")
    return tuple(thresholds)


def _invalid(read: _Reader) -> WhenInvalid | None:
    if read.raw("webbench_invalid") is None:
        return None
    return WhenInvalid(read.choice("webbench_invalid", WHEN_INVALID, "fail"))


def _budget(read: _Reader) -> float | None:
    text = str(read.raw("webbench_budget") or "").strip()
    if not text:
        return None
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1], 0.0)
    try:
        return float(SECONDS.parse(str(float(text[:-1]) * factor)))
    except ValueError:
        read.faults.append(f"--webbench-budget: {text!r} is not a time such as 90s, 5m or 1h")
        return None


def _share(text: str) -> float | None:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None
    return share if 0.01 <= share <= 0.95 else None


def _address(read: _Reader, dest: str) -> str | None:
    text = read.raw(dest)
    if text is None:
        return None
    host, _, port = str(text).rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        read.faults.append(f"{_flag(dest)}: {text!r} is not HOST:PORT")
        return None
    return str(text)


def _urls(read: _Reader) -> tuple[NamedUrl, ...]:
    urls = []
    for text in read.raw("webbench_url") or ():
        name, separator, url = text.partition("=")
        if not separator or "://" in name:
            name, url = "", text
        elif not is_name(name):
            read.faults.append(f"--webbench-url: the name {shown(name)} cannot be used; wanted: {NAME_WORDS}")
            continue
        try:
            target = Target.parse(url)
        except LoadError as error:
            read.faults.append(f"--webbench-url: {error.message.rstrip('.')}; {error.hint}")
            continue
        urls.append(NamedUrl(name=name or target.name, url=url))
    return tuple(urls)


def check_names(settings: Settings, scenarios: Mapping[str, Any]) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for a number given to a scenario not known."""
    overrides = {
        "--webbench-duration": settings.durations_s.by_scenario,
        "--webbench-requests": settings.requests.by_scenario,
        "--webbench-users": settings.users.by_scenario,
        "--webbench-rate": settings.rates.given.by_scenario,
    }
    for flag, by_scenario in overrides.items():
        for name in by_scenario:
            if name not in scenarios:  # a pattern is not a name
                raise UsageError(
                    f"{flag}: no scenario is called {name!r}{did_you_mean(name, scenarios)}",
                    evidence=f"known: {', '.join(scenarios)}",
                    hint="name a scenario, or leave the name out for all of them",
                )
