"""The placeholders in a stack's command and environment."""

from collections.abc import Mapping

from pytest_webbench.values.stack import Stack

__all__ = ["asks_for", "fill_in"]


def asks_for(stack: Stack, name: str) -> bool:
    """Whether the command or the environment of ``stack`` has the placeholder ``name``."""
    words = (*stack.command, *(value for _, value in stack.env))
    return any(f"{{{name}}}" in word for word in words)


def fill_in(word: str, values: Mapping[str, str]) -> str:
    """``word`` with each ``{name}`` replaced by its value; other braces are left as they are."""
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word
