"""Two kinds of samples made into one: which Python was met, and what machine code ran for it."""

from collections import Counter
from collections.abc import Mapping, Sequence

from pytest_webbench.logic.attribution import is_idle, is_python, split_frame, waits

__all__ = ["add_machine_code"]

Calls = tuple[str, ...]


def add_machine_code(stacks: Mapping[str, int], deep: Mapping[str, int]) -> dict[str, int]:
    """``stacks`` of Python calls, with the machine code above them that the samples ``deep`` met there.

    A profiler that looks into machine code loses samples where it cannot find its way back to Python, so
    ``deep`` does not say how often a call was met, which ``stacks`` do. What it does say is how the time of
    one Python line divides into the machine code that it calls. So the samples of each innermost Python line
    are shared out in that proportion; those of a line that is not in ``deep``, in that of its function; and
    where that is missing, too, they stay as they are, as do those that only wait.

    ``stacks`` are of threads that the system calls active. So those of ``deep`` that wait for another thread
    are left out; an event loop in machine code that waits for requests is not, for it looks active even then.
    """
    by_line, by_function = _met(deep)
    innermost: dict[str, list[str]] = {}
    for stack in stacks:
        innermost.setdefault(stack.rpartition(";")[2], []).append(stack)
    found: Counter[str] = Counter()
    for frame, mine in innermost.items():
        known = None if waits((frame,)) else by_line.get(frame) or by_function.get(split_frame(frame))
        met: Mapping[Calls, int] = known or {(): 1}
        dealt = iter(_deal(met, sum(stacks[stack] for stack in mine)))
        for stack in sorted(mine):
            for _ in range(stacks[stack]):
                found[";".join([stack, *next(dealt)])] += 1
    return dict(found)


def _met(deep: Mapping[str, int]) -> tuple[dict[str, Counter[Calls]], dict[tuple[str, str], Counter[Calls]]]:
    """The machine code above each Python line, and above each function, and how often it was met."""
    by_line: dict[str, Counter[Calls]] = {}
    by_function: dict[tuple[str, str], Counter[Calls]] = {}
    for stack, count in deep.items():
        frames = tuple(stack.split(";"))
        python = [number for number, frame in enumerate(frames) if is_python(split_frame(frame)[1])]
        if python and (is_idle(frames) or not waits(frames)):
            frame, above = frames[python[-1]], frames[python[-1] + 1 :]
            by_line.setdefault(frame, Counter())[above] += count
            by_function.setdefault(split_frame(frame), Counter())[above] += count
    return by_line, by_function


def _deal(met: Mapping[Calls, int], count: int) -> Sequence[Calls]:
    """``count`` items of ``met`` in its proportions, to the nearest whole ones, each evenly spread."""
    total = sum(met.values())
    exact = {calls: count * times / total for calls, times in met.items()}
    quotas = {calls: int(share) for calls, share in exact.items()}
    short = count - sum(quotas.values())
    for calls in sorted(exact, key=lambda each: (quotas[each] - exact[each], each))[:short]:
        quotas[calls] += 1
    places = [((number + 0.5) / quota, calls) for calls, quota in quotas.items() for number in range(quota)]
    return [calls for _, calls in sorted(places)]
