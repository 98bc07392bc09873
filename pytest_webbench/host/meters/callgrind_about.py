"""Prints what else determines a server's instruction counts: its C library, Valgrind, its Python.

Run by the stack's Python beside the server; it needs only the standard library.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys


def valgrind() -> str:
    """Return the version of Valgrind (``3.19.0``); empty if unknown."""
    try:
        said = subprocess.run(
            ["valgrind", "--version"], stdout=subprocess.PIPE, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(rb"\d[\d.]*", said)
    return found.group().decode() if found else ""


def libc() -> str:
    """Return the C library (``glibc 2.36``); empty if unknown."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError, AttributeError):
        return " ".join(platform.libc_ver()).strip()


if __name__ == "__main__":
    about = {
        "libc": libc(),
        "valgrind": valgrind(),
        "python_build": " ".join((*platform.python_build(), platform.python_compiler())),
    }
    sys.stdout.write(json.dumps({name: value for name, value in about.items() if value}))
