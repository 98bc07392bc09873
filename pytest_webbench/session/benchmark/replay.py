"""The bridge to pytest-benchmark: measured rounds are replayed on a virtual clock."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from pytest_webbench.model.errors import WebbenchError

__all__ = [
    "VirtualClock",
    "fail_without_figure",
    "install_clock",
    "replay",
]

CLOCK: pytest.StashKey["VirtualClock"] = pytest.StashKey()


class VirtualClock:
    """A timer for pytest-benchmark that says what was measured elsewhere."""

    __name__ = "webbench_virtual_clock"  # pytest-benchmark writes the name of the timer to its JSON

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """The virtual time in seconds."""
        return self.now_s


def install_clock(item: pytest.Item, *, group: str | None) -> None:
    """Have the ``benchmark`` fixture of ``item`` use a clock of ours, and group by ``group``.

    pytest-benchmark looks at the closest mark alone, so those of the user are merged into it.
    """
    clock = item.stash[CLOCK] = VirtualClock()
    merged: dict[str, Any] = {"group": group} if group else {}
    for mark in reversed(list(item.iter_markers("benchmark"))):
        merged |= mark.kwargs
    item.add_marker(pytest.mark.benchmark(**{**merged, "timer": clock}), append=False)


def replay(item: pytest.Item, benchmark: Any, samples_s: Sequence[float], info: Mapping[str, Any]) -> None:
    """Feed a round per sample to pytest-benchmark; ``info`` goes into the saved JSON.

    Raises :class:`AssertionError` if pytest-benchmark recorded anything else than the samples: that
    would be a wrong figure.
    """
    clock = item.stash[CLOCK]
    pending = iter(samples_s)

    def rewind() -> None:
        clock.now_s = 0.0  # from 0 each time, for differences of large numbers are rounded

    def advance() -> None:
        # Once more than there are samples with --benchmark-cprofile, which calls after the rounds.
        clock.now_s = next(pending, clock.now_s)

    benchmark.extra_info.update(info)
    benchmark.pedantic(advance, setup=rewind, rounds=len(samples_s), iterations=1)
    if benchmark.enabled:
        recorded = benchmark.stats.stats.data
        assert recorded == list(samples_s), f"pytest-benchmark recorded {recorded}, not {samples_s}"


def fail_without_figure(benchmark: Any, error: WebbenchError) -> NoReturn:
    """Fail the test with ``error``, and let pytest-benchmark know that there is no figure."""

    def give_up() -> None:
        raise error

    with suppress(WebbenchError):
        benchmark.pedantic(give_up, rounds=1, iterations=1)
    pytest.fail(str(error), pytrace=False)
