"""Which engine makes the load."""

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.load import LoadEngine
from pytest_webbench.model.settings import Settings

__all__ = ["make_engine"]


def make_engine(settings: Settings) -> LoadEngine:
    """The engine that ``settings`` ask for.

    Raises :class:`~pytest_webbench.model.errors.UsageError` if it is not installed.
    """
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
