"""What is said of a comparison with stored figures."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Difference", "Findings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something in which stored figures came about otherwise than those of now, in words.

    ``comparable`` says whether they can be compared in spite of it.
    """

    what: str
    base: str
    now: str
    comparable: bool = True

    def __str__(self) -> str:
        return f"{self.what} {self.base} then, {self.now} now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """How the benchmarks of a run go together with those of baselines, by full names.

    ``missing`` are benchmarks that no baseline has, ``differing`` maps a baseline's name and a difference
    to the benchmarks concerned, and ``fit`` has each baseline's name with a benchmark that it may be
    compared in.
    """

    missing: tuple[str, ...]
    differing: Mapping[tuple[str, Difference], tuple[str, ...]]
    fit: frozenset[tuple[str, str]]
