"""Set-up of a process: to end with its parent, and to open many files.

Also a program that is independent of this package: ``own_process.py PARENT COMMAND ...`` becomes the
command, which then ends with the process ``PARENT``.
"""

import ctypes
import os
import signal
import sys
from contextlib import suppress

__all__ = ["end_with", "raise_open_files"]

_PR_SET_PDEATHSIG = 1


def end_with(parent: int) -> None:
    """Have the kernel end this process with the thread of ``parent`` that started it, where it can (Linux).

    This survives an exec. A process whose parent has already ended exits here.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def raise_open_files() -> None:
    """Allow as many connections as the system permits."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - there is none on Windows

        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
