"""Which connections to open anew, so that each process of a server has as many."""

from collections import Counter
from collections.abc import Sequence

from pytest_webbench.values.load import Held

__all__ = ["connections_of_each", "surplus"]


def connections_of_each(held: Held, ports: Sequence[int]) -> tuple[int, ...]:
    """How many of the connections from ``ports`` each process has, the most first."""
    return tuple(sorted(_counts(held, ports).values(), reverse=True))


def surplus(held: Held, ports: Sequence[int]) -> tuple[int, ...]:
    """The ports of the connections that other processes should have; none if no two differ by more than 1."""
    counts = _counts(held, ports)
    kept = list(ports)
    moved: list[int] = []
    while counts and max(counts.values()) - min(counts.values()) > 1:
        most, least = max(counts, key=lambda each: counts[each]), min(counts, key=lambda each: counts[each])
        port = next(each for each in reversed(kept) if held.by_port.get(each) == most)
        kept.remove(port)
        moved.append(port)
        counts[most] -= 1
        counts[least] += 1
    return tuple(moved)


def _counts(held: Held, ports: Sequence[int]) -> Counter[int]:
    counts = Counter(dict.fromkeys(held.processes, 0))
    counts.update(held.by_port[port] for port in ports if held.by_port.get(port) in counts)
    return counts
