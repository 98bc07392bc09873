"""Starts one program, and ends it with all that it has started: run as a file, by ``python -I -S``.

It is a sleeping process between us and the program, and not part of the program's process tree. All processes
that the program starts stay below this one even if they have their own session or their parent has ended
(``PR_SET_CHILD_SUBREAPER``, Linux), so that all are found and killed when

* we ask for it,
* standard input ends or the process that started this one does, even by SIGKILL,
* or this process is asked to end.

Orders are lines of JSON: first the program to start, then ``{"signal": 15}`` for the program and its group,
or ``{"end": 2.0}``, which asks the program to end (SIGTERM) and gives it so many seconds. Replies are lines
of JSON, too: ``{"pid": 7, "begun": 12.5}`` (seconds of :func:`time.monotonic`) or ``{"errno": 2}``, then
``{"code": -9}`` once the program has ended, and finally ``{"left": []}``: processes that could not be ended.

It needs only the standard library, so that it starts quickly. Elsewhere than on Linux, it ends the
program and its process group, and misses processes that left the group.
"""

import ctypes
import errno
import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

__all__ = ["main"]

PATIENCE_S = 5.0
"""How long killed processes may take to end. Another user's, or one that hangs in the kernel, stays."""
LOOK_S = 0.01
ORPHAN_S = 1.0
"""How often to check whether the parent lives, where the kernel does not report it."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LINUX = sys.platform == "linux"


def main() -> None:
    """Serve the parent whose process id is the first argument."""
    if _LINUX:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = _Supervisor(int(sys.argv[1]))
    try:
        supervisor.serve()
    finally:
        supervisor.end_all()


class _Supervisor:
    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._lines = b""
        self._program = 0
        self._has_ended = False
        self._remove: str | None = None
        self._deadline: float | None = None
        self._woken, wake = os.pipe()
        for end in (self._woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, *_ENDING):
            signal.signal(number, _note)

    def serve(self) -> None:
        """Carry out orders until everything is to be ended."""
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        watched = _watch(self._parent)
        if watched is not None:
            poll.register(watched, select.POLLIN)
        while os.getppid() == self._parent:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience_ms(watched))}
            if watched in ready or (self._woken in ready and self._is_asked_to_end()):
                return
            self._reap()
            if 0 in ready and not self._read_orders():
                return
            if self._deadline is not None and (self._has_ended or time.monotonic() >= self._deadline):
                return

    def _patience_ms(self, watched: int | None) -> float | None:
        if self._deadline is not None:
            return max(0.0, self._deadline - time.monotonic()) * 1e3
        return ORPHAN_S * 1e3 if watched is None else None

    def _is_asked_to_end(self) -> bool:
        return any(number in _ENDING for number in os.read(self._woken, 512))

    def _read_orders(self) -> bool:
        """Carry out the orders that have arrived; return whether more may come."""
        data = os.read(0, 1 << 16)
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            self._carry_out(json.loads(line))
        return bool(data)

    def _carry_out(self, order: dict[str, Any]) -> None:
        if "command" in order:
            self._remove = order["remove"]
            self._start(order)
        elif self._program and not self._has_ended:
            number = order.get("signal", signal.SIGTERM)
            with suppress(OSError):
                os.killpg(self._program, number)
        if "end" in order:
            self._deadline = time.monotonic() + order["end"]

    def _start(self, order: dict[str, Any]) -> None:
        failure, tell = os.pipe()  # closed by an exec that succeeds
        begun = time.monotonic()
        child = os.fork()
        if child == 0:
            try:
                _become(order)
            except OSError as error:
                os.write(tell, str(error.errno).encode())
            finally:
                os._exit(127)
        os.close(tell)
        self._program = child
        for descriptor in _descriptors(order) | {*order["descriptors"]}:
            os.close(descriptor)  # a socket that listens must not outlive the server
        said = os.read(failure, 16)
        os.close(failure)
        _reply({"errno": int(said)} if said else {"pid": child, "begun": begun})

    def _reap(self) -> None:
        """Reap ended processes; orphans become our children, and nobody else waits for them."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._program:
                    self._has_ended = True
                    _reply({"code": os.waitstatus_to_exitcode(status)})

    def end_all(self) -> None:
        """Kill processes until none is left, and remove the folder that was made for them."""
        signal.set_wakeup_fd(-1)  # nothing may interrupt this
        deadline = time.monotonic() + PATIENCE_S
        # Not the program first: its children in another PID namespace would become invisible.
        left = _descendants() or ([self._program] if self._program and not self._has_ended else [])
        while left:
            if not _LINUX:
                with suppress(OSError):
                    os.killpg(self._program, signal.SIGKILL)
            for pid in left:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self._reap()
            left = _descendants()
            if left and time.monotonic() > deadline:
                break
            if left:
                time.sleep(LOOK_S)
        if self._remove is not None:
            _remove(self._remove)
        _reply({"left": left})


def _note(number: int, frame: object) -> None:
    """Do nothing: without a Python handler, the wake-up descriptor is not written to."""


def _watch(parent: int) -> int | None:
    """Return a descriptor that is readable once ``parent`` has exited, not just a thread (pidfd_open(2))."""
    try:
        return os.pidfd_open(parent)
    except (AttributeError, OSError):
        return None


def _become(order: dict[str, Any]) -> None:
    """Become the program, in its own session; raises :class:`OSError`."""
    os.setsid()
    if _LINUX:  # if this supervisor, which has one thread, is killed
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for name in ("SIGPIPE", "SIGXFSZ"):  # ignored by Python, which the program would inherit
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing if order["stdin"] is None else order["stdin"], 0)
    os.dup2(2 if order["stdout"] is None else order["stdout"], 1)
    os.dup2(2 if order["stderr"] is None else order["stderr"], 2)
    for descriptor in _descriptors(order):
        os.close(descriptor)
    os.chdir(order["folder"])
    os.execvpe(order["command"][0], order["command"], order["environment"])  # noqa: S606


def _descriptors(order: dict[str, Any]) -> set[int]:
    return {order[name] for name in ("stdin", "stdout", "stderr") if order[name] is not None}


def _descendants() -> list[int]:
    """Return the descendants of this process that have not been waited for; on Linux only, else none."""
    if not _LINUX:
        return []
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes as long to import as all the rest
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):  # it has ended meanwhile
                continue
            children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    following = [os.getpid()]
    while following:
        own = children.get(following.pop(), [])
        found += own
        following += own
    return found


def _remove(folder: str) -> None:
    """Remove ``folder``, to which an ending process may still write."""
    import shutil  # noqa: PLC0415

    for _ in range(10):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(LOOK_S)


def _reply(reply: dict[str, Any]) -> None:
    try:
        os.write(1, json.dumps(reply).encode() + b"\n")
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise


if __name__ == "__main__":
    main()
