"""The placeholders in a stack's command and environment."""

from collections.abc import Mapping

__all__ = ["fill_in"]


def fill_in(word: str, values: Mapping[str, str]) -> str:
    """``word`` with each ``{name}`` replaced by its value; other braces are left as they are."""
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word
