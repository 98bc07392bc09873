"""Says what else decides how many instructions a server executes: its C library, Valgrind, its Python.

Run by the stack's Python beside the server; it needs nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys


def valgrind() -> str:
    """The version of Valgrind (``3.19.0``); empty if it does not say."""
    try:
        said = subprocess.run(
            ["valgrind", "--version"], stdout=subprocess.PIPE, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(rb"\d[\d.]*", said)
    return found.group().decode() if found else ""


def libc() -> str:
    """The C library (``glibc 2.36``); empty if it does not say."""
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
