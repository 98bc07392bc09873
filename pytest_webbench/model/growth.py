"""What grew from one version of an application to the next: machine code, and calls of Python functions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_webbench.model.plan import Cell

__all__ = ["CallChange", "CodeChange", "InstructionsByFunction", "Place", "WhatGrew"]

InstructionsByFunction = Mapping[str, Mapping[str, int]]
"""The instructions of each function, without those of its callees, by object (a shared library, the program
itself). The name ``""`` stands for all functions that are too small to be named.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """The instructions per request of base and head in an object, or in one function of it.

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
    """The place of a call: ``file`` and ``line``, inside ``function``; and what is ``called``.

    ``source`` is the text of the line, if it is known.
    """

    file: str
    function: str
    line: int
    called: str
    source: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """The number of times a request of base and head makes a call.

    ``place`` is that of the head, or of the base if the head no longer makes the call; its file is
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
    """The reasons why a cell executes more instructions, or system calls, than its base.

    All values are per request, the largest changes first, and calls by the application before others.
    ``note`` says why some of it is missing.
    """

    cell: Cell
    base_stack: str
    objects: tuple[CodeChange, ...] = ()
    functions: tuple[CodeChange, ...] = ()
    calls: tuple[CallChange, ...] = ()
    note: str = ""
