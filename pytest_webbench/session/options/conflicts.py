"""Options that do not go together."""

from collections.abc import Iterator

from pytest_webbench.analysis.gate import FEWEST_PAIRS
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.settings import Settings

__all__ = ["refuse_conflicts"]


def refuse_conflicts(settings: Settings) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for the first two that do not go together."""
    for conflict in _conflicts(settings):
        raise conflict


def _conflicts(settings: Settings) -> Iterator[UsageError]:
    yield from _of_launchers(settings)
    yield from _of_engines(settings)
    yield from _of_comparisons(settings)


def _of_launchers(settings: Settings) -> Iterator[UsageError]:
    if settings.urls and settings.launcher != "auto":
        yield UsageError(
            "--webbench-url measures servers that run already, and "
            f"--webbench-launcher={settings.launcher} launches some",
            hint="leave one of the two out",
        )
    has_limits = settings.cpus is not None or settings.memory_bytes is not None
    if has_limits and settings.launcher == "process":
        yield UsageError(
            "--webbench-cpus and --webbench-memory limit containers, and stacks would run as processes",
            hint="leave the limits out, or use --webbench-launcher=container",
        )


def _of_engines(settings: Settings) -> Iterator[UsageError]:
    if settings.generators > 1 and settings.engine != "native":
        yield UsageError(
            f"--webbench-generators is for the native engine, and --webbench-engine is {settings.engine}",
            hint="leave it out" + (" or use --webbench-load-workers" if settings.engine == "locust" else ""),
        )
    if settings.engine != "locust" and (settings.load_bind or settings.load_master):
        yield UsageError(
            f"workers and masters belong to the engine locust, and --webbench-engine is {settings.engine}",
            hint="add --webbench-engine=locust",
        )
    if settings.load_bind and settings.load_master:
        yield UsageError(
            "--webbench-load-bind makes this run the master, and --webbench-load-master names another",
            hint="leave one of the two out",
        )
    if settings.engine == "k6" and settings.rates.arrivals is Arrivals.POISSON:
        yield UsageError(
            "k6 has constant arrivals only", hint="use --webbench-engine=native, or leave out poisson"
        )


def _of_comparisons(settings: Settings) -> Iterator[UsageError]:
    if settings.against is None and settings.against_stack is None:
        return
    if settings.against is not None and settings.against_stack is not None:
        yield UsageError(
            "--webbench-against and --webbench-against-stack both name a base", hint="leave one of them out"
        )
    if settings.against is not None and settings.urls:
        yield UsageError(
            "--webbench-url measures servers that run already, of which there is no other commit",
            hint="start the base as well, and use --webbench-against-stack",
        )
    if settings.profile.rounds < FEWEST_PAIRS:
        yield UsageError(
            f"a comparison needs {FEWEST_PAIRS} rounds at least, to see what varies between launches, "
            f"and --webbench-rounds or the profile says {settings.profile.rounds}",
            hint=f"say --webbench-rounds={FEWEST_PAIRS} or more, or leave it out",
        )
