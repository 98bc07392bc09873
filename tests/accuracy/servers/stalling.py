"""Responds at once, but stops itself by SIGSTOP at one request, and logs how long it was stopped.

    stalling NUMBER

Somebody else must continue it.
"""

import os
import signal
import sys
from time import perf_counter_ns

from tests.accuracy.servers.serving import Peer, answer, serve

__all__: list[str] = []

RIGHT = answer(b"right")


class Account:
    """When to stop, and for how long it stood still."""

    def __init__(self, stop_at: int) -> None:
        self._stop_at = stop_at
        self.requests = 0
        self.stalled_ns = 0

    def request(self) -> None:
        """Count a request, and stop if it is the one."""
        self.requests += 1
        if self.requests == self._stop_at:
            stopped_ns = perf_counter_ns()
            os.kill(os.getpid(), signal.SIGSTOP)
            self.stalled_ns = perf_counter_ns() - stopped_ns


class Stalling(Peer):
    """Responds at once, if it can."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def requested(self) -> None:
        self._account.request()
        self.transport.write(RIGHT)


def main(stop_at: str) -> None:
    account = Account(int(stop_at))
    serve(lambda: Stalling(account), lambda: {"requests": account.requests, "stalled_ns": account.stalled_ns})


if __name__ == "__main__":
    main(*sys.argv[1:])
