"""Labels that show which run owns a container, and the sweep of leftovers of killed runs."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pytest_webbench.host.leftovers import Owner
from pytest_webbench.stacks.docker.engine import ENGINE_FAULTS, Engine

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["LABEL", "OWNER", "Labels", "others_at_work", "prune", "remove_launch", "sweep"]

LABEL = "org.pytest-webbench"
RUN = f"{LABEL}.run"
LAUNCH = f"{LABEL}.launch"
OWNER = f"{LABEL}.owner"
FORGOTTEN_AFTER = timedelta(hours=1)


class Labels:
    """The labels of one run; each launch gets its own mark."""

    def __init__(self) -> None:
        self.owner = Owner.ourselves()
        self.run = uuid4().hex[:12]

    def for_launch(self, launch: str) -> dict[str, str]:
        """Return the labels of a container of ``launch``."""
        return {LABEL: "1", RUN: self.run, LAUNCH: launch, OWNER: str(self.owner)}


def remove_launch(engine: Engine, launch: str) -> None:
    """Remove everything a launch created, even a container whose creation was interrupted."""
    for container in _marked(engine, f"{LAUNCH}={launch}"):
        _remove(container)


def sweep(engine: Engine) -> list[str]:
    """Remove the leftovers of ended runs of this machine; return the names of what was removed.

    The steps of a build have only the label of their image and no owner. They are removed when they have
    been idle for longer than any build takes: until then the build may be at work.
    """
    return [
        _remove(container)
        for container, owner in _owned(engine)
        if (not owner.lives() if owner is not None else _is_forgotten_step(container))
    ]


def _is_forgotten_step(container: "Container") -> bool:
    created = datetime.fromisoformat(container.attrs["Created"])
    return container.status != "running" and datetime.now(UTC) - created > FORGOTTEN_AFTER


def others_at_work(engine: Engine) -> list[Owner]:
    """Return the owners of running containers of other runs, which disturb this one."""
    own = Owner.ourselves()
    found = {
        owner: None
        for container, owner in _owned(engine)
        if owner is not None and owner != own and owner.lives() and container.status == "running"
    }
    return list(found)


def prune(engine: Engine) -> tuple[list[str], list[str]]:
    """Remove all containers of ended runs, and all images; return the names of both."""
    containers = sweep(engine)
    images = []
    for image in engine.client.images.list(all=False, filters={"label": LABEL}):
        for name in image.tags or [str(image.id)]:
            with suppress(*ENGINE_FAULTS()):  # one in use by a container stays
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
    """Remove the container with its volumes; it may already be gone or being removed."""
    with suppress(*ENGINE_FAULTS()):
        container.remove(force=True, v=True)
    return str(container.name)
