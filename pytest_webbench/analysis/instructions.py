"""What callgrind counted: the instructions of a load, and which objects and functions executed them.

The format is described in the manual of Valgrind, "Callgrind Format Specification".
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

__all__ = ["Growth", "InstructionCounts", "add_counts", "growth", "parse_dump", "short_name"]

UNKNOWN_OBJECT = "???"
"""Callgrind's name of code that belongs to no file, such as what a JIT compiler made."""

_NAME = re.compile(r"^(c?(?:ob|fn))=\((\d+)\)(?: (.*))?$")
_COST = re.compile(r"^[+*\-0-9]")
_RECURSION = re.compile(r"'\d+$")  # callgrind's mark of a function that called itself


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionCounts:
    """Counts of a process, or of several together, in user space.

    ``functions`` has the instructions of each function itself, without what it called, by its object (a
    shared library or a program) and its name.
    """

    instructions: int = 0
    syscalls: int = 0
    functions: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def objects(self) -> Counter[str]:
        """The instructions of each object."""
        found: Counter[str] = Counter()
        for (name, _), count in self.functions.items():
            found[name] += count
        return found


def parse_dump(text: str) -> InstructionCounts:
    """The counts in a dump of callgrind.

    Raises :class:`ValueError` if ``text`` is not such a dump, or does not count instructions.
    """
    events: list[str] = []
    totals: list[int] = []
    names: dict[str, str] = {}
    functions: Counter[tuple[str, str]] = Counter()
    place, of_call = {"ob": UNKNOWN_OBJECT, "fn": ""}, False
    for line in text.splitlines():
        if _COST.match(line):
            if not of_call:  # the line behind "calls=" holds what the called function cost
                functions[place["ob"], _RECURSION.sub("", place["fn"])] += int([*line.split(), "0"][1])
            of_call = False
        elif found := _NAME.match(line):
            kind, number, name = found.groups()
            key = kind[-2:] + number
            if name is not None:
                names[key] = name
            if kind in place:
                place[kind] = names.get(key, UNKNOWN_OBJECT)
        elif line.startswith("calls="):
            of_call = True
        elif line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith(("summary:", "totals:")) and not totals:
            totals = [int(each) for each in line.split()[1:]]
    if events[:1] != ["Ir"]:
        raise ValueError("this is not a dump of callgrind with counts of instructions")
    known = dict(zip(events, totals, strict=False))
    return InstructionCounts(
        instructions=known.get("Ir", 0), syscalls=known.get("sysCount", 0), functions=dict(functions)
    )


def add_counts(parts: Iterable[InstructionCounts]) -> InstructionCounts:
    """The counts of all ``parts`` together."""
    instructions = syscalls = 0
    functions: Counter[tuple[str, str]] = Counter()
    for part in parts:
        instructions += part.instructions
        syscalls += part.syscalls
        functions.update(part.functions)
    return InstructionCounts(instructions=instructions, syscalls=syscalls, functions=dict(functions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """By how many instructions a request of the head differs from one of the base, in one place."""

    name: str
    base: float
    head: float

    @property
    def change(self) -> float:
        """Instructions per request; negative where there are fewer."""
        return self.head - self.base


def growth(
    base: Mapping[str, float], head: Mapping[str, float], *, most: int = 5, smallest: float = 1.0
) -> tuple[Growth, ...]:
    """The ``most`` places that changed most, the largest change first; none below ``smallest``."""
    found = [Growth(name=name, base=base.get(name, 0.0), head=head.get(name, 0.0)) for name in {*base, *head}]
    changed = [each for each in found if abs(each.change) >= smallest]
    return tuple(sorted(changed, key=lambda each: (-abs(each.change), each.name))[:most])


def short_name(path: str) -> str:
    """An object as people know it: the file without its folder and its version (``libpython3.13.so``)."""
    name = PurePosixPath(path).name or path
    return re.sub(r"(\.so)[.\d]*$", r"\1", re.sub(r"\.(cpython|abi3)[\w-]*\.so$", ".so", name))
