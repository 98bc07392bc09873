"""The load generators that are compared, behind one interface.

All make a closed loop: each connection sends its next request after the response. Each is configured as its
own documentation recommends for speed.
"""

import importlib.util
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version as version_of
from pathlib import Path
from statistics import median_low
from typing import Protocol

from engine_bench.server import Page
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.load import Amount, Load

__all__ = ["GENERATORS", "Generator", "Outcome", "native_load"]

CLIENTS = Path(__file__).parent / "clients"
MARGIN_S = 60.0
"""How much longer than its load a program may run."""
INSTALL_CLIENTS = "pip install --group engine-bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one run of a generator.

    ``requests`` are the successful responses, as far as the generator checks, in ``seconds``, and ``failed``
    the others. ``busy`` is the share of a core that it used; a program that does not report it is metered
    over its whole life. ``p50_ms`` is the median latency, NaN where it is not measured.
    """

    requests: int
    seconds: float
    failed: int = 0
    busy: float = math.nan
    p50_ms: float = math.nan

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class Generator(Protocol):
    """Sends requests as fast as it can."""

    @property
    def name(self) -> str:
        """Its name in tables and on the command line."""
        ...

    @property
    def checks(self) -> str:
        """What it checks in each response, and what it keeps."""
        ...

    def missing(self) -> str:
        """Return how to install it; empty if it is installed."""
        ...

    def version(self) -> str:
        """Return the installed version."""
        ...

    def run(self, page: Page, *, seconds: int, connections: int) -> Outcome:
        """Request ``page`` on ``connections`` connections for ``seconds``.

        Raises :class:`~pytest_webbench.model.errors.LoadError` if the generator fails.
        """
        ...

    def close(self) -> None:
        """End the processes it keeps for the next run."""
        ...


# The engine of this package.


def native_load(page: Page, *, connections: int, amount: Amount) -> Load:
    """Return the load that requests ``page``, each response compared as JSON."""
    answer = Answer(rule=BodyRule.JSON, json=json.loads(page.body))
    exchange = Exchange(request=Request(path=page.path), answer=answer)
    return Load(users=connections, amount=amount, exchanges=(exchange,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The engine of this package, used as the plugin uses it."""

    name: str = "native"
    checks: str = "status and JSON of each answer; keeps each latency"
    engine: NativeEngine = field(default_factory=NativeEngine)

    def missing(self) -> str:
        """Return nothing: it is always installed."""
        return ""

    def version(self) -> str:
        """Return the version of this package."""
        return version_of("pytest-webbench")

    def run(self, page: Page, *, seconds: int, connections: int) -> Outcome:
        """Make the load in the worker process, which the first run starts."""
        load = native_load(page, connections=connections, amount=Amount(duration_s=seconds))
        result = self.engine.run(load, page.base_url)
        return Outcome(
            requests=result.ok,
            failed=sum(result.errors.values()),
            seconds=result.elapsed_s,
            busy=result.generator_cpu_s / result.elapsed_s,
            p50_ms=median_low(result.latency_ns.samples) / 1e6 if result.ok else math.nan,
        )

    def close(self) -> None:
        """End the worker process."""
        self.engine.close()


# Programs with a report on standard output.

Arguments = Callable[[Page, int, int], list[str]]
"""``arguments(page, seconds, connections)`` of a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that makes one load, prints a report, and ends."""

    name: str
    checks: str
    install: str
    version_argument: str
    arguments: Arguments
    read: Callable[[str], Outcome]

    def missing(self) -> str:
        """Return how to install it, if it is neither beside this Python nor on the PATH."""
        return "" if self._path() else self.install

    def version(self) -> str:
        """Return the first dotted number in its version output."""
        asked = [self._path(), self.version_argument]
        said = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=MARGIN_S)
        return _find(r"(\d+(?:\.\d+)+)", said.stdout)

    def run(self, page: Page, *, seconds: int, connections: int) -> Outcome:
        """Run it once, metered from start to end."""
        command = [self._path(), *self.arguments(page, seconds, connections)]
        cpu_s, begun_s = _cpu_of_children_s(), time.perf_counter()
        report = _run(self.name, command, longest_s=seconds + MARGIN_S)
        busy = (_cpu_of_children_s() - cpu_s) / (time.perf_counter() - begun_s)
        return replace(self.read(report), busy=busy)

    def close(self) -> None:
        """Do nothing: no process is left running."""

    def _path(self) -> str:
        places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        return shutil.which(self.name, path=places) or ""


def _wrk(page: Page, seconds: int, connections: int) -> list[str]:
    headers = ["-H", "User-Agent: pytest-webbench", "-H", "Accept: */*"]  # the bytes of the native engine
    return ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *headers, page.url]


def _read_wrk(report: str) -> Outcome:
    """Read ``335446 requests in 3.00s``, ``50%  228.00us``, and the lines that only failures have."""
    value, unit = _find_all(r"^\s*50%\s+([\d.]+)(us|ms|s)$", report)
    socket_errors = re.search(r"Socket errors: (.*)$", report, re.MULTILINE)
    wrong_status = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    failed = sum(map(int, re.findall(r"\d+", socket_errors[1]))) if socket_errors else 0
    wrong = int(wrong_status[1]) if wrong_status else 0
    requests = int(_find(r"(\d+) requests in ", report))
    return Outcome(
        requests=requests - wrong,
        failed=failed + wrong,
        seconds=requests / float(_find(r"Requests/sec:\s+([\d.]+)", report)),  # with more digits
        p50_ms=float(value) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit],
    )


def _h2load(page: Page, seconds: int, connections: int) -> list[str]:
    return ["--h1", f"-c{connections}", "-t1", f"-D{seconds}", page.url]


def _read_h2load(report: str) -> Outcome:
    """Read ``104765.00 req/s`` and ``314295 succeeded, 0 failed, 0 errored``."""
    succeeded, failed, errored = map(int, _find_all(r"(\d+) succeeded, (\d+) failed, (\d+) errored", report))
    done = int(_find(r"(\d+) done", report))
    rate = float(_find(r"([\d.]+) req/s,", report))
    return Outcome(requests=succeeded, failed=failed + errored, seconds=done / rate)


def _k6(page: Page, seconds: int, connections: int) -> list[str]:
    settings = {"URL": page.url, "BODY": page.body, "VUS": connections, "DURATION": f"{seconds}s"}
    environment = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    quiet = ["--quiet", "--no-thresholds", "--no-usage-report", "--log-output=none", "--address="]
    return ["run", *quiet, *environment, str(CLIENTS / "k6.js")]


def _read_k6(report: str) -> Outcome:
    data = json.loads(report)
    checked = data["metrics"]["checks"]["values"]
    return Outcome(
        requests=checked["passes"],
        failed=checked["fails"],
        seconds=data["state"]["testRunDurationMs"] / 1e3,
        p50_ms=data["metrics"]["http_req_duration"]["values"]["med"],
    )


# Python libraries, in separate scripts that meter themselves.


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """An HTTP library, used by a script in ``clients``."""

    name: str
    checks: str
    script: tuple[str, ...]

    def missing(self) -> str:
        """Return how to install all libraries, if this one is missing."""
        return "" if importlib.util.find_spec(self.name) else INSTALL_CLIENTS

    def version(self) -> str:
        """Return the version of the package."""
        return version_of(self.name)

    def run(self, page: Page, *, seconds: int, connections: int) -> Outcome:
        """Run the script once; the import of the library is not metered."""
        file, *arguments = self.script
        command = [sys.executable, "-P", str(CLIENTS / file), *arguments]
        command += [page.url, page.body, str(seconds), str(connections)]
        counted = json.loads(_run(self.name, command, longest_s=seconds + MARGIN_S))
        busy = counted.pop("cpu_s") / counted["seconds"]
        return Outcome(**counted, busy=busy)

    def close(self) -> None:
        """Do nothing: no process is left running."""


# Common parts.


def _run(name: str, command: list[str], *, longest_s: float) -> str:
    """Return the output of ``command``; it is killed if this is left by an exception, including Ctrl-C."""
    try:
        # Its own session, as the native worker has: Linux divides a core between sessions first.
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=longest_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        raise LoadError(f"{name} did not end within {longest_s:g} s.") from None
    if done.returncode:
        evidence = (done.stderr or done.stdout).strip()[-2000:]
        raise LoadError(f"{name} failed with code {done.returncode}.", evidence=evidence)
    return done.stdout


def _cpu_of_children_s() -> float:
    """Return the CPU time of all ended children of this process, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _find_all(pattern: str, report: str) -> tuple[str, ...]:
    """Return the groups of the first match of ``pattern``."""
    found = re.search(pattern, report, re.MULTILINE)
    if found is None:
        raise LoadError(f"A report has nothing like {pattern!r}.", evidence=report.strip())
    return found.groups()


def _find(pattern: str, report: str) -> str:
    """Return the only group of the first match of ``pattern``."""
    (group,) = _find_all(pattern, report)
    return group


_GENERATORS: tuple[Generator, ...] = (
    Native(),
    Program(
        name="wrk",
        checks="class of the status; keeps a histogram",
        install="apt-get install wrk",
        version_argument="-v",
        arguments=_wrk,
        read=_read_wrk,
    ),
    Program(
        name="h2load",
        checks="class of the status; keeps latencies",
        install="apt-get install nghttp2-client",
        version_argument="--version",
        arguments=_h2load,
        read=_read_h2load,
    ),
    Program(
        name="k6",
        checks="status and body of each answer; keeps each latency",
        install=INSTALL_CLIENTS,
        version_argument="version",
        arguments=_k6,
        read=_read_k6,
    ),
    Library(
        name="locust",
        checks="status and body of each answer; keeps a histogram",
        script=("locust_users.py",),
    ),
    Library(
        name="aiohttp",
        checks="status and body of each answer",
        script=("asyncio_tasks.py", "aiohttp"),
    ),
    Library(
        name="httpx",
        checks="status and body of each answer",
        script=("asyncio_tasks.py", "httpx"),
    ),
)
GENERATORS = {generator.name: generator for generator in _GENERATORS}
"""All generators, by name."""
