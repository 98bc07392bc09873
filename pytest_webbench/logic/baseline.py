"""What two figures of one benchmark have in common, and what keeps them from being compared.

Both come from ``extra_info`` of pytest-benchmark's JSON, below ``webbench``; of figures that are yet to be
measured, a part is known. What is known of one of them alone is no difference.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_webbench.values.baseline import Difference, Findings
from pytest_webbench.values.measurement import UNKNOWN

__all__ = ["FORMAT", "compare_origins", "differences", "machine_differences"]

FORMAT = 1
"""The version of our part of pytest-benchmark's JSON, as the reference of the output describes it."""

INCOMPARABLE = ("launcher", "engine", "loop", "users", "records")
"""Another path to the server, another ruler or another load: such figures say nothing of each other."""
SAID_BY_AMOUNT = ("name", "title", "duration_s", "request_share", "min_requests")
"""What of a profile the name and the amount of a load say already."""
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

Origin = Mapping[str, Any]
"""What stands below ``webbench`` in ``extra_info``: how a figure came about."""


def compare_origins(
    baselines: Mapping[str, Mapping[str, Origin | None]], now: Mapping[str, Origin | None]
) -> Findings:
    """Compare the origins of the benchmarks of ``now`` with those in each of ``baselines``.

    All are known by their full names. The origin of what another plugin measured is ``None``, and it is
    not missed where it is missing.
    """
    known = {name for names in baselines.values() for name in names}
    differing: dict[tuple[str, Difference], tuple[str, ...]] = {}
    fit = set()
    for baseline, origins in baselines.items():
        for name in (each for each in now if each in origins):
            found = differences(origins[name], now[name])
            if all(each.comparable for each in found):
                fit.add((baseline, name))
            for each in found:
                differing[baseline, each] = (*differing.get((baseline, each), ()), name)
    return Findings(
        missing=tuple(name for name, origin in now.items() if origin is not None and name not in known),
        differing=differing,
        fit=frozenset(fit),
    )


def differences(base: Origin | None, now: Origin | None) -> list[Difference]:
    """How the figure ``base`` came about otherwise than ``now`` does; ``None`` is one that is not ours.

    If they cannot be compared at all, only what speaks against it is told. Seeds, versions of packages
    and commands are no difference: they vary, or are what is compared.
    """
    if base is None or now is None:
        makers = [_maker(base), _maker(now)]
        return [] if base is now else [_difference("measured by", *makers, comparable=False)]
    old, new = _facts(base), _facts(now)
    found = [
        _difference(name, old[name], new[name], comparable=name not in INCOMPARABLE)
        for name in old
        if name in new and old[name] != new[name]
    ]
    return [each for each in found if not each.comparable] or found


def _maker(origin: Origin | None) -> str:
    return "pytest-benchmark" if origin is None else "webbench"


def _facts(origin: Origin) -> dict[str, Any]:
    """All that should be the same, by the name that people read; without what is not known."""
    config, profile = origin.get("config", {}), origin.get("profile")
    facts = {
        "launcher": origin.get("launcher"),
        "engine": origin.get("engine"),
        "loop": config.get("model"),
        "users": config.get("users"),
        "records": config.get("records"),
        "profile": profile,
        **{
            f"{name} of the profile {profile}": value
            for name, value in config.get("profile", {}).items()
            if name not in SAID_BY_AMOUNT
        },
        "amount": _amount(config.get("amount") or {}),
        "turns of a round": config.get("turns"),
        "generators": config.get("generators"),
        "workers": _in_force(config, "workers"),
        "threads": _in_force(config, "threads"),
        "Python of the stack": origin.get("versions", {}).get("python"),
        "network": config.get("network"),
        "container engine": config.get("engine"),
        "base image": config.get("base_image"),
        "processors of the container": config.get("cpus"),
        "memory of the container": config.get("memory"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _in_force(config: Mapping[str, Any], name: str) -> Any:
    """How many workers or threads there were, if that is known.

    Files of earlier versions have what was asked for, whether or not the command was told so.
    """
    seen = "workers_asked" in config or f"{{{name}}}" in config.get("command", "")
    value = config.get(name)
    return value if seen and value != UNKNOWN else None


def _amount(amount: Mapping[str, Any]) -> str | None:
    if amount.get("requests") is not None:
        return f"{amount['requests']} requests"
    return f"{amount['duration_s']:g} s" if amount.get("duration_s") is not None else None


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
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
