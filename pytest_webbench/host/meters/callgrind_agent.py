"""Controls callgrind beside a server, in the server's environment and container.

Run by the stack's Python with the folder of the launch and ``begin`` or ``read``; it needs only the standard
library and Valgrind's ``vgdb``. ``begin`` makes all processes of the server count from zero. ``read`` writes,
for each process, a line with its process id and the size of its dump, and the dump. Counting is not switched
off again: each switch makes Valgrind translate all code anew, which takes longer than a counted warm-up.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import sys
import time

LIMIT_S = 40
"""A process that answers to nothing for so long is stuck."""
INVOKE_MS = 10
"""After so long a process that waits in the kernel is woken to obey, by ptrace."""
UNTRACEABLE = "untraceable"
"""The name of a file that says that ptrace fails here, as in some containers.

There, a process obeys when it next does something, as most servers do each second.
"""


def processes(folder: str) -> list[int]:
    """Return the processes under Valgrind that still exist."""
    pipes = glob.glob(os.path.join(folder, "vgdb-from-vgdb-to-*"))
    names = map(os.path.basename, pipes)
    found = {int(each.group(1)) for each in map(re.compile(r".*-to-(\d+)-").match, names) if each}
    return sorted(pid for pid in found if os.path.exists(f"/proc/{pid}"))


def tell(folder: str, pids: list[int], *orders: str) -> None:
    """Make all processes carry out each of ``orders``, monitor commands of callgrind, at the same time."""
    words = [word for order in orders for word in ("-c", *order.split())]

    def start(pid: int, invoke_ms: int) -> subprocess.Popen[bytes]:
        command = ["vgdb", f"--vgdb-prefix={folder}/vgdb", f"--pid={pid}", f"--max-invoke-ms={invoke_ms}"]
        return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    untraceable = os.path.join(folder, UNTRACEABLE)
    invoke_ms = 0 if os.path.exists(untraceable) else INVOKE_MS
    started = {pid: start(pid, invoke_ms) for pid in pids}
    deadline = time.monotonic() + LIMIT_S
    for pid, each in started.items():
        said = finish(pid, each, deadline)
        if each.returncode and b"ptrace" in said:
            open(untraceable, "wb").close()
            again = start(pid, 0)
            said = finish(pid, again, deadline)
            each.returncode = again.returncode
        if each.returncode and os.path.exists(f"/proc/{pid}"):
            sys.exit(f"process {pid} does not obey: {said.decode(errors='replace').strip()}")


def finish(pid: int, vgdb: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Wait for ``vgdb`` to end; return its output."""
    try:
        return vgdb.communicate(timeout=max(0.1, deadline - time.monotonic()))[0]
    except subprocess.TimeoutExpired:
        vgdb.kill()
        vgdb.communicate()
        sys.exit(f"process {pid} does not obey within {LIMIT_S} s")


def begin(folder: str) -> None:
    """Make all processes count from zero."""
    dumps(folder, "instrumentation on", "dump")  # a dump sets all to zero; "zero" leaves the system calls


def read(folder: str) -> None:
    """Write what all processes counted."""
    for pid, content in dumps(folder, "dump"):
        sys.stdout.buffer.write(b"%d %d\n" % (pid, len(content)) + content)


def dumps(folder: str, *orders: str) -> list[tuple[int, bytes]]:
    """Make all processes carry out ``orders``; return and remove what they dump."""
    pids = processes(folder)
    tell(folder, pids, *orders)
    found = []
    for pid in pids:
        for file in glob.glob(os.path.join(folder, f"callgrind.{pid}.*")):
            with open(file, "rb") as dump:
                found.append((pid, dump.read()))
            os.remove(file)
    return found


if __name__ == "__main__":
    {"begin": begin, "read": read}[sys.argv[2]](sys.argv[1])
