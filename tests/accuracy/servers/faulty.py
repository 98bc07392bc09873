"""Makes faults at certain requests, and accounts for each of them.

    faulty FAULT=NUMBER ...

``reset=50`` cuts the connection at every 50th request, ``truncated=70`` ends it in the middle of every 70th
answer, ``wrong_status=7`` answers 500 to every 7th; ``wrong_body=500`` says something else than before from
request 500 on. Of several that are due the first in this order is made.
"""

import socket
import struct
import sys
from collections import Counter
from collections.abc import Mapping

from tests.accuracy.servers.serving import Peer, answer, serve

__all__: list[str] = []

RIGHT = answer(b"right")
REGULAR = ("reset", "truncated", "wrong_status")
CUT = struct.pack("ii", 1, 0)


class Account:
    """Which faults are due when, and what was done."""

    def __init__(self, due: Mapping[str, int]) -> None:
        self._due = due
        self.requests = 0
        self.did: Counter[str] = Counter()

    def next_deed(self) -> str:
        """What the request that has just come gets: the name of a fault, or ``right``."""
        self.requests += 1
        deed = self._deed()
        self.did[deed] += 1
        return deed

    def _deed(self) -> str:
        for fault in REGULAR:
            if fault in self._due and self.requests % self._due[fault] == 0:
                return fault
        return "wrong_body" if self.requests >= self._due.get("wrong_body", sys.maxsize) else "right"


class Faulty(Peer):
    """Does what is due."""

    def __init__(self, account: Account) -> None:
        super().__init__()
        self._account = account

    def requested(self) -> None:
        match self._account.next_deed():
            case "reset":
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CUT)
                self.transport.abort()
            case "truncated":
                self.transport.write(RIGHT[:-2])
                self.transport.close()
            case "wrong_status":
                self.transport.write(answer(b"right", 500))
            case "wrong_body":
                self.transport.write(answer(b"wrong"))
            case _:
                self.transport.write(RIGHT)


def main(*words: str) -> None:
    account = Account({name: int(number) for name, number in (word.split("=") for word in words)})
    serve(lambda: Faulty(account), lambda: {"requests": account.requests, "did": account.did})


if __name__ == "__main__":
    main(*sys.argv[1:])
