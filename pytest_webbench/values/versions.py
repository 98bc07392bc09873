"""Sets of versions that the stacks are locked to."""

from dataclasses import dataclass

__all__ = ["VERSION_SETS", "VersionSet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSet:
    """A lock for each stack, under the same name.

    ``python`` is the Python that it was made for, ``None`` for whichever runs pytest; ``base_image`` the
    image that containers start from.
    """

    name: str
    title: str
    python: str | None
    base_image: str


VERSION_SETS: dict[str, VersionSet] = {
    each.name: each
    for each in (
        VersionSet(
            name="current",
            title="the newest releases when the locks were made",
            python=None,
            base_image="python:3.13-slim",
        ),
        VersionSet(
            name="paper",
            title="those of Bednarz and Miłosz, and for the rest what was current in May 2025",
            python="3.11",
            base_image="python:3.11-slim",
        ),
    )
}
