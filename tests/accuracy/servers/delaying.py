"""Responds to each request after a while, and logs how long each one really was in the server.

    delaying MEDIAN_S SIGMA [NUMBER]

The delays are log-normal and the same in each run; all are the median if sigma is 0. Request NUMBER is
announced in a line.
"""

import asyncio
import random
import sys
from time import perf_counter_ns

from tests.accuracy.servers.serving import Peer, answer, serve

__all__: list[str] = []

RIGHT = answer(b"right")


class Account:
    """What happens next, and what has happened."""

    def __init__(self, median_s: float, sigma: float, announced: int) -> None:
        self._chance = random.Random(20261121)
        self._median_s = median_s
        self._sigma = sigma
        self._announced = announced
        self.requests = 0
        self.spent_ns: list[int] = []

    def next_delay_s(self) -> float:
        """How long the request that has just come is to take."""
        self.requests += 1
        if self.requests == self._announced:
            print(f"request {self.requests}", flush=True)
        return self._median_s * self._chance.lognormvariate(0, self._sigma)


class Delayed(Peer):
    """Responds late."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def requested(self) -> None:
        read_ns = perf_counter_ns()
        delay_s = self._account.next_delay_s()
        asyncio.get_running_loop().call_later(delay_s, self._answer, read_ns)

    def _answer(self, read_ns: int) -> None:
        if not self.transport.is_closing():
            # Before the writing, so that what the client sees is longer, always.
            self._account.spent_ns.append(perf_counter_ns() - read_ns)
            self.transport.write(RIGHT)


def main(median_s: str, sigma: str, announced: str = "0") -> None:
    account = Account(float(median_s), float(sigma), int(announced))
    serve(lambda: Delayed(account), lambda: {"requests": account.requests, "spent_ns": account.spent_ns})


if __name__ == "__main__":
    main(*sys.argv[1:])
