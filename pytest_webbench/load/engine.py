"""Which engine makes the load."""

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Arrivals, LoadEngine
from pytest_webbench.model.settings import Settings

__all__ = ["make_engine"]


def make_engine(settings: Settings) -> LoadEngine:
    """The engine that ``settings`` ask for.

    Raises :class:`~pytest_webbench.model.errors.UsageError` for options that it does not know.
    """
    _refuse_what_it_lacks(settings)
    match settings.engine:
        case "k6":
            from pytest_webbench.load.k6 import K6Engine  # noqa: PLC0415

            return K6Engine()
        case "locust":
            from pytest_webbench.load.locust import LocustEngine  # noqa: PLC0415

            return LocustEngine(
                workers=settings.load_workers, bind=settings.load_bind, master=settings.load_master
            )
    return NativeEngine(generators=settings.generators)


def _refuse_what_it_lacks(settings: Settings) -> None:
    if settings.generators > 1 and settings.engine != "native":
        raise UsageError(
            f"--webbench-generators is for the native engine, and --webbench-engine is {settings.engine}",
            hint="leave it out" + (" or use --webbench-load-workers" if settings.engine == "locust" else ""),
        )
    if settings.engine != "locust" and (settings.load_bind or settings.load_master):
        raise UsageError(
            f"workers and masters belong to the engine locust, and --webbench-engine is {settings.engine}",
            hint="add --webbench-engine=locust",
        )
    if settings.load_bind and settings.load_master:
        raise UsageError(
            "--webbench-load-bind makes this run the master, and --webbench-load-master names another",
            hint="leave one of the two out",
        )
    if settings.engine == "k6" and settings.rates.arrivals is Arrivals.POISSON:
        raise UsageError(
            "k6 has constant arrivals only", hint="use --webbench-engine=native, or leave out poisson"
        )
