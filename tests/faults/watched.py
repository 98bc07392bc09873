"""Run a command, bounded in time, and print its exit code and the peak of its memory as JSON.

What ``wait4`` tells of a child that was started by ``vfork`` includes the peak of its parent: a process of
its own stands between the tests, which grow large, and what is measured.
"""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path


def main(timeout_s: float, out: Path, words: list[str]) -> None:
    """Both streams of the command go into the file ``out``."""
    with out.open("w") as file:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    limit = threading.Timer(timeout_s, process.kill)
    limit.start()
    _, status, usage = os.wait4(process.pid, 0)
    limit.cancel()
    print(json.dumps({"exit_code": os.waitstatus_to_exitcode(status), "peak_mib": usage.ru_maxrss / 1024}))


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
