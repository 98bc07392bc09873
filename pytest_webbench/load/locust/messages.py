"""What the master and the workers of the Locust engine say to each other, and how they miss each other.

The messages are custom messages of Locust: a type, and a dict that Locust sends as MessagePack.

====================  =======  ====================================================================
type                  sent by  data
====================  =======  ====================================================================
``webbench.hello``    worker   ``name`` (for people) and ``speaks`` (see :func:`speaks`)
``webbench.order``    master   ``load`` (its number) and ``order``, packed
``webbench.ready``    worker   ``load``: its users are connected
``webbench.start``    master   ``load``
``webbench.result``   worker   ``load``, ``piece`` of the packed reply, and whether it is the ``last``
``webbench.stop``     master   ``load``: it is given up
====================  =======  ====================================================================
"""

import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = [
    "HEARTBEAT_S",
    "HELLO",
    "MISSED_BEATS",
    "ORDER",
    "PIECE",
    "READY",
    "RESULT",
    "START",
    "STOP",
    "WITHOUT_MASTER_S",
    "parse_address",
    "speaks",
]

HELLO = "webbench.hello"
ORDER = "webbench.order"
READY = "webbench.ready"
START = "webbench.start"
RESULT = "webbench.result"
STOP = "webbench.stop"

PIECE = 2**20
"""Bytes of a reply in one message: each is a sign of life, for heartbeats wait behind them on a slow line."""
HEARTBEAT_S = 0.5
MISSED_BEATS = 5
"""After how many missed heartbeats a worker is lost. Locust's own values make it four to five seconds;
these make it three, which a worker that has very much to do still keeps."""
WITHOUT_MASTER_S = 10.0
"""After how long without an answer to its heartbeats a worker gives up, and its load ends; Locust: 60."""


def speaks() -> str:
    """What both ends must have in common: the version of this package, and the order of bytes."""
    try:
        number = version("pytest-webbench")
    except PackageNotFoundError:
        number = "not installed"
    return f"pytest-webbench {number}, {sys.byteorder}-endian"


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``. Raises :class:`ValueError` if it is none."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not of the form HOST:PORT")
    return host, int(port)
