"""Which launcher a run uses."""

from pathlib import Path

from pytest_webbench.model.errors import EngineError, UsageError
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher
from pytest_webbench.stacks.attached import AttachedLauncher
from pytest_webbench.stacks.container import ContainerLauncher, Limits
from pytest_webbench.stacks.docker.engine import connect
from pytest_webbench.stacks.docker.image import base_image_id
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher

__all__ = ["make_launcher"]


def make_launcher(settings: Settings, logs: Path, dockerfile: Path) -> Launcher:
    """The launcher that ``settings`` ask for.

    ``auto`` takes containers where an engine answers and has, or can pull, the base image, and processes
    elsewhere, saying why. One asked for by name is never replaced: raises
    :class:`~pytest_webbench.model.errors.EngineError` if containers were asked for and cannot be had.
    """
    if settings.urls:
        urls = {each.name: each.url for each in settings.urls}
        return AttachedLauncher(urls, start_timeout_s=settings.start_timeout_s)
    if settings.launcher == "process":
        return _processes(settings, logs)
    try:
        return _containers(settings, logs, dockerfile)
    except EngineError as error:
        if settings.launcher == "container":
            raise
        return _processes(settings, logs, reason=error.message)


def _containers(settings: Settings, logs: Path, dockerfile: Path) -> Launcher:
    engine = connect()
    base_image = settings.base_image or settings.versions.base_image
    base_image_id(engine, base_image)
    return ContainerLauncher(
        engine,
        dockerfile=dockerfile,
        base_image=base_image,
        logs=logs,
        limits=Limits(cpus=settings.cpus, memory_bytes=settings.memory_bytes),
        workers=settings.workers,
        threads=settings.threads,
        start_timeout_s=settings.start_timeout_s,
    )


def _processes(settings: Settings, logs: Path, reason: str = "") -> Launcher:
    if reason and (settings.cpus is not None or settings.memory_bytes is not None):
        raise UsageError(
            "--webbench-cpus and --webbench-memory limit containers, and stacks would run as processes: "
            f"{reason}",
            hint="leave the limits out, or use --webbench-launcher=container",
        )
    return ProcessLauncher(
        cache=settings.cache or default_cache(),
        logs=logs,
        python=settings.versions.python,
        workers=settings.workers,
        threads=settings.threads,
        start_timeout_s=settings.start_timeout_s,
        reason=reason,
    )
