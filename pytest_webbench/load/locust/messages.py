"""The messages between the master and the workers of the Locust engine: custom messages of Locust.

====================  =======  ====================================================================
type                  sent by  data
====================  =======  ====================================================================
``webbench.hello``    worker   ``name`` (for people) and ``version`` (see :func:`protocol_version`)
``webbench.job``      master   ``load`` (its number) and ``job``, packed
``webbench.ready``    worker   ``load``: its users are connected
``webbench.start``    master   ``load``
``webbench.result``   worker   ``load`` and ``reply``, packed
``webbench.stop``     master   ``load``: it is cancelled
====================  =======  ====================================================================
"""

import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["HELLO", "JOB", "READY", "RESULT", "START", "STOP", "parse_address", "protocol_version"]

HELLO = "webbench.hello"
JOB = "webbench.job"
READY = "webbench.ready"
START = "webbench.start"
RESULT = "webbench.result"
STOP = "webbench.stop"


def protocol_version() -> str:
    """Return what both ends must agree on: the version of this package, and the byte order."""
    try:
        number = version("pytest-webbench")
    except PackageNotFoundError:
        number = "not installed"
    return f"pytest-webbench {number}, {sys.byteorder}-endian"


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``. Raises :class:`ValueError` if it has another form."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is not of the form HOST:PORT")
    return host, int(port)
