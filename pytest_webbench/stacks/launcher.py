"""Chooses the launcher of a run, and attaches the meters to what it launches."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_webbench.model.errors import EngineError, StackError, UsageError
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.measurement import LaunchRecord, Readings
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.stack import Launcher, Meter, NoMeter, RunningStack, Stack
from pytest_webbench.stacks.attached import AttachedLauncher
from pytest_webbench.stacks.container import ContainerLauncher, Limits
from pytest_webbench.stacks.docker.engine import connect
from pytest_webbench.stacks.docker.image import base_image_id
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher

__all__ = ["MeteredLauncher", "make_launcher", "meter_of"]


class MeteredLauncher:
    """Launches by means of another launcher, and gives each stack its own meters.

    The meters wrap its command, and are attached to the running stack.
    """

    name: str
    about: str
    notes: tuple[str, ...]

    def __init__(self, launcher: Launcher, makers: Sequence[Callable[[], Meter]]) -> None:
        self._launcher = launcher
        self._makers = makers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._launcher, name)

    def prepare(self, stack: Stack) -> None:
        """Have the launcher prepare it."""
        self._launcher.prepare(stack)

    @contextmanager
    def start(self, stack: Stack) -> Iterator["MeteredStack"]:
        """Launch the command of ``stack`` as wrapped by its meters, and attach them.

        Raises what the launcher raises, with a meter's message if the log shows that the stack cannot be
        measured with it.
        """
        meters = [make() for make in self._makers]
        command = stack.command
        for meter in meters if command else ():  # an attached server has none
            command = tuple(meter.wrap(command))
        wrapped = replace(stack, command=command, fatal=tuple(sign for each in meters for sign in each.fatal))
        try:
            with self._launcher.start(wrapped) as running:
                for meter in meters:
                    meter.attach(running)
                yield MeteredStack(running, meters)
        except StackError as error:
            if sign := wrapped.fatal_sign(error.evidence):
                raise type(error)(sign[0], evidence=error.evidence, hint=sign[1]) from None
            raise


class MeteredStack:
    """A running stack with its meters."""

    def __init__(self, running: RunningStack, meters: Sequence[Meter]) -> None:
        own = getattr(running, "meter", None)
        self._running = running
        self._meters = meters
        self._about = {name: value for each in meters for name, value in each.about.items()}
        self.meter = _Joined([*meters, *([] if own is None else [own])])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._running, name)

    @property
    def launch(self) -> LaunchRecord:
        """The record of the launch, with the notes of the meters."""
        record = self._running.launch
        config = {**record.config, **self._about}
        notes = tuple(note for each in self._meters for note in each.notes)
        return replace(record, config=config, notes=(*record.notes, *notes))


class _Joined:
    """Several meters combined into one."""

    def __init__(self, meters: Sequence[Meter]) -> None:
        self._meters = meters

    def begin(self) -> None:
        for meter in self._meters:
            meter.begin()

    def end(self) -> Readings:
        found: dict[str, float] = {}
        for meter in self._meters:
            found |= meter.end()
        return Readings(found)

    def instructions(self) -> InstructionsByFunction:
        return {name: functions for each in self._meters for name, functions in each.instructions().items()}


def meter_of(running: RunningStack) -> Meter:
    """Return the meter of ``running``; one without readings if it was launched without any."""
    meter: Meter | None = getattr(running, "meter", None)
    return NoMeter() if meter is None else meter


def make_launcher(settings: Settings, logs: Path, dockerfile: Path) -> Launcher:
    """Return the launcher that ``settings`` ask for.

    ``auto`` chooses containers where a container engine responds and has, or can pull, the base image, and
    processes elsewhere, with the reason. A launcher requested by name is never replaced: raises
    :class:`~pytest_webbench.model.errors.EngineError` if containers were requested and are not available.
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
    if settings.profile.counts and engine.architecture not in ("x86_64", "amd64"):
        raise EngineError(
            "--webbench-measure=instructions counts on x86-64 only, and the container engine runs on "
            f"{engine.architecture}",
            hint="use an engine on x86-64 by DOCKER_HOST, or --webbench-measure=time",
        )
    base_image = settings.base_image or settings.versions.base_image
    base_image_id(engine, base_image)
    return ContainerLauncher(
        engine,
        dockerfile=dockerfile,
        base_image=base_image,
        logs=logs,
        packages=settings.profile.packages,
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
        grace_s=settings.profile.grace_s,
        reason=reason,
    )
