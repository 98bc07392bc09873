"""Compares saved runs: which results are comparable, and in which the stacks really differ."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, variance
from typing import Any

from pytest_webbench.analysis.statistics import CONFIDENCE
from pytest_webbench.analysis.summary import rank
from pytest_webbench.model.measurement import UNKNOWN, LaunchRecord, Machine, Provenance
from pytest_webbench.model.plan import Cell, Measure, Profile
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import BaselineMatch, CellSummary, Difference, Interval
from pytest_webbench.model.run import SavedRun
from pytest_webbench.model.suite import Published, Unit

__all__ = [
    "AcrossRuns",
    "Agreement",
    "Beside",
    "CellAcross",
    "agreement",
    "compare_runs",
    "differences",
    "independent_ratio",
    "launch_facts",
    "launch_provenance",
    "machine_differences",
    "match_baselines",
    "set_beside",
]

INCOMPARABLE = ("measure", "launcher", "engine", "loop", "users", "records")
"""Another measure, path to the server, generator or load: such results cannot be compared."""


NAMES = {
    "measure": "measure",
    "launcher": "launcher",
    "engine": "engine",
    "loop": "loop",
    "users": "users",
    "records": "records",
    "amount": "amount",
    "turns": "turns of a round",
    "generators": "generators",
    "workers": "workers",
    "threads": "threads",
    "network": "network",
    "container_runtime": "container engine",
    "base_image": "base image",
    "cpus": "processors of the container",
    "memory": "memory of the container",
    "libc": "C library",
    "valgrind": "Valgrind",
    "python_build": "build of Python",
}
"""The labels of the fields of a provenance that have one value."""


OF_LAUNCH = (
    *("network", "container_runtime", "base_image", "cpus", "memory", "url"),
    *("libc", "valgrind", "python_build"),
)
KEYS_OF_LAUNCH = (
    *("workers", "threads", "network", "engine", "base_image", "cpus", "memory"),
    *("url", "command", "image_bytes", "libc", "valgrind", "python_build"),
)
"""The keys in the configuration of a launch that are not settings of the stack."""
SAID_BY_AMOUNT = ("name", "title", "duration_s", "request_share", "min_requests")
"""The parts of a profile that its name and the amount of a load already convey."""


OF_MACHINE = ("processor", "cores", "memory_bytes", "system", "governor", "python")


VARYING = frozenset(
    {
        "cpu.hz_actual",
        "cpu.hz_actual_friendly",
        # These only repeat others, or concern the program that wrote the file.
        "cpu.cpuinfo_version",
        "cpu.cpuinfo_version_string",
        "cpu.python_version",
        "python_implementation_version",
    }
)


SHOWN = 60
"""How many characters of a value are shown."""


def launch_provenance(launch: LaunchRecord) -> Provenance:
    """Return the provenance that a launch record gives."""
    config = {key: value for key, value in launch.config.items() if value != UNKNOWN}

    def text(key: str) -> str | None:
        return None if key not in config else str(config[key])

    image_bytes = config.get("image_bytes")
    return Provenance(
        launcher=launch.launcher,
        workers=config.get("workers"),
        threads=config.get("threads"),
        network=text("network"),
        container_runtime=text("engine"),
        base_image=text("base_image"),
        cpus=text("cpus"),
        memory=text("memory"),
        url=text("url"),
        libc=text("libc"),
        valgrind=text("valgrind"),
        python_build=text("python_build"),
        command=text("command"),
        image_bytes=image_bytes if isinstance(image_bytes, int) else None,
        versions=launch.versions,
        settings={key: value for key, value in launch.config.items() if key not in KEYS_OF_LAUNCH},
    )


def launch_facts(provenance: Provenance) -> dict[str, str]:
    """Return how a stack was launched, as people read it; its own settings come last."""
    counts = {name: getattr(provenance, name) for name in ("workers", "threads")}
    known = {NAMES.get(name, name): getattr(provenance, name) for name in OF_LAUNCH}
    return {
        **{name: "not known" if value is None else str(value) for name, value in counts.items()},
        **{name: value for name, value in known.items() if value is not None},
        **{name.replace("_", " "): str(value) for name, value in provenance.settings.items()},
    }


def match_baselines(
    baselines: Mapping[str, Mapping[str, Provenance | None]], now: Mapping[str, Provenance | None]
) -> BaselineMatch:
    """Compare the provenance of the benchmarks of ``now`` with that in each of ``baselines``.

    All are given by their full names. The provenance of another plugin's results is ``None``, and
    not reported as missing.
    """
    known = {name for names in baselines.values() for name in names}
    differing: dict[tuple[str, Difference], tuple[str, ...]] = {}
    fit = set()
    for baseline, stored in baselines.items():
        for name in (each for each in now if each in stored):
            found = differences(stored[name], now[name])
            if all(each.comparable for each in found):
                fit.add((baseline, name))
            for each in found:
                differing[baseline, each] = (*differing.get((baseline, each), ()), name)
    return BaselineMatch(
        missing=tuple(name for name, each in now.items() if each is not None and name not in known),
        differing=differing,
        fit=frozenset(fit),
    )


def differences(base: Provenance | None, now: Provenance | None) -> list[Difference]:
    """Return the differences between the provenance of ``now`` and ``base``; ``None`` is a foreign result.

    A value known on one side only is not a difference. If the two cannot be compared at all, only the reasons
    are returned. Seeds, versions of packages and commands are not differences: they vary, or are what
    is compared. Values that read the same are equal: rates are shown with six digits.
    """
    if base is None or now is None:
        makers = [_maker(base), _maker(now)]
        return [] if base is now else [_difference("measured by", *makers, comparable=False)]
    old, new = dict(_facts(base)), dict(_facts(now))
    found = [
        _difference(name, old[name], new[name], comparable=name not in INCOMPARABLE)
        for name in old
        if name in new and _text(old[name]) != _text(new[name])
    ]
    if base.measure is now.measure is Measure.INSTRUCTIONS:
        found += _other_versions(base.versions, now.versions)
    return [each for each in found if not each.comparable] or found


def _other_versions(base: Mapping[str, str], now: Mapping[str, str]) -> list[Difference]:
    """Return the packages that differ: counts reveal even small changes of a library."""
    names = [name for name in base if name in now and base[name] != now[name] and name != "python"]
    return [_difference(name, base[name], now[name]) for name in names]


def _maker(provenance: Provenance | None) -> str:
    return "pytest-benchmark" if provenance is None else "webbench"


def _facts(provenance: Provenance) -> Iterator[tuple[str, Any]]:
    """Yield all values that should agree, by their labels, except unknown ones."""
    for field, name in NAMES.items():
        value = getattr(provenance, field)
        if value is not None:
            yield name, value
    if provenance.profile is not None:
        yield from _facts_of_profile(provenance.profile)
    if (python := provenance.versions.get("python")) is not None:
        yield "Python of the stack", python
    if provenance.machine is not None:
        yield from _facts_of_machine(provenance.machine)


def _facts_of_profile(profile: Profile) -> Iterator[tuple[str, Any]]:
    yield "profile", profile.name
    for each in fields(Profile):
        if each.name not in SAID_BY_AMOUNT:
            yield f"{each.name} of the profile {profile.name}", getattr(profile, each.name)


def _facts_of_machine(machine: Machine) -> Iterator[tuple[str, Any]]:
    for name in OF_MACHINE:
        yield f"machine, {name.partition('_')[0]}:", str(getattr(machine, name))


def machine_differences(base: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return how the machines (``machine_info`` of pytest-benchmark) differ, ignoring what always varies."""
    old, new = dict(_flat(base)), dict(_flat(now))
    return [
        _difference(f"machine, {name}:", old.get(name, "unknown"), new.get(name, "unknown"))
        for name in {**old, **new}
        if name not in VARYING and old.get(name) != new.get(name)
    ]


def _flat(info: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in info.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value


def _difference(what: str, base: Any, now: Any, *, comparable: bool = True) -> Difference:
    return Difference(what=what, base=_shown(base), now=_shown(now), comparable=comparable)


def _shown(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _text(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool | list) else str(value)


NOTHING = Provenance()
"""An empty provenance, which differs from no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAcross:
    """A cell in two runs. ``ratio``: how many times as long it takes in the second one.

    It is ``None``, with a ``reason``, if the two results must not be compared.
    """

    cell: Cell
    base: CellSummary
    head: CellSummary
    ratio: Interval | None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """The verdict in a word or two; ``indistinguishable`` if the interval contains 1."""
        if self.ratio is None:
            return "not compared"
        if self.ratio.low > 1:
            return "slower"
        return "faster" if self.ratio.high < 1 else "indistinguishable"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrossRuns:
    """The cells that two runs share, and the differences in provenance.

    ``differing`` maps each difference to the cells concerned, ``only_base`` and ``only_head`` are
    the cells that only one of them has.
    """

    base: str
    head: str
    cells: tuple[CellAcross, ...]
    differing: Mapping[Difference, tuple[Cell, ...]]
    only_base: tuple[Cell, ...]
    only_head: tuple[Cell, ...]


def compare_runs(base: SavedRun, head: SavedRun) -> AcrossRuns:
    """Return every cell that both have."""
    old = {each.cell: each for each in base.summaries}
    new = {each.cell: each for each in head.summaries}
    differing: dict[Difference, tuple[Cell, ...]] = {}
    cells = []
    for cell in (each for each in new if each in old):
        found = differences(base.provenances.get(cell, NOTHING), head.provenances.get(cell, NOTHING))
        for each in found:
            differing[each] = (*differing.get(each, ()), cell)
        cells.append(_across(old[cell], new[cell], found))
    return AcrossRuns(
        base=base.source,
        head=head.source,
        cells=tuple(cells),
        differing=differing,
        only_base=tuple(cell for cell in old if cell not in new),
        only_head=tuple(cell for cell in new if cell not in old),
    )


def _across(base: CellSummary, head: CellSummary, found: Sequence[Difference]) -> CellAcross:
    sides = (("the first run", base), ("the second run", head))
    bars = [str(each) for each in found if not each.comparable]
    bars = bars or [Code.RUN_INVALID.reason(run=name) for name, each in sides if not each.validity.valid]
    ratio = None if bars else independent_ratio(head.shown_s, base.shown_s)
    return CellAcross(cell=head.cell, base=base, head=head, ratio=ratio, reason="; ".join(bars))


def independent_ratio(values: Sequence[float], base: Sequence[float]) -> Interval:
    """Return how many times ``base`` the ``values`` are, from rounds that are not paired.

    The ratio of geometric means, with Welch's t interval of the difference of the logarithms: it uses the
    spread of either side, and they need not be equal. With one round on a side, the interval is infinite.
    Shifts from run to run are not included.
    """
    logs, base_logs = [math.log(each) for each in values], [math.log(each) for each in base]
    centre = fmean(logs) - fmean(base_logs)
    if min(len(logs), len(base_logs)) < 2:
        return Interval(estimate=math.exp(centre), low=0.0, high=math.inf)
    half = _welch_half_width(logs, base_logs)
    return Interval(estimate=math.exp(centre), low=math.exp(centre - half), high=math.exp(centre + half))


def _welch_half_width(one: Sequence[float], other: Sequence[float]) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415

    errors = [variance(each) / len(each) for each in (one, other)]
    total = sum(errors)
    if total == 0:
        return 0.0
    parts = [error**2 / (len(each) - 1) for error, each in zip(errors, (one, other), strict=True)]
    freedom = total**2 / sum(parts)
    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * math.sqrt(total)


FEWEST = 3
"""With two stacks in common, agreement would be all or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A published result of a cell and ours, in the scenario's unit, each with its ratio to the best.

    A ratio says how many times as long it takes as the fastest stack that both have. ``ours`` and the
    ratios are ``None`` where the cell was not measured or is not valid.
    """

    stack: str
    published: float
    approximate: bool
    published_ratio: float | None
    ours: float | None
    ours_ratio: float | None
    our_rank: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The agreement of a publication and a run about a scenario.

    ``tau`` is Kendall's tau-b of the two rankings (1: the same order, -1: the opposite one), ``None`` if
    fewer than three stacks are in both or one of the two ranks them all equal. ``ties`` says whether some of
    ours share a rank; tau-b counts such a pair neither for nor against.
    """

    scenario: str
    unit: Unit
    rows: tuple[Beside, ...]
    tau: float | None
    common: int
    ties: bool


def set_beside(published: Published, scenario: str, summaries: Sequence[CellSummary]) -> Agreement | None:
    """Return published results of ``scenario`` next to ours; ``None`` if either is missing.

    Also ``None`` for an open loop, whose results are of another kind. ``summaries`` may be ranked together.
    """
    theirs = published.figures.get(scenario)
    if not theirs or not summaries or summaries[0].schedule is not None:
        return None
    unit = summaries[0].unit
    ranks = {each.summary.cell.stack: each.rank for each in rank(summaries) if each.rank is not None}
    ours = {each.cell.stack: each.result.estimate for each in summaries if each.cell.stack in ranks}
    common = [stack for stack in theirs if stack in ours]
    rows = tuple(
        Beside(
            stack=stack,
            published=value,
            approximate=f"{scenario}[{stack}]" in published.approximate,
            published_ratio=_ratio(value if stack in ours else None, [theirs[each] for each in common], unit),
            ours=ours.get(stack),
            ours_ratio=_ratio(ours.get(stack), [ours[each] for each in common], unit),
            our_rank=ranks.get(stack),
        )
        for stack, value in theirs.items()
    )
    our_ranks = {stack: ranks[stack] or 0 for stack in common}
    return Agreement(
        scenario=scenario,
        unit=unit,
        rows=rows,
        tau=agreement(_ranks({stack: theirs[stack] for stack in common}, unit), our_ranks),
        common=len(common),
        ties=len(set(our_ranks.values())) < len(our_ranks),
    )


def agreement(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Return Kendall's tau-b of two rankings of the same names, with ties; ``None`` where it is undefined."""
    if len(one) < FEWEST:
        return None
    from scipy.stats import kendalltau  # noqa: PLC0415

    tau = float(kendalltau([one[name] for name in one], [other[name] for name in one], variant="b").statistic)
    return None if math.isnan(tau) else tau


def _ranks(values: Mapping[str, float], unit: Unit) -> dict[str, float]:
    """Return numbers that grow from the best stack to the worst."""
    return {name: -value if unit is Unit.RATE else value for name, value in values.items()}


def _ratio(value: float | None, values: Sequence[float], unit: Unit) -> float | None:
    if value is None or not values:
        return None
    return max(values) / value if unit is Unit.RATE else value / min(values)
