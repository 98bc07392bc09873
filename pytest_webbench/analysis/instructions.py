"""Callgrind's output: the instructions of a load, and which objects and functions executed them.

The format is described in the manual of Valgrind, "Callgrind Format Specification".
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pytest_webbench.model.growth import CodeChange, InstructionsByFunction
from pytest_webbench.model.measurement import Measurement

__all__ = [
    "InstructionCounts",
    "add_counts",
    "add_functions",
    "by_function",
    "changes_of_functions",
    "changes_of_objects",
    "instructions_per_request",
    "parse_dump",
    "short_function",
    "short_object",
]

UNKNOWN_OBJECT = "???"
"""Callgrind's name for code that belongs to no file, such as a JIT compiler's output."""

_NAME = re.compile(r"^(c?(?:ob|fn))=\((\d+)\)(?: (.*))?$")
_COST = re.compile(r"^[+*\-0-9]")
_INCIDENTAL = re.compile(
    r"^_*(?:lll_|futex|(?:GI_)?pthread_(?:cond|mutex|rwlock)_|new_sem_|sem_|clock_gettime|gettimeofday|"
    r"(?:time|s?brk|mmap(?:64)?|munmap|mremap|madvise)(?:@|$))"
)
"""Functions of the C library whose system calls are left out.

How often threads wait for each other depends on how fast they are; when memory is taken from the kernel, on
what was freed before; and without Valgrind, a clock is read without a system call (vDSO).
"""
_RECURSION = re.compile(r"'\d+$")  # callgrind's mark of a function that called itself


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionCounts:
    """Counts of one process, or of several together, in user space.

    ``syscalls`` leaves out those that read a clock, wait for threads, or get memory. ``functions`` has
    the instructions of each function itself, without its callees, by its object (a shared library or a
    program) and its name.
    """

    instructions: int = 0
    syscalls: int = 0
    functions: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def objects(self) -> Counter[str]:
        """Return the instructions of each object."""
        found: Counter[str] = Counter()
        for (name, _), count in self.functions.items():
            found[name] += count
        return found


def parse_dump(text: str) -> InstructionCounts:
    """Return the counts in a dump of callgrind.

    Raises :class:`ValueError` if ``text`` is not such a dump, or does not count instructions.
    """
    events: list[str] = []
    totals: list[int] = []
    names: dict[str, str] = {}
    functions: Counter[tuple[str, str]] = Counter()
    syscalls: Counter[str] = Counter()
    place, of_call = {"ob": UNKNOWN_OBJECT, "fn": ""}, False
    for line in text.splitlines():
        if _COST.match(line):
            if not of_call:  # the line after "calls=" has the cost of the called function
                costs = dict(zip(events, map(int, line.split()[1:]), strict=False))
                functions[place["ob"], _RECURSION.sub("", place["fn"])] += costs.get("Ir", 0)
                syscalls[place["fn"]] += costs.get("sysCount", 0)
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
        instructions=known.get("Ir", 0),
        syscalls=sum(count for name, count in syscalls.items() if not _INCIDENTAL.match(name)),
        functions=dict(functions),
    )


def add_counts(parts: Iterable[InstructionCounts]) -> InstructionCounts:
    """Return the counts of all ``parts`` together."""
    instructions = syscalls = 0
    functions: Counter[tuple[str, str]] = Counter()
    for part in parts:
        instructions += part.instructions
        syscalls += part.syscalls
        functions.update(part.functions)
    return InstructionCounts(instructions=instructions, syscalls=syscalls, functions=dict(functions))


# --- by function ------------------------------------------------------------------------------------

SMALLEST_SHARE = 1e-4
"""A function with a smaller share of the instructions is not named: it is far below any verdict."""
SMALLEST_CHANGE = 0.01
"""The same for changes between two versions."""

_INSTALLED = re.compile(r"^.*/(?:site|dist)-packages/(?=.)")
_MODULE = re.compile(r"\.(?:cpython|abi3|pypy)[\w.-]*\.so$")
_BUNDLED = re.compile(r"-[0-9a-f]{8}(?=\.so|-|\.)")  # auditwheel's mark of a library within a package
_VERSION = re.compile(r"(\.so)[.\d]+$")
_ADDRESS = re.compile(r"^0x[0-9a-f]+$|^\?+$|^\(below main\)$")
_COPY = re.compile(r"@@?[A-Z][\w.]*$|\.(?:cold|constprop|isra|llvm|lto_priv|part)(?:\.\d+)*|::h[0-9a-f]{16}$")


def short_object(path: str) -> str:
    """Return an object's short name: without its folder, its version and the name of the platform.

    ``libpython3.13.so``, ``libc.so``; a module keeps its package: ``markupsafe/_speedups.so``.
    """
    name = _INSTALLED.sub("", path)
    if name == path:
        name = PurePosixPath(path).name or path
    return _VERSION.sub(r"\1", _MODULE.sub(".so", _BUNDLED.sub("", name)))


def short_function(name: str) -> str:
    """Return a function's name without compilers' suffixes; empty if it has only an address."""
    short = _COPY.sub("", name)
    return "" if _ADDRESS.match(short) else short


def by_function(counts: InstructionCounts) -> dict[str, dict[str, int]]:
    """Return ``counts`` in the form in which they are stored."""
    found: dict[str, Counter[str]] = {}
    for (path, function), count in counts.functions.items():
        found.setdefault(short_object(path), Counter())[short_function(function)] += count
    least = SMALLEST_SHARE * sum(counts.functions.values())
    return {name: _without_small(functions, least) for name, functions in found.items()}


def _without_small(functions: Mapping[str, int], least: float) -> dict[str, int]:
    kept = {name: count for name, count in functions.items() if name and count >= least}
    rest = sum(functions.values()) - sum(kept.values())
    return {**kept, "": rest} if rest else kept


def add_functions(parts: Iterable[InstructionsByFunction]) -> dict[str, dict[str, int]]:
    """Return the instructions of all ``parts`` together."""
    found: dict[str, Counter[str]] = {}
    for part in parts:
        for name, functions in part.items():
            found.setdefault(name, Counter()).update(functions)
    return {name: dict(functions) for name, functions in found.items()}


def instructions_per_request(rounds: Iterable[Measurement]) -> dict[tuple[str, str], float]:
    """Return instructions per completed request by object and function, over all ``rounds`` together."""
    found: Counter[tuple[str, str]] = Counter()
    completed = 0
    for each in rounds:
        completed += each.load.ok if each.instructions else 0
        for name, functions in each.instructions.items():
            found.update({(name, function): count for function, count in functions.items()})
    return {place: count / completed for place, count in found.items() if completed}


Places = Mapping[tuple[str, str], float]
"""The return type of :func:`instructions_per_request`."""


def changes_of_objects(base: Places, head: Places) -> tuple[CodeChange, ...]:
    """Return the objects that changed, the largest change first, regardless of its sign."""
    return _changes(*({(name, ""): count for name, count in _objects(each).items()} for each in (base, head)))


def changes_of_functions(base: Places, head: Places) -> tuple[CodeChange, ...]:
    """Return the functions that changed, without those too small to be named."""
    return _changes(*({place: count for place, count in each.items() if place[1]} for each in (base, head)))


def _objects(places: Places) -> dict[str, float]:
    found: dict[str, float] = {}
    for (name, _), count in places.items():
        found[name] = found.get(name, 0.0) + count
    return found


def _changes(base: Places, head: Places) -> tuple[CodeChange, ...]:
    smallest = max(1.0, SMALLEST_CHANGE * abs(sum(head.values()) - sum(base.values())))
    found = [
        CodeChange(object=place[0], function=place[1], base=base.get(place, 0.0), head=head.get(place, 0.0))
        for place in {*base, *head}
    ]
    changed = [each for each in found if abs(each.change) >= smallest]
    return tuple(sorted(changed, key=lambda each: (-abs(each.change), each.object, each.function)))
