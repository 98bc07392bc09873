"""Counts the instructions that a server executes in user space, under Valgrind's callgrind.

Valgrind runs each process of the server, and counts only between :meth:`CallgrindMeter.begin` and
:meth:`CallgrindMeter.end`. It runs one thread at a time and 30 to 50 times as slowly, so that
such a launch is never timed.
"""

import json
import re
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from pytest_webbench.analysis.instructions import InstructionCounts, add_counts, by_function, parse_dump
from pytest_webbench.host.meters.process_tree import ancestors, process_tree
from pytest_webbench.model.errors import SeedError, StackError
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.measurement import Combine, Readings
from pytest_webbench.model.stack import FatalSign, Meter, RunningStack

__all__ = ["STEADY", "CallgrindMeter", "parse_dumps"]

AGENT = Path(__file__).with_name("callgrind_agent.py")
ABOUT = Path(__file__).with_name("callgrind_about.py")
_TUNABLES = {
    # The string functions of any x86-64: others depend on the processor, with different counts.
    "glibc.cpu.hwcaps": (
        "-AVX,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM,-SSE4_1,-SSE4_2,-SSSE3"
    ),
    # How memory is copied depends on the sizes of caches, unless they are given.
    "glibc.cpu.x86_data_cache_size": "32768",
    "glibc.cpu.x86_shared_cache_size": "1048576",
    "glibc.cpu.x86_non_temporal_threshold": "786432",
    # Which thread gets its own arena is chance; thresholds that are not set follow the sizes freed.
    "glibc.malloc.arena_max": "1",
    "glibc.malloc.mmap_threshold": "131072",
    "glibc.malloc.trim_threshold": "134217728",
}
STEADY: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "GLIBC_TUNABLES": ":".join(f"{name}={value}" for name, value in _TUNABLES.items()),
}
"""The environment variables that make the counts repeatable."""
_PATIENT = "--timeout 600 --keep-alive 600"
"""For Gunicorn, which would consider a slow worker hung, and close idle connections."""
_START = (
    "".join(f"export {name}={shlex.quote(value)}; " for name, value in STEADY.items())
    + f'export GUNICORN_CMD_ARGS="{_PATIENT} $GUNICORN_CMD_ARGS" UVICORN_TIMEOUT_KEEP_ALIVE=600; exec "$@"'
)
IDLE_S = 1.0
"""How long a server is counted without requests, once per launch."""
SIDE_SHARE = 0.05
"""A process that accepts no connections is mentioned if it executes this share of all instructions."""


class CallgrindMeter(Meter):
    """Reads ``instructions`` and ``syscalls``, both of user space and of the processes that serve requests.

    A process that only supervises those that accept connections, such as Gunicorn's first one, is left out,
    if they can be distinguished: its instructions depend on how long the load takes. So do those that a
    server executes periodically, such as Uvicorn's tick ten times a second. They are counted for
    :data:`IDLE_S` without requests and subtracted in proportion to the time: ``idle_instructions``.
    """

    readings: Mapping[str, Combine] = {
        "instructions": Combine.SUM,
        "syscalls": Combine.SUM,
        "idle_instructions": Combine.SUM,
    }
    fatal = (
        FatalSign(
            pattern=r"Unrecognised instruction|Illegal opcode|signal 4 \(SIGILL\)|was sent SIGILL",
            message="executes an instruction that Valgrind does not know",
            hint="install the library that has it for any x86-64 processor (AVX-512 is the usual cause), "
            "use a newer Valgrind, or measure time",
        ),
        FatalSign(
            pattern=r"Can't execute setuid/setgid/setcap executable: (.*)",
            message="starts {0}, which changes its user or has capabilities: Valgrind may not run that",
            hint="start the server directly, without sudo and the like",
        ),
        FatalSign(
            pattern=r"Fatal error at startup: a function redirection",
            message="cannot be run by Valgrind, which lacks the symbols of the C library",
            hint="install the package libc6-dbg (Debian, Ubuntu) or the debug symbols of your C library",
        ),
        FatalSign(
            pattern=r"(?m)^valgrind: (.*)",
            message="cannot be run by Valgrind: {0}",
            hint="is the first word of its command a program for x86-64?",
        ),
        FatalSign(
            pattern=r"valgrind: (?:command )?not found|valgrind: No such file",
            message="has no Valgrind where it runs",
            hint="install the packages valgrind and libc6-dbg there",
        ),
    )

    def __init__(self) -> None:
        self._server: RunningStack | None = None
        self._agent = ""
        self._supervisors: frozenset[int] = frozenset()
        self._serving: frozenset[int] = frozenset()
        self._idle: InstructionCounts | None = None
        self._idle_s = 0.0
        """For how many seconds ``_idle`` was counted."""
        self._begun = 0.0
        self.counts = InstructionCounts()
        """The last counts, by function; nothing is subtracted."""
        self.notes: tuple[str, ...] = ()

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """Return ``command`` under callgrind, which does not count yet."""
        return (
            *("sh", "-c", _START, "sh"),
            "valgrind",
            "--tool=callgrind",
            "--quiet",  # its report of a crash goes to the server's log
            "--num-callers=4",
            "--trace-children=yes",  # otherwise vgdb does not reach the workers
            "--instr-atstart=no",
            "--collect-systime=nsec",  # with it, system calls are counted
            "--dump-line=no",
            "--callgrind-out-file={data_dir}/callgrind.%p",
            "--vgdb-poll=200",  # basic blocks: one that does little looks for orders soon, too
            "--vgdb-prefix={data_dir}/vgdb",
            *command,
        )

    def attach(self, server: RunningStack) -> None:
        """Put the program that controls callgrind beside the server."""
        self._server = server
        self._agent = server.put_file(AGENT.name, AGENT.read_bytes())
        with suppress(SeedError, ValueError):  # counting works without it
            self.about = json.loads(server.execute([server.put_file(ABOUT.name, ABOUT.read_bytes())]))

    def begin(self) -> None:
        """Count from zero; takes some tenths of a second, and :data:`IDLE_S` more the first time.

        Raises :class:`~pytest_webbench.model.errors.StackError` if several processes accept connections.
        """
        self._see_who_serves()
        self._tell("begin")
        self._begun = time.monotonic()
        if self._idle is None:
            time.sleep(IDLE_S)
            self._idle_s = time.monotonic() - self._begun
            self._idle = self._read()
            self._tell("begin")
            self._begun = time.monotonic()

    def end(self) -> Readings:
        """Read what was counted.

        Raises :class:`~pytest_webbench.model.errors.StackError` if nothing was.
        """
        elapsed_s = time.monotonic() - self._begun
        self.counts = self._read()
        assert self._idle is not None
        idle = round(self._idle.instructions * elapsed_s / self._idle_s)
        idle_syscalls = round(self._idle.syscalls * elapsed_s / self._idle_s)
        return Readings(
            instructions=max(0, self.counts.instructions - idle),
            syscalls=max(0, self.counts.syscalls - idle_syscalls),
            idle_instructions=idle,
        )

    def _read(self) -> InstructionCounts:
        """Return what was counted since :meth:`begin`, in the processes that serve."""
        dumps = parse_dumps(self._tell("read"))
        counted = {pid: dump for pid, dump in dumps.items() if pid not in self._supervisors}
        if not counted or not (self._serving <= counted.keys()):
            raise StackError(
                "nothing was counted: what takes the requests does not run under Valgrind",
                hint="have the stack's command start its server itself, not by a service that runs already",
            )
        counts = add_counts(counted.values())
        if self._idle is not None:
            self._note_others(counted, counts.instructions)
        return counts

    def instructions(self) -> InstructionsByFunction:
        """Return the last counts, by function."""
        return by_function(self.counts)

    def _see_who_serves(self) -> None:
        """Find out which processes accept connections, and which only supervise these, as far as possible."""
        server = self._server
        assert server is not None
        held = server.connections()
        if held is None or server.server_pid is None or not held.by_port:
            return  # without a connection, helpers look like workers
        if len(held.processes) > 1:
            raise StackError(
                f"{server.stack.name} takes requests in {len(held.processes)} processes: which of them gets "
                "one is left to chance, and so are the instructions that it executes",
                evidence=f"the processes {', '.join(map(str, held.processes))} listen on its port",
                hint="let its command start one worker: {workers} in it is 1 when instructions are counted",
            )
        parents = process_tree(server.server_pid)
        above = {each for pid in held.processes for each in ancestors(pid, parents)} - {*held.processes}
        self._serving = frozenset(map(_pid_inside, held.processes))
        self._supervisors = frozenset(map(_pid_inside, above))

    def _note_others(self, counted: Mapping[int, InstructionCounts], total: int) -> None:
        """Note which other processes execute many of the ``total`` instructions."""
        others = [
            dump.instructions / total
            for pid, dump in counted.items()
            if self._serving and pid not in self._serving and total
        ]
        if large := [share for share in others if share >= SIDE_SHARE]:
            self.notes = (
                f"{sum(large):.0%} of the instructions are of {len(large)} other "
                f"process{'es' * (len(large) != 1)} than the one that takes the requests",
            )

    def _tell(self, order: str) -> bytes:
        assert self._server is not None
        try:
            return self._server.execute([self._agent, str(PurePath(self._agent).parent), order])
        except SeedError as error:
            log = self._server.log_tail()
            raise StackError(
                f"{self._server.stack.name} was not counted: {error.message}",
                evidence="\n".join(filter(None, (error.evidence, log))),
                hint="see the end of its log, and whether vgdb (of the package valgrind) is there",
            ) from None


def parse_dumps(written: bytes) -> dict[int, InstructionCounts]:
    """Return the counts of each process from the agent's output."""
    found = {}
    while written:
        line, _, rest = written.partition(b"\n")
        pid, size = map(int, line.split())
        found[pid] = parse_dump(rest[:size].decode(errors="replace"))
        written = rest[size:]
    return found


def _pid_inside(pid: int) -> int:
    """Return the id that a process has in its own namespace: in its container."""
    try:
        found = re.search(r"^NSpid:.*\s(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return pid
    return int(found[1]) if found else pid
