"""The metrics that hooks bring: checked, and known for as long as pytest is configured."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from pytest_webbench.analysis.metrics import METRICS, Metric, Quantity, Rule, Stored, added_metrics
from pytest_webbench.analysis.responses import fault, shown
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.run import Event, TrialFinished
from pytest_webbench.session.definitions.registry import ask_hook, raise_faults
from pytest_webbench.session.definitions.user_code import calling

__all__ = ["add_metrics", "try_metrics"]


def add_metrics(config: pytest.Config) -> None:
    """Ask the hook, and have its metrics be known until pytest ends.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for what is wrong with them.
    """
    faults: list[str] = []
    metrics = ask_hook(config, "metrics", _faults, faults)
    raise_faults(faults, "metrics")
    known = ExitStack()
    known.enter_context(added_metrics([_guarded(each) for each in metrics]))
    config.add_cleanup(known.close)


def try_metrics(event: Event) -> None:
    """Call the users' functions after each trial, so that a mistake ends the run at the first one."""
    if isinstance(event, TrialFinished):
        for metric in METRICS.values():
            if isinstance(metric.of_rounds, _Guarded):
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


def _guarded(metric: Metric) -> Metric:
    return replace(metric, of_rounds=_Guarded(metric))


class _Guarded:
    """A user's function, whose mistake is told once, with its own line; from then on it knows nothing."""

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
