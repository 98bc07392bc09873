"""From stacks of calls to the rectangles of a flame graph."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_webbench.logic.attribution import OTHER, Attributor, is_python, split_frame, working_stacks
from pytest_webbench.values.code_profile import CodeProfile, FlameRect

__all__ = ["SMALLEST", "flame"]

SMALLEST = 0.004
"""The share of the samples below which calls are folded into one rectangle beside their siblings."""


@dataclass(kw_only=True)
class _Node:
    """Calls of one function from one caller."""

    label: str
    part: str
    samples: int = 0
    children: dict[str, "_Node"] = field(default_factory=dict)


def flame(profile: CodeProfile, *, smallest: float = SMALLEST) -> tuple[FlameRect, ...]:
    """The rectangles of ``profile``: callers before callees, siblings from the most to the fewest samples.

    Calls of one function from one caller are one rectangle, whatever the line. Machine code that belongs to
    no part (the interpreter, the C library) is left out, for it works for its caller. Siblings that have
    less than the share ``smallest`` of all samples are folded into one.
    """
    root = _grow(profile)
    return tuple(_rects(root, depth=0, start=0, total=root.samples, least=smallest * root.samples))


def _grow(profile: CodeProfile) -> _Node:
    attributor = Attributor(profile.parts)
    root = _Node(label="", part=OTHER)
    for frames, count in working_stacks(profile).items():
        node = root
        node.samples += count
        for frame in frames:
            part = attributor.part_of(frame)
            function, file = split_frame(frame)
            if part is None and not is_python(file):
                continue
            label = f"{function} ({file})" if file else function
            child = node.children.get(label)
            if child is None:
                child = node.children[label] = _Node(label=label, part=part or node.part)
            child.samples += count
            node = child
    return root


def _rects(parent: _Node, *, depth: int, start: int, total: int, least: float) -> Iterator[FlameRect]:
    children = sorted(parent.children.values(), key=lambda each: (-each.samples, each.label))
    shown = [each for each in children if each.samples >= least]
    for child in shown:
        yield _rect(child, depth=depth, start=start, total=total)
        yield from _rects(child, depth=depth + 1, start=start, total=total, least=least)
        start += child.samples
    small = children[len(shown) :]
    samples = sum(each.samples for each in small)
    if small and samples >= least:
        label = f"{len(small)} more functions" if len(small) > 1 else small[0].label
        folded = _Node(label=label, part=parent.part, samples=samples)
        yield _rect(folded, depth=depth, start=start, total=total)


def _rect(node: _Node, *, depth: int, start: int, total: int) -> FlameRect:
    return FlameRect(
        depth=depth,
        start=start / total,
        width=node.samples / total,
        label=node.label,
        part=node.part,
        samples=node.samples,
    )
