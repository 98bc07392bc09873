"""Checks the suites, stacks and scenarios of users.

Every fault is a sentence: definition, field, value, and what is expected. Python does not check the types of
dataclass fields, so a wrong one would end in a traceback in the middle of a run.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_webbench.analysis.responses import (
    are_texts,
    exchange_faults,
    fault,
    is_whole,
    shown,
    tuple_faults,
)
from pytest_webbench.analysis.text import NAME_WORDS, is_name
from pytest_webbench.model.load import Amount, Arrivals
from pytest_webbench.model.stack import Stack
from pytest_webbench.model.suite import Published, Scenario, Suite, Unit, WarmupStep

__all__ = ["scenario_faults", "stack_faults", "suite_faults"]

RESERVED = ("pytest", "setup", "teardown")
"""Prefixes of function names with a meaning in pytest, which scenarios cannot have."""
MOST_USERS, MOST_REQUESTS, MOST_SECONDS, MOST_RATE = 10_000, 100_000_000, 86_400.0, 1_000_000.0
"""The limits of the options with the same meaning."""

Faults = Iterator[str]


def suite_faults(suite: Any) -> Faults:
    """Return mistakes in a suite that a hook returned."""
    return _faults("suite", Suite, suite, _suite_fields)


def stack_faults(stack: Any) -> Faults:
    """Return mistakes in a stack that a hook returned; whether its folder exists is not checked."""
    return _faults("stack", Stack, stack, _stack_fields)


def scenario_faults(scenario: Any) -> Faults:
    """Yield mistakes in a scenario that a hook returned; its traffic is not called."""
    yield from _faults("scenario", Scenario, scenario, _scenario_fields)
    name = getattr(scenario, "name", None)
    if isinstance(name, str) and name.startswith(RESERVED):
        yield f"the scenario name {shown(name)} means something to pytest; wanted: another one"


def _faults(kind: str, wanted: type[Any], value: Any, field_faults: Callable[[Any], Faults]) -> Faults:
    if not isinstance(value, wanted):
        yield f"pytest_webbench_{kind}s gave {shown(value)}; wanted: a {wanted.__name__}"
        return
    if not is_name(value.name):
        yield f"the {kind} name {shown(value.name)} cannot be used; wanted: {NAME_WORDS}"
    yield from _at(f"{kind} {shown(value.name)}", field_faults(value))


def _suite_fields(suite: Suite) -> Faults:
    if isinstance(suite.dataset, type):
        yield fault("dataset", suite.dataset, f"an instance, such as {suite.dataset.__name__}()")
    else:
        methods = ("records", "prepare", "load", "state", "observe")
        missing = [each for each in methods if not callable(getattr(suite.dataset, each, None))]
        if missing:
            yield fault("dataset", suite.dataset, f"an object that also has {', '.join(missing)}")
        elif not is_whole(getattr(suite.dataset, "default_count", None), 0, 10_000_000):
            count = getattr(suite.dataset, "default_count", None)
            yield fault("dataset.default_count", count, "a whole number from 0 to 10,000,000")
    if not isinstance(suite.contract, Path | None):
        yield fault("contract", suite.contract, "a pathlib.Path, or None")
    yield from _callable_faults("examples", suite.examples, ("records",))
    yield from tuple_faults("warmup", suite.warmup, WarmupStep, "WarmupStep")
    yield from tuple_faults("published", suite.published, Published, "Published")
    if isinstance(suite.warmup, tuple | list):
        for step in suite.warmup:
            if isinstance(step, WarmupStep):
                yield from _at("warmup", _load_fields(step.users, step.amount))


def _stack_fields(stack: Stack) -> Faults:
    yield from _text_faults(stack, ("title", "suite"))
    if not isinstance(stack.folder, Path):
        yield fault("folder", stack.folder, "a pathlib.Path, such as Path(__file__).parent / 'app'")
    command = stack.command
    if not isinstance(command, tuple | list):
        yield fault("command", command, 'a tuple of words, such as ("{python}", "-m", "gunicorn", …)')
    elif not all(_is_word(each) for each in command):
        yield fault("command", next(each for each in command if not _is_word(each)), "words that are text")
    if not (isinstance(stack.prepare, tuple | list) and all(map(_is_command, stack.prepare))):
        wanted = 'a tuple of commands, each a tuple of words: (("{python}", "manage.py", "migrate"),)'
        yield fault("prepare", stack.prepare, wanted)
    if not (isinstance(stack.env, tuple | list) and all(_is_setting(each) for each in stack.env)):
        yield fault("env", stack.env, 'pairs of text, such as (("DEBUG", "0"),)')
    if not (stack.lock is None or _is_word(stack.lock)):
        yield fault("lock", stack.lock, "the name of a file in the folder, or None")
    yield from _at("ready", exchange_faults(stack.ready))
    yield from tuple_faults("packages", stack.packages, str, "names of distributions")
    for field, kinds, wanted in (("settings", str | int, "text or whole numbers"), ("parts", str, "text")):
        value = getattr(stack, field)
        if not isinstance(value, Mapping) or not all(
            isinstance(name, str) and isinstance(each, kinds) for name, each in value.items()
        ):
            yield fault(field, value, f"a mapping from text to {wanted}")


def _scenario_fields(scenario: Scenario) -> Faults:
    yield from _text_faults(scenario, ("title", "suite"))
    yield from _load_fields(scenario.users, scenario.amount)
    yield from _callable_faults("traffic", scenario.traffic, ("records", "count", "rng"))
    if not isinstance(scenario.unit, Unit):
        yield fault("unit", scenario.unit, "Unit.RATE or Unit.TIME")
    for field in ("repeat", "writes"):
        if not isinstance(value := getattr(scenario, field), bool):
            yield fault(field, value, "True or False")
    if not (scenario.rate is None or _is_number(scenario.rate, 0.001, MOST_RATE)):
        yield fault("rate", scenario.rate, f"None, or requests a second from 0.001 to {MOST_RATE:,.0f}")
    if not isinstance(scenario.arrivals, Arrivals):
        yield fault("arrivals", scenario.arrivals, "Arrivals.CONSTANT or Arrivals.POISSON")
    if not _is_number(scenario.typical_s, 0.0, MOST_SECONDS):
        yield fault("typical_s", scenario.typical_s, "a number of seconds")


def _load_fields(users: Any, amount: Any) -> Faults:
    if not is_whole(users, 1, MOST_USERS):
        yield fault("users", users, f"a whole number from 1 to {MOST_USERS:,}")
    if not isinstance(amount, Amount):
        yield fault("amount", amount, "an Amount, such as Amount(duration_s=5)")
    elif not (amount.requests is None or is_whole(amount.requests, 1, MOST_REQUESTS)):
        yield fault("amount.requests", amount.requests, f"a whole number from 1 to {MOST_REQUESTS:,}")
    elif not (amount.duration_s is None or _is_number(amount.duration_s, 0.01, MOST_SECONDS)):
        yield fault("amount.duration_s", amount.duration_s, f"seconds from 0.01 to {MOST_SECONDS:,.0f}")


# --- predicates ------------------------------------------------------------------------------------


def _at(where: str, faults: Iterable[str]) -> Faults:
    return (f"{where}: {each}" for each in faults)


def _text_faults(value: Any, fields: Iterable[str]) -> Faults:
    for field in fields:
        if not isinstance(text := getattr(value, field), str):
            yield fault(field, text, "text")


def _callable_faults(field: str, value: Any, arguments: Sequence[str]) -> Faults:
    call = f"{field}({', '.join(arguments)})"
    if not callable(value) or isinstance(value, type):
        yield fault(field, value, f"a function, called as {call}")
    elif inspect.iscoroutinefunction(value):
        yield f"{field} is asynchronous; wanted: a plain function, called as {call}"
    elif not _takes(value, len(arguments)):
        yield f"{field} does not take what it is given; wanted: a function, called as {call}"


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # a callable in C, without a known signature
        return True
    return True


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_command(value: Any) -> bool:
    return isinstance(value, tuple | list) and bool(value) and all(map(_is_word, value))


def _is_setting(pair: Any) -> bool:
    return are_texts(pair) and bool(pair[0]) and "=" not in pair[0] and "\0" not in pair[0] + pair[1]
