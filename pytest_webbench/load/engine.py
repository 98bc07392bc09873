"""Creates the load engine, and tells whether it can work in slices."""

import warnings
from typing import Any

from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.load import ConnectionProbe, Load, LoadEngine, LoadSession, TurnEngine
from pytest_webbench.model.settings import Settings

__all__ = ["begin_session", "can_take_turns", "make_engine"]


def make_engine(settings: Settings) -> LoadEngine:
    """Create the engine that ``settings`` ask for.

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


def can_take_turns(engine: LoadEngine) -> bool:
    """Tell whether ``engine`` has ``begin``, or ``open``, its old name."""
    return isinstance(engine, TurnEngine) or callable(getattr(engine, "open", None))


def begin_session(
    engine: LoadEngine, load: Load, base_url: str, look: ConnectionProbe | None = None
) -> LoadSession:
    """Begin ``load`` with ``engine``, for which :func:`can_take_turns` is true."""
    if isinstance(engine, TurnEngine):
        return engine.begin(load, base_url, look)
    warnings.warn(
        f"The load engine {engine.name!r} has the method open(), which is now called begin(): rename it.",
        DeprecationWarning,
        stacklevel=2,
    )
    old: Any = engine
    session: LoadSession = old.open(load, base_url, look)
    return session
