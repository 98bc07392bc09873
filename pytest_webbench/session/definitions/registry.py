"""Reads suites, stacks and scenarios from the hooks, checks them and selects from them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pytest_webbench.analysis.responses import shown
from pytest_webbench.analysis.text import did_you_mean, duplicates, mask_url, select
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.settings import NamedUrl, Settings
from pytest_webbench.model.stack import Stack, VersionSet
from pytest_webbench.model.suite import Registry, Scenario, Suite
from pytest_webbench.runs.planning import resolve
from pytest_webbench.session.definitions.checks import scenario_faults, stack_faults, suite_faults
from pytest_webbench.session.definitions.guarded import calling, guard_scenario, guard_suite
from pytest_webbench.session.options.reading import check_names

__all__ = ["ask_hook", "raise_faults", "read_registry", "with_versions"]

BUILT_IN = "items"

Named = TypeVar("Named", Suite, Stack, Scenario)


def read_registry(config: pytest.Config, settings: Settings) -> Registry:
    """Ask the hooks, and select what ``settings`` ask for.

    Raises :class:`~pytest_webbench.model.errors.UsageError` that lists everything wrong with what
    they returned; also for a hook that fails, a name given twice, an unknown suite or name.
    """
    faults: list[str] = []
    all_suites = ask_hook(config, "suites", suite_faults, faults)
    all_scenarios = ask_hook(config, "scenarios", scenario_faults, faults)
    found = ask_hook(config, "stacks", stack_faults, faults)
    raise_faults(faults)
    suites = _by_name("suite", [guard_suite(each) for each in all_suites])
    scenarios = _by_name("scenario", [guard_scenario(each) for each in all_scenarios])
    stacks = _by_name("stack", [with_versions(each, settings.versions) for each in found])
    if settings.urls:
        stacks = _by_name("stack", [_attached(each, stacks) for each in settings.urls])
    for kind, named in (("stack", stacks), ("scenario", scenarios)):
        for each in named.values():
            if each.suite not in suites:
                raise UsageError(
                    f"{kind} {each.name} belongs to suite {each.suite!r}, which is not known"
                    f"{did_you_mean(each.suite, suites)}",
                    evidence=f"known: {', '.join(suites)}",
                    hint="return the suite from pytest_webbench_suites",
                )
    raise_faults(_relations(suites, scenarios, stacks, launches=_launches(config, settings)))
    check_names(settings, scenarios)
    return Registry(
        suites=suites,
        stacks=stacks,
        scenarios={name: resolve(scenario, settings) for name, scenario in scenarios.items()},
        selected_stacks=select("stack", settings.stacks, tuple(stacks)),
        selected_scenarios=select("scenario", settings.scenarios, tuple(scenarios)),
    )


def with_versions(stack: Stack, versions: VersionSet) -> Stack:
    """Return ``stack`` with the lock of the set of versions."""
    return replace(stack, lock=stack.lock and stack.lock.replace("{versions}", versions.name))


def _attached(server: NamedUrl, known: Mapping[str, Stack]) -> Stack:
    """Return a stack for a running server: the stack of its name, else one of the built-in suite."""
    from pytest_webbench.suites.items.scenarios import HELLO  # noqa: PLC0415

    if server.name in known:
        return replace(known[server.name], title=mask_url(server.url))
    return Stack(
        name=server.name, title=mask_url(server.url), folder=Path(), command=(), suite=BUILT_IN, ready=HELLO
    )


def ask_hook(
    config: pytest.Config, kind: str, faults_of: Callable[[Any], Iterable[str]], faults: list[str]
) -> list[Any]:
    """Return the objects from the hook for ``kind`` in the order of registration; faults go to ``faults``.

    pluggy calls the last registered first.
    """
    name = f"pytest_webbench_{kind}"
    with calling(f"the hook {name}"):
        results = getattr(config.hook, name)(config=config)
        found = []
        for result in reversed(results):
            if isinstance(result, str | bytes | Mapping) or not hasattr(result, "__iter__"):
                faults.append(f"{name} returned {shown(result)}; wanted: a list")
            else:
                found += list(result)
    faults += [fault for each in found for fault in faults_of(each)]
    return found


def _relations(
    suites: Mapping[str, Suite],
    scenarios: Mapping[str, Scenario],
    stacks: Mapping[str, Stack],
    *,
    launches: bool,
) -> Iterator[str]:
    """Yield what is wrong between definitions that are valid individually."""
    for suite in suites.values():
        for step in suite.warmup:
            if step.scenario not in scenarios or scenarios[step.scenario].suite != suite.name:
                yield f"suite {suite.name!r}: warmup names {step.scenario!r}; wanted: a scenario of it"
    for stack in stacks.values():
        if not stack.command and launches:
            yield (
                f"stack {stack.name!r}: command is empty; wanted: the words of a command, or "
                f"--webbench-url {stack.name}=URL if it runs already"
            )


def _launches(config: pytest.Config, settings: Settings) -> bool:
    """Return whether one of our launchers launches the stacks; others have their own requirements."""
    return not settings.urls and len(config.hook.pytest_webbench_launcher.get_hookimpls()) == 1


def raise_faults(faults: Iterable[str], kinds: str = "suites, stacks and scenarios") -> None:
    """Raise one :class:`~pytest_webbench.model.errors.UsageError` for all ``faults``, if there are any."""
    found = list(dict.fromkeys(faults))
    if not found:
        return
    many = len(found) > 1
    raise UsageError(
        f"{len(found)} mistakes in {kinds}" if many else found[0],
        evidence="\n".join(found) if many else "",
        hint="correct what the hooks return, in conftest.py or in a plugin",
    )


def _by_name(kind: str, values: Sequence[Named]) -> dict[str, Named]:
    names = [each.name for each in values]
    twice = duplicates(names)
    if twice:
        raise UsageError(
            f"two {kind}s are called {twice[0]!r}",
            hint=f"give each {kind} a name of its own (--webbench-url=NAME=URL, or in the hook)",
        )
    return dict(zip(names, values, strict=True))
