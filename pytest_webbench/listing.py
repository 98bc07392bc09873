"""What ``pytest --webbench-list`` prints."""

import shutil
import sys

import pytest

from pytest_webbench.options import read_settings
from pytest_webbench.registry import read_registry
from pytest_webbench.report.text import describe_known
from pytest_webbench.values.profile import PROFILES

__all__ = ["print_known"]


def print_known(config: pytest.Config) -> None:
    """Print the stacks, the scenarios as this run would use them, and the profiles."""
    settings = read_settings(config)
    registry = read_registry(config, settings)
    width = max(shutil.get_terminal_size().columns, 100)
    text = describe_known(
        registry.stacks.values(), registry.scenarios.values(), PROFILES.values(), width=width
    )
    sys.stdout.write(text)
