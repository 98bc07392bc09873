"""The commands of ``Stack.prepare`` in containers, and the logs of containers."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.commands import preparation_failure, preparation_timeout
from pytest_webbench.stacks.docker.engine import ENGINE_FAULTS

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["keep_log", "prepare_in_containers"]

POLL_S = 0.02


def prepare_in_containers(
    stack: Stack,
    run: "Callable[[Sequence[str], Container | None], Container]",
    *,
    logs: Path,
    timeout_s: float,
) -> "Container | None":
    """Run the commands one after the other.

    Returns the last one's container, whose data the server takes over.

    ``run`` starts a container for a command, with the data of the previous one. All commands together may
    take ``timeout_s``. Raises :class:`~pytest_webbench.model.errors.StartError` for the first one that fails;
    the containers still belong to the caller.
    """
    deadline = time.monotonic() + timeout_s
    container: Container | None = None
    for command in stack.prepare:
        container = run(command, container)
        try:
            state = _state_at_end(container, deadline)
        finally:
            keep_log(container, logs)
        if state is None:
            raise preparation_timeout(stack, command, timeout_s, _output_of(container))
        if state.get("OOMKilled"):
            why = "ran out of memory and was killed (--webbench-memory allows more)"
            raise preparation_failure(stack, command, why, _output_of(container))
        if code := state.get("ExitCode"):
            raise preparation_failure(stack, command, f"exited with code {code}", _output_of(container))
    return container


def _state_at_end(container: "Container", deadline: float) -> dict[str, Any] | None:
    """Return how the container has ended; ``None`` if it still runs at ``deadline``."""
    while True:
        container.reload()
        state: dict[str, Any] = container.attrs["State"]
        if not state.get("Running"):
            return state
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_S)


def _output_of(container: "Container") -> str:
    with suppress(*ENGINE_FAULTS()):
        return container.logs().decode(errors="replace")
    return ""


def keep_log(container: "Container", logs: Path) -> None:
    """Write the container's whole log to the folder ``logs``."""
    with suppress(*ENGINE_FAULTS()):
        logs.mkdir(parents=True, exist_ok=True)
        (logs / f"{container.name}.log").write_bytes(container.logs())
