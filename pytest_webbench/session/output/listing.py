"""The output of ``pytest --webbench-list`` and ``--webbench-prune``."""

import shutil
import sys

import pytest

from pytest_webbench.host.plain_output import plain_output
from pytest_webbench.model.plan import PROFILES
from pytest_webbench.report.terminal import describe_known
from pytest_webbench.session.definitions.metrics import add_metrics
from pytest_webbench.session.definitions.registry import read_registry
from pytest_webbench.session.options.reading import read_settings
from pytest_webbench.stacks.docker.engine import connect
from pytest_webbench.stacks.docker.labels import prune

__all__ = ["print_known", "print_pruned"]


def print_known(config: pytest.Config) -> None:
    """Print the stacks, the scenarios as this run would use them, and the profiles."""
    add_metrics(config)
    settings = read_settings(config)
    registry = read_registry(config, settings)
    width = max(shutil.get_terminal_size().columns, 100)
    text = describe_known(
        registry.stacks.values(), registry.scenarios.values(), PROFILES.values(), width=width
    )
    with plain_output():
        sys.stdout.write(text)


def print_pruned() -> None:
    """Remove containers that killed runs left behind, and the images of stacks; print their names.

    Containers of runs in progress stay. Raises :class:`~pytest_webbench.model.errors.EngineError` if no
    container engine responds.
    """
    engine = connect()
    containers, images = prune(engine)
    engine.close()
    for kind, names in (("container", containers), ("image", images)):
        for name in names:
            sys.stdout.write(f"removed {kind} {name}\n")
    sys.stdout.write(f"removed {len(containers)} containers and {len(images)} images\n")
