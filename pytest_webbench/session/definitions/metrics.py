"""The metrics and meters from hooks: checked, and registered until pytest ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.metrics import (
    METRICS,
    READINGS,
    Metric,
    Quantity,
    Rule,
    Stored,
    added_metrics,
    added_readings,
)
from pytest_webbench.analysis.responses import fault, shown
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.measurement import Combine, Measurement, Readings
from pytest_webbench.model.run import Event, TrialFinished
from pytest_webbench.model.stack import Meter, RunningStack
from pytest_webbench.session.definitions.guarded import calling
from pytest_webbench.session.definitions.registry import ask_hook, raise_faults

__all__ = ["add_metrics", "ask_meters", "try_metrics"]


def add_metrics(config: pytest.Config) -> None:
    """Ask the hook, and register its metrics until pytest ends.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for mistakes in them.
    """
    faults: list[str] = []
    metrics = ask_hook(config, "metrics", _faults, faults)
    raise_faults(faults, "metrics")
    known = ExitStack()
    known.enter_context(added_metrics([replace(each, of_rounds=_GuardedMetric(each)) for each in metrics]))
    config.add_cleanup(known.close)


def try_metrics(event: Event) -> None:
    """Call users' functions after each trial, so that a mistake ends the run at the first one."""
    if isinstance(event, TrialFinished):
        for metric in METRICS.values():
            if isinstance(metric.of_rounds, _GuardedMetric):
                metric.value([event.measurement])


def _faults(metric: Any) -> Iterator[str]:
    if not isinstance(metric, Metric):
        yield f"pytest_webbench_metrics gave {shown(metric)}; wanted: a Metric"
        return
    wanted = (
        ("key", str, "a text"),
        ("title", str, "a text"),
        ("quantity", Quantity, "a Quantity"),
        ("stored", Stored, "Stored.CELL, Stored.ROUNDS or both"),
        ("rule", Rule | None, "a Rule, or None"),
        ("limit", float | int | None, "a number, or None"),
        ("column", str, "a text"),
        ("row", str, "a text"),
    )
    for name, kind, words in wanted:
        if not isinstance(getattr(metric, name), kind):
            yield f"metric {shown(metric.key)}: {fault(name, getattr(metric, name), words)}"
    if not callable(metric.of_rounds):
        yield f"metric {shown(metric.key)}: {fault('of_rounds', metric.of_rounds, 'a function')}"


class _GuardedMetric:
    """A user's function, whose mistake is reported once, with its line; after that it returns ``None``."""

    def __init__(self, metric: Metric) -> None:
        self._what = f"of_rounds of the metric {metric.key}"
        self._of_rounds: Callable[[Sequence[Measurement]], Any] | None = metric.of_rounds

    def __call__(self, rounds: Sequence[Measurement]) -> float | None:
        of_rounds, self._of_rounds = self._of_rounds, None
        if of_rounds is None:
            return None
        with calling(self._what):
            found = of_rounds(rounds)
            value = None if found is None else float(found)
        self._of_rounds = of_rounds
        return value


# --- meters -------------------------------------------------------------------------------------------------

HINT = "return the class of a meter from pytest_webbench_meter"


def ask_meters(config: pytest.Config, settings: Any) -> Sequence[Callable[[], Meter]]:
    """Return functions that create the meters of a launch; their readings are registered until pytest ends.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for mistakes in them.
    """
    with calling("the hook pytest_webbench_meter"):
        found = config.hook.pytest_webbench_meter(config=config, settings=settings)
    makers, known = [], ExitStack()
    config.add_cleanup(known.close)
    for make in reversed(found):
        if not callable(make):
            raise UsageError(f"pytest_webbench_meter returned {shown(make)}", hint=HINT)
        maker = _GuardedMeter.maker(make)
        readings = maker().readings
        if readings is not READINGS:
            known.enter_context(added_readings(readings))
        makers.append(maker)
    return makers


class _GuardedMeter(Meter):
    """A user's meter, whose mistakes are reported with the user's line."""

    def __init__(self, meter: Any) -> None:
        self._name = type(meter).__name__
        self._meter = meter
        missing = [name for name in ("begin", "end") if not callable(getattr(meter, name, None))]
        if missing:
            raise UsageError(
                f"the meter {self._name} has no {' and no '.join(missing)}",
                hint="inherit from pytest_webbench.Meter",
            )
        readings: Any = getattr(meter, "readings", {})
        if not isinstance(readings, Mapping) or not all(isinstance(each, str) for each in readings):
            raise UsageError(
                f"readings of the meter {self._name} is {shown(readings)}",
                hint="give a Combine for each name of a reading",
            )
        if readings is not READINGS:
            with calling(f"readings of the meter {self._name}", hint=f"choose from {', '.join(Combine)}"):
                readings = {name: Combine(way) for name, way in readings.items()}
        self.readings = readings

    @classmethod
    def maker(cls, make: Callable[[], Any]) -> Callable[[], Meter]:
        """Return a function that creates guarded meters."""

        def made() -> Meter:
            with calling(f"making the meter {getattr(make, '__name__', make)!s}"):
                return cls(make())

        return made

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        what = f"wrap of the meter {self._name}"
        with calling(what):
            wrapped = self._meter.wrap(command) if hasattr(self._meter, "wrap") else command
        if not _is_command(wrapped):
            raise UsageError(f"{what} returned {shown(wrapped)}", hint="return the words of a command")
        return tuple(wrapped)

    def attach(self, server: RunningStack) -> None:
        if hasattr(self._meter, "attach"):
            with calling(f"attach of the meter {self._name}"):
                self._meter.attach(server)
        self.about = dict(getattr(self._meter, "about", {}))

    def begin(self) -> None:
        with calling(f"begin of the meter {self._name}"):
            self._meter.begin()

    def end(self) -> Readings:
        what = f"end of the meter {self._name}"
        with calling(what):
            found = self._meter.end()
        if not isinstance(found, Mapping) or not all(map(_is_reading, found.items())):
            raise UsageError(f"{what} returned {shown(found)}", hint="return a mapping from names to numbers")
        return Readings(found)

    def instructions(self) -> InstructionsByFunction:
        found: InstructionsByFunction = {}
        if hasattr(self._meter, "instructions"):
            with calling(f"instructions of the meter {self._name}"):
                found = self._meter.instructions()
        return found


def _is_command(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value)


def _is_reading(item: tuple[Any, Any]) -> bool:
    name, value = item
    return isinstance(name, str) and (value is None or isinstance(value, int | float))
