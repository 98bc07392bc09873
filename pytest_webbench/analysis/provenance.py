"""In what two results came about differently, and whether they can be compared in spite of it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from pytest_webbench.model.measurement import Machine, Provenance
from pytest_webbench.model.plan import Profile
from pytest_webbench.model.results import BaselineMatch, Difference

__all__ = ["differences", "machine_differences", "match_baselines"]

INCOMPARABLE = ("launcher", "engine", "loop", "users", "records")
"""Another path to the server, another ruler or another load: such results say nothing of each other."""
NAMES = {
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
}
"""What people read for the fields of a provenance that have one value."""
SAID_BY_AMOUNT = ("name", "title", "duration_s", "request_share", "min_requests")
"""What of a profile the name and the amount of a load say already."""
OF_MACHINE = ("processor", "cores", "memory_bytes", "system", "governor", "python")
VARYING = frozenset(
    {
        "cpu.hz_actual",
        "cpu.hz_actual_friendly",
        # These only repeat others, or are about what wrote the file.
        "cpu.cpuinfo_version",
        "cpu.cpuinfo_version_string",
        "cpu.python_version",
        "python_implementation_version",
    }
)
SHOWN = 60
"""How many characters of a value are shown."""


def match_baselines(
    baselines: Mapping[str, Mapping[str, Provenance | None]], now: Mapping[str, Provenance | None]
) -> BaselineMatch:
    """Compare how the benchmarks of ``now`` came about with those in each of ``baselines``.

    All are known by their full names. The provenance of what another plugin measured is ``None``, and it is
    not missed where it is missing.
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
    """In what ``now`` came about otherwise than ``base``; ``None`` is a result that is not ours.

    What is known of one of them alone is no difference. If they cannot be compared at all, only what speaks
    against it is told. Seeds, versions of packages and commands are no difference: they vary, or are what
    is compared. Values that read the same are the same: rates are told with six digits.
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
    return [each for each in found if not each.comparable] or found


def _maker(provenance: Provenance | None) -> str:
    return "pytest-benchmark" if provenance is None else "webbench"


def _facts(provenance: Provenance) -> Iterator[tuple[str, Any]]:
    """All that should be the same, by the name that people read; without what is not known."""
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
    """In what the machines (``machine_info`` of pytest-benchmark) differ; not in what varies by itself."""
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
