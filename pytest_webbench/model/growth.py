"""What grew from one version of an application to the next: machine code, and calls of Python functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.plan import Cell

__all__ = ["CallChange", "CodeChange", "InstructionsByFunction", "Place", "WhatGrew"]

InstructionsByFunction = Mapping[str, Mapping[str, int]]
"""Of each object (a shared library, the program itself) the instructions of each of its functions, without
those of what they called. Behind the name ``""`` are all functions that are too small to be named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """How many instructions per request the base and the head execute in an object, or in one function of it.

    ``function`` is empty for the whole object.
    """

    object: str
    function: str = ""
    base: float
    head: float

    @property
    def change(self) -> float:
        """Instructions per request; negative where there are fewer."""
        return self.head - self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a call is made: ``file`` and ``line``, inside ``function``; and what is ``called``.

    ``source`` is the text of the line, if it is known.
    """

    file: str
    function: str
    line: int
    called: str
    source: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """How often a request of the base and one of the head makes a call.

    ``place`` is that of the head, or of the base where the head does not make the call any more; its file is
    relative to the application, or to where libraries are installed. ``own``: it is the application's.
    """

    place: Place
    base: float
    head: float
    own: bool

    @property
    def change(self) -> float:
        """Calls per request; negative where there are fewer."""
        return self.head - self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatGrew:
    """What makes a cell execute more instructions, or system calls, than its base.

    All of it per request, the largest changes first, of calls those that the application makes. ``note`` says
    why some of it is missing.
    """

    cell: Cell
    base_stack: str
    objects: tuple[CodeChange, ...] = ()
    functions: tuple[CodeChange, ...] = ()
    calls: tuple[CallChange, ...] = ()
    note: str = ""
