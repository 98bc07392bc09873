"""Sampling with `py-spy <https://github.com/benfred/py-spy>`_, which samples a process from outside."""

import os
import re
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pytest_webbench.host.closing import close_despite_interrupt
from pytest_webbench.host.leftovers import owned_folder
from pytest_webbench.host.supervised import Supervised
from pytest_webbench.model.errors import ProfilerError, UsageError

__all__ = ["PySpyProfiler", "tidy_stacks"]

RATE_HZ = 100
"""Each sample stops a process: for a millisecond, or for several with machine code."""
BEGIN_TIMEOUT_S = 30.0
"""How long py-spy may take to start; it reads the symbols of all loaded libraries."""
END_TIMEOUT_S = 30.0
BEGUN = "Sampling process"
LOG_LINES = 8
NICENESS = -10
_HINT = 'install it with: pip install "pytest-webbench[explain]"'
_ROOT_NEEDED = (
    "py-spy has to read another process's memory: run pytest as root, or allow it to yourself with "
    "sysctl kernel.yama.ptrace_scope=0 (processes of your own user only)"
)

_INSTALLED = re.compile(r"^/.*/(?:site|dist)-packages/")
_STANDARD = re.compile(r"^(?:/.*)?/(?=python3\.\d+t?/)")
_SOURCE = re.compile(r"\.(?:[chC]|cc|cpp|hpp|pyx|rs)$")
_PYTHON = re.compile(r"(?:\.py|>)(?::\d+)?\)$")
_ADDRESS = re.compile(r"^0x[0-9a-f]+$")
_FRAME = re.compile(r"^(?P<name>.*) \((?P<file>.*?)(?P<line>:\d+)?\)$")


class PySpyProfiler:
    """Runs ``py-spy record`` beside the server, for all of its processes.

    ``binary`` is by default the ``py-spy`` beside the running Python, where
    ``pip install "pytest-webbench[explain]"`` puts it, else the one on the ``PATH``. Raises
    :class:`~pytest_webbench.model.errors.UsageError` if there is none.
    """

    def __init__(self, *, binary: Path | None = None, rate_hz: int = RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self._binary = binary or _find()

    @contextmanager
    def record(self, pid: int, *, deep: bool = False) -> Iterator["PySpyRecording"]:
        """Sample ``pid`` and its descendants until the context is left."""
        with owned_folder() as claim:
            recording = PySpyRecording()
            application = _working_folder(pid)
            said = _Said(pid)
            output = claim.folder / "stacks"
            with output.open("wb") as file:
                process, words = self._spawn(pid, file.fileno(), deep=deep)
                try:
                    said.listen_to(words)
                    said.wait_until_begun()
                    yield recording
                    said.have_end(process)
                finally:
                    close_despite_interrupt(process.close)
                    said.join()
                    words.close()
            recording.stacks = tidy_stacks(_read(output), application)

    def _spawn(self, pid: int, output: int, *, deep: bool) -> tuple[Supervised, IO[str]]:
        """Start py-spy; return the process and its output."""
        options = ["--subprocesses", "--rate", str(self.rate_hz), "--format", "raw", "--full-filenames"]
        options += ["--output", f"/dev/fd/{output}", *(("--native",) if deep else ())]
        ours, theirs = os.pipe()
        words = os.fdopen(ours, errors="replace")
        try:
            with self._binary.open("rb") as binary, Path(os.devnull).open("wb") as log:
                begin = [str(self._binary), "record", "--pid", str(pid)]
                if deep and not _shares_files(pid):
                    begin = [*_within(pid), f"/dev/fd/{binary.fileno()}", "record", "--pid", _pid_within(pid)]
                process = Supervised(  # in its own session: Ctrl-C goes to us, and we end it
                    [*begin, *options],
                    folder=Path.cwd(),
                    environment={**os.environ, "RUST_BACKTRACE": "0"},
                    log=log,
                    stdout=theirs,
                    stderr=theirs,
                    descriptors=(output, binary.fileno()),
                )
        except OSError as error:
            words.close()
            raise ProfilerError(f"py-spy cannot be started: {error.strerror}", hint=_HINT) from None
        except BaseException:
            words.close()
            raise
        finally:
            os.close(theirs)
        with suppress(OSError):  # before the server and the load, or it misses samples
            os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
        return process, words


def _shares_files(pid: int) -> bool:
    """Return whether the process ``pid`` shares our file system; if not, it is in a container."""
    try:
        return Path(f"/proc/{pid}/ns/mnt").readlink() == Path("/proc/self/ns/mnt").readlink()
    except OSError:
        return True


def _within(pid: int) -> list[str]:
    """Return the prefix that runs a command in the namespaces of ``pid`` (nsenter(1)).

    To read machine code, py-spy opens libraries by the paths that the process uses.
    """
    return ["nsenter", "--target", str(pid), "--mount", "--pid"]


def _pid_within(pid: int) -> str:
    """Return the id by which the process ``pid`` knows itself."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("NSpid:"))
    return line.split()[-1]


@dataclass(kw_only=True)
class PySpyRecording:
    """The samples of py-spy, once it has exited."""

    stacks: Mapping[str, int] = field(default_factory=dict)


class _Said:
    """The output of a running py-spy, read by a thread, because a full pipe would block it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._lines: list[str] = []
        self._begun_or_ended = threading.Event()
        self._reader: threading.Thread | None = None

    def listen_to(self, words: IO[str]) -> None:
        """Start reading its output."""
        self._reader = threading.Thread(target=self._read, args=(words,), daemon=True)
        self._reader.start()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self._lines.append(line.strip())
            if BEGUN in line:
                self._begun_or_ended.set()
        self._begun_or_ended.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until its whole output has been read; return whether it has exited."""
        if self._reader is None:  # an interrupt came before
            return True
        self._reader.join(timeout_s)
        return not self._reader.is_alive()

    def wait_until_begun(self) -> None:
        """Wait until the first sample is about to be taken; raises :class:`ProfilerError`."""
        in_time = self._begun_or_ended.wait(BEGIN_TIMEOUT_S)
        if not any(BEGUN in line for line in self._lines):
            raise self._error("cannot look at" if in_time else "takes too long to look at")

    def have_end(self, process: Supervised) -> None:
        """Have ``process`` write its samples, and wait for that; raises :class:`ProfilerError`."""
        process.send_signal(signal.SIGINT)  # also to its children: nsenter does not forward signals
        if not self.join(END_TIMEOUT_S):
            raise self._error("does not end looking at")
        if process.wait(END_TIMEOUT_S) not in (0, -signal.SIGINT):  # nsenter is ended by the signal
            raise self._error("failed to look at")

    def _error(self, what: str) -> ProfilerError:
        evidence = "\n".join([line for line in self._lines if line][-LOG_LINES:])
        refused = any(word in evidence.lower() for word in ("permission", "permitted"))
        return ProfilerError(
            f"py-spy {what} the server's process {self._pid}",
            evidence=evidence,
            hint=_ROOT_NEEDED if refused else "",
        )


def _find() -> Path:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise UsageError(
            "--webbench-explain needs py-spy, which is neither beside this Python nor on the PATH", hint=_HINT
        )
    return Path(found)


def _working_folder(pid: int) -> str:
    """Return the working folder of the process, as it sees it itself: that of the application."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return ""


def _read(output: Path) -> Counter[str]:
    """Return the stacks that py-spy wrote; each line has a stack and its number of samples."""
    stacks: Counter[str] = Counter()
    for line in output.read_text(errors="replace").splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            stacks[stack] += int(count)
    return stacks


def tidy_stacks(stacks: Mapping[str, int], application: str) -> dict[str, int]:
    """Return ``stacks`` with short files, by which :mod:`pytest_webbench.analysis.hot_spots` knows the parts.

    Installed files lose the path to them, the standard library keeps ``python3.13/``, and files below the
    folder of the ``application`` begin with ``./``. Machine code keeps the end of its path but no line and,
    where it has no symbol, no address; calls of it that then look the same are merged. Frames of
    processes, which py-spy puts before the calls, are left out.
    """
    known: dict[str, str] = {}
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        frames = [frame for frame in stack.split(";") if not frame.startswith("process ")]
        for frame in frames:
            if frame not in known:
                known[frame] = _tidy(frame, application)
        short = [known[frame] for frame in frames]
        kept = [each for each, caller in zip(short, ["", *short], strict=False) if _is_new(each, caller)]
        found[";".join(kept)] += count
    return dict(found)


def _is_new(frame: str, caller: str) -> bool:
    return frame != caller or _PYTHON.search(frame) is not None


def _tidy(frame: str, application: str) -> str:
    match = _FRAME.match(frame)
    if match is None:
        return frame
    name, file = match["name"], _tidy_file(match["file"], application)
    tidy = f"{name} ({file}{match['line'] or ''})"
    return tidy if _PYTHON.search(tidy) else f"{_ADDRESS.sub('?', name)} ({file})"


def _tidy_file(file: str, application: str) -> str:
    folder = f"{application.rstrip('/')}/"
    if application and file.startswith(folder) and not _INSTALLED.search(file[len(folder) - 1 :]):
        return f"./{file[len(folder) :]}"
    if _INSTALLED.match(file):
        return _INSTALLED.sub("", file)
    if file.endswith(".py"):
        return _STANDARD.sub("", file)
    kept = 2 if _SOURCE.search(file) else 1  # a source of machine code, or the library or program itself
    return "/".join(file.split("/")[-kept:])
