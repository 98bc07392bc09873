"""Options that exclude each other."""

from collections.abc import Iterator

from pytest_webbench.analysis.gate import FEWEST_LAUNCHES, FEWEST_PAIRS
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Arrivals
from pytest_webbench.model.settings import Settings

__all__ = ["refuse_conflicts"]


def refuse_conflicts(settings: Settings) -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` for the first conflict."""
    for is_conflict, message, hint in _conflicts(settings):
        if is_conflict:
            raise UsageError(message, hint=hint)


def _conflicts(settings: Settings) -> Iterator[tuple[object, str, str]]:
    """Yield a condition, the message if it holds, and the hint."""
    engine = settings.engine
    yield (
        settings.urls and settings.launcher != "auto",
        "--webbench-url measures servers that run already, and "
        f"--webbench-launcher={settings.launcher} launches some",
        "leave one of the two out",
    )
    yield (
        settings.launcher == "process" and (settings.cpus is not None or settings.memory_bytes is not None),
        "--webbench-cpus and --webbench-memory limit containers, and stacks would run as processes",
        "leave the limits out, or use --webbench-launcher=container",
    )
    yield (
        settings.generators > 1 and engine != "native",
        f"--webbench-generators is for the native engine, and --webbench-engine is {engine}",
        "leave it out" + (" or use --webbench-load-workers" if engine == "locust" else ""),
    )
    yield (
        engine != "locust" and (settings.load_bind or settings.load_master),
        f"workers and masters belong to the engine locust, and --webbench-engine is {engine}",
        "add --webbench-engine=locust",
    )
    yield (
        settings.load_bind and settings.load_master,
        "--webbench-load-bind makes this run the master, and --webbench-load-master names another",
        "leave one of the two out",
    )
    yield (
        engine == "k6" and settings.rates.arrivals is Arrivals.POISSON,
        "k6 has constant arrivals only",
        "use --webbench-engine=native, or leave out poisson",
    )
    has_base = settings.against is not None or settings.against_stack is not None
    yield (
        settings.against is not None and settings.against_stack is not None,
        "--webbench-against and --webbench-against-stack both name a base",
        "leave one of them out",
    )
    yield (
        settings.against is not None and settings.urls,
        "--webbench-url measures servers that run already, which have no other commit to compare with",
        "start the base as well, and use --webbench-against-stack",
    )
    fewest = FEWEST_LAUNCHES if settings.profile.counts else FEWEST_PAIRS
    yield (
        has_base and settings.profile.rounds < fewest,
        f"a comparison needs at least {fewest} rounds, to see how much launches differ, "
        f"and --webbench-rounds or the profile says {settings.profile.rounds}",
        f"use --webbench-rounds={fewest} or more, or leave it out",
    )
