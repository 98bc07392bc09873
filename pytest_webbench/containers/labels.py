"""Whose containers are whose: labels, and the sweep of what a run that was killed left behind."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psutil

from pytest_webbench.containers.engine import ENGINE_FAULTS, Engine

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["LABEL", "Labels", "Owner", "others_at_work", "prune", "remove_launch", "sweep"]

LABEL = "org.pytest-webbench"
RUN = f"{LABEL}.run"
LAUNCH = f"{LABEL}.launch"
OWNER = f"{LABEL}.owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process to which containers belong; its start time tells it from a later one of its number."""

    host: str
    pid: int
    started: int

    @classmethod
    def ourselves(cls) -> "Owner":
        """This process."""
        process = psutil.Process()
        return cls(host=socket.gethostname(), pid=process.pid, started=int(process.create_time()))

    @classmethod
    def parse(cls, text: str) -> "Owner | None":
        """The inverse of ``str``; ``None`` if ``text`` is something else."""
        try:
            host, pid, started = text.rsplit("/", 2)
            return cls(host=host, pid=int(pid), started=int(started))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.started}"

    def lives(self) -> bool:
        """Whether the process still runs; one on another machine is taken to."""
        if self.host != socket.gethostname():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < 2
        except psutil.Error:
            return False


class Labels:
    """The labels of one run; each launch gets a mark of its own."""

    def __init__(self) -> None:
        self.owner = Owner.ourselves()
        self.run = uuid4().hex[:12]

    def for_launch(self, launch: str) -> dict[str, str]:
        """What a container of ``launch`` is marked with."""
        return {LABEL: "1", RUN: self.run, LAUNCH: launch, OWNER: str(self.owner)}


def remove_launch(engine: Engine, launch: str) -> None:
    """Remove whatever a launch made, even a container whose making was interrupted."""
    for container in _marked(engine, f"{LAUNCH}={launch}"):
        _remove(container)


def sweep(engine: Engine) -> list[str]:
    """Remove what runs of this machine left that are no more; the names of what was removed."""
    return [_remove(container) for container, owner in _owned(engine) if owner is None or not owner.lives()]


def others_at_work(engine: Engine) -> list[Owner]:
    """The owners of running containers of other runs, which disturb this one."""
    own = Owner.ourselves()
    found = {
        owner: None
        for container, owner in _owned(engine)
        if owner is not None and owner != own and owner.lives() and container.status == "running"
    }
    return list(found)


def prune(engine: Engine) -> tuple[list[str], list[str]]:
    """Remove all containers whose run is no more, and all images; the names of both."""
    containers = sweep(engine)
    images = []
    for image in engine.client.images.list(all=False, filters={"label": LABEL}):
        for name in image.tags or [str(image.id)]:
            with suppress(*ENGINE_FAULTS()):  # one that a container uses stays
                engine.client.images.remove(name, force=False)
                images.append(name)
    return containers, images


def _owned(engine: Engine) -> Iterator[tuple["Container", Owner | None]]:
    for container in _marked(engine, LABEL):
        yield container, Owner.parse(container.labels.get(OWNER, ""))


def _marked(engine: Engine, label: str) -> list["Container"]:
    filters: dict[str, Any] = {"label": label}
    return list(engine.client.containers.list(all=True, filters=filters, ignore_removed=True))


def _remove(container: "Container") -> str:
    """Remove with its volumes; one that is gone already or on its way is as good."""
    with suppress(*ENGINE_FAULTS()):
        container.remove(force=True, v=True)
    return str(container.name)
