"""Figures that somebody published, to set beside one's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table of figures: for each scenario the value of each stack, in the scenario's unit.

    ``approximate`` names the cells (``scenario[stack]``) whose values were read off a chart. ``notes`` say
    in words what a reader must know: how it was measured, and where the publication contradicts itself.
    """

    title: str
    citation: str
    url: str = ""
    licence: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    approximate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
