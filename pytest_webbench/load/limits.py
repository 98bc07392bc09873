"""How much memory and time a load generator outside of this process may take."""

from collections.abc import Iterable
from contextlib import suppress

import psutil

from pytest_webbench.load.http1.bounds import MAX_RESPONSE
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.load import Load

__all__ = ["MemoryBound", "longest_s"]

_BASE_BYTES = 2 * 2**30
_SHARE_OF_MACHINE = 0.75
_MARGIN_S = 30.0
_AT_ALL_S = 10 * 86_400.0
"""No load takes longer; the kernel's own waits end at 24 days."""
_HINT = (
    "does the server send far more than expected, such as a small gzip body that unpacks to a large one? "
    "See what one response has: curl --compressed URL | wc -c"
)


def longest_s(load: Load) -> float:
    """Seconds after which ``load`` must have ended, each request and each connect taking its timeout."""
    if load.amount.duration_s is not None:
        return load.amount.duration_s + load.timeout_s + _MARGIN_S
    requests = load.amount.requests or 0
    rounds = requests / max(load.users, 1) + 1
    scheduled_s = 0.0 if load.schedule is None else 2 * requests / load.schedule.rate
    return min(2 * rounds * (load.timeout_s + 1) + scheduled_s + _MARGIN_S, _AT_ALL_S)


class MemoryBound:
    """How much a generator called ``name`` may take for its ``users``, each of whom may have a response.

    On a small machine it is three quarters of all memory.
    """

    def __init__(self, name: str, users: int) -> None:
        self._name = name
        whole = psutil.virtual_memory().total
        self.most_bytes = min(_BASE_BYTES + users * MAX_RESPONSE, int(whole * _SHARE_OF_MACHINE))

    def check(self, pids: Iterable[int]) -> None:
        """Raise :class:`LoadError` if the processes ``pids`` hold more memory than that together."""
        held = sum(_resident_bytes(pid) for pid in pids)
        if held > self.most_bytes:
            raise LoadError(
                f"{self._name} was ended: it took {held / 2**20:,.0f} MiB of memory, and may take "
                f"{self.most_bytes / 2**20:,.0f} MiB.",
                hint=_HINT,
            )


def _resident_bytes(pid: int) -> int:
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
