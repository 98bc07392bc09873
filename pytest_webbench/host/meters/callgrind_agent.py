"""Speaks to callgrind beside a server, in the environment and the container of the server.

Run by the stack's Python with ``begin`` or ``end`` and the folder of the launch; it needs nothing but the
standard library and Valgrind's ``vgdb``. ``begin`` has all processes of the server count from zero; ``end``
stops them, and writes for each of them a line of its process id and the bytes of its dump, and the dump.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys

LIMIT_S = 60
"""A process that answers to nothing for so long is stuck."""
INVOKE_MS = 10
"""After so long a process that waits in the kernel is woken to obey."""


def processes(folder: str) -> list[int]:
    """Return the processes under Valgrind that are still there, with the oldest first."""
    pipes = glob.glob(os.path.join(folder, "vgdb-from-vgdb-to-*"))
    names = map(os.path.basename, pipes)
    found = {int(each.group(1)) for each in map(re.compile(r".*-to-(\d+)-").match, names) if each}
    return sorted(pid for pid in found if os.path.exists(f"/proc/{pid}"))


def tell(folder: str, pid: int, *orders: str) -> None:
    """Have the process obey each of ``orders``, monitor commands of callgrind."""
    words = [word for order in orders for word in ("-c", *order.split())]
    command = ["vgdb", f"--vgdb-prefix={folder}/vgdb", f"--pid={pid}", f"--max-invoke-ms={INVOKE_MS}", *words]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False
    )
    if done.returncode and os.path.exists(f"/proc/{pid}"):
        sys.exit(f"process {pid} does not obey: {done.stdout.decode(errors='replace').strip()}")


def begin(folder: str) -> None:
    """Count from now on, from zero."""
    for pid in processes(folder):
        tell(folder, pid, "instrumentation on", "zero")


def end(folder: str) -> None:
    """Stop counting, and write what was counted."""
    for pid in processes(folder):
        tell(folder, pid, "dump", "instrumentation off")
        for file in glob.glob(os.path.join(folder, f"callgrind.{pid}.*")):
            with open(file, "rb") as dump:
                content = dump.read()
            os.remove(file)
            sys.stdout.buffer.write(b"%d %d\n" % (pid, len(content)) + content)


if __name__ == "__main__":
    {"begin": begin, "end": end}[sys.argv[1]](sys.argv[2])
