"""Counts the instructions that a server executes in user space, under Valgrind's callgrind.

Each process of the server is run by Valgrind, which counts between :meth:`CallgrindMeter.begin` and
:meth:`CallgrindMeter.end` alone. It runs one thread at a time and 30 to 50 times as slowly, so that nothing
of such a launch is timed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from pytest_webbench.analysis.instructions import InstructionCounts, add_counts, by_function, parse_dump
from pytest_webbench.model.errors import SeedError, StackError
from pytest_webbench.model.growth import InstructionsByFunction
from pytest_webbench.model.measurement import Combine, Readings
from pytest_webbench.model.stack import Meter, RunningStack

__all__ = ["STEADY", "CallgrindMeter", "parse_dumps"]

AGENT = Path(__file__).with_name("callgrind_agent.py")
_TUNABLES = {
    # The string functions of any x86-64: others are chosen by the processor, and count otherwise.
    "glibc.cpu.hwcaps": (
        "-AVX,-AVX2,-AVX2_Usable,-AVX_Fast_Unaligned_Load,-BMI2,-ERMS,-FSRM,-SSE4_1,-SSE4_2,-SSSE3"
    ),
    # How memory is copied depends on the sizes of caches, unless they are given.
    "glibc.cpu.x86_data_cache_size": "32768",
    "glibc.cpu.x86_shared_cache_size": "1048576",
    "glibc.cpu.x86_non_temporal_threshold": "786432",
    # Which thread gets an arena of its own is chance; thresholds that are not given follow what is freed.
    "glibc.malloc.arena_max": "1",
    "glibc.malloc.mmap_threshold": "131072",
    "glibc.malloc.trim_threshold": "134217728",
}
STEADY: Mapping[str, str] = {
    "PYTHONHASHSEED": "0",
    "GLIBC_TUNABLES": ":".join(f"{name}={value}" for name, value in _TUNABLES.items()),
}
"""The environment variables that hold still what may be held still."""


class CallgrindMeter(Meter):
    """Reads ``instructions`` and ``syscalls``, both of user space and of all processes of the server."""

    readings: Mapping[str, Combine] = {"instructions": Combine.SUM, "syscalls": Combine.SUM}

    def __init__(self) -> None:
        self._server: RunningStack | None = None
        self._agent = ""
        self.counts = InstructionCounts()
        """What was counted last, by function."""

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        """``command`` under callgrind, which counts nothing yet."""
        return (
            "env",
            *(f"{name}={value}" for name, value in STEADY.items()),
            "valgrind",
            "--tool=callgrind",
            "--trace-children=yes",  # else vgdb does not reach the workers
            "--instr-atstart=no",
            "--collect-systime=nsec",  # with it, system calls are counted
            "--callgrind-out-file={data_dir}/callgrind.%p",
            "--vgdb-prefix={data_dir}/vgdb",
            "--log-file={data_dir}/valgrind.%p",
            *command,
        )

    def attach(self, server: RunningStack) -> None:
        """Put what speaks to callgrind beside the server."""
        self._server = server
        self._agent = server.put_file(AGENT.name, AGENT.read_bytes())

    def begin(self) -> None:
        """Count from zero; takes some tenths of a second for each process."""
        self._tell("begin")

    def end(self) -> Readings:
        """Stop counting. Raises :class:`~pytest_webbench.model.errors.StackError` if nothing was counted."""
        dumps = parse_dumps(self._tell("end"))
        if not dumps:
            raise StackError(
                "nothing was counted: no process of the server runs under Valgrind",
                hint="have the stack's command start its server itself, not by a service that runs already",
            )
        self.counts = add_counts(dumps.values())
        return Readings(instructions=self.counts.instructions, syscalls=self.counts.syscalls)

    def instructions(self) -> InstructionsByFunction:
        """What was counted last, by function."""
        return by_function(self.counts)

    def _tell(self, order: str) -> bytes:
        assert self._server is not None
        try:
            return self._server.execute([self._agent, order, str(PurePath(self._agent).parent)])
        except SeedError as error:
            raise StackError(
                f"{self._server.stack.name} was not counted: {error.message}",
                evidence=error.evidence,
                hint="see the end of its log, and whether vgdb (of the package valgrind) is there",
            ) from None


def parse_dumps(written: bytes) -> dict[int, InstructionCounts]:
    """What the agent wrote: the counts of each process."""
    found = {}
    while written:
        line, _, rest = written.partition(b"\n")
        pid, size = map(int, line.split())
        found[pid] = parse_dump(rest[:size].decode(errors="replace"))
        written = rest[size:]
    return found
