"""Stacks as local processes, each in its own environment."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_webbench.host.closing import close_despite_interrupt
from pytest_webbench.host.connections import held_connections
from pytest_webbench.host.leftovers import owned_folder
from pytest_webbench.host.meters.process_tree import ancestors, process_tree
from pytest_webbench.host.supervised import Supervised
from pytest_webbench.model.errors import InstallError, SeedError, StartError
from pytest_webbench.model.load import Held
from pytest_webbench.model.measurement import UNKNOWN, LaunchRecord
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.commands import Commands, run_preparation
from pytest_webbench.stacks.environment import asks_for, ensure_environment, fill_in, installed_versions
from pytest_webbench.stacks.readiness import (
    PORT_ATTEMPTS,
    OwnPort,
    PortTakenError,
    wait_until_ready,
)
from pytest_webbench.stacks.sources.own_copy import LoadedFiles

__all__ = ["ProcessLauncher"]

HOST = "127.0.0.1"
ALLOWED_ENVIRONMENT = ("LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ")
"""The environment variables that a stack inherits.

There are no credentials among them, and no settings that would change its speed.
"""
EXECUTE_TIMEOUT_S = 60.0
LOG_LINES = 15


class ProcessLauncher:
    """Starts each stack on a port that the kernel picks, bound to 127.0.0.1.

    A command with ``{bind}`` or ``{fd}`` gets a socket that is already bound, so that no other
    process can take the port; one with only ``{port}`` gets the number of a port that was free a moment
    before, and another one if another process took it. A stack is the leader of its own session, and is
    asked to end when we are killed.
    """

    name = "process"
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        cache: Path,
        logs: Path,
        python: str | None = None,
        workers: int = 2,
        threads: int = 2,
        start_timeout_s: float = 30.0,
        grace_s: float = 2.0,
        reason: str = "",
    ) -> None:
        """Create a launcher; ``grace_s`` is how long a stack may take to end before it is killed."""
        self.about = f"local processes ({reason})" if reason else "local processes"
        self._interpreter = python
        self._cache = cache
        self._logs = logs
        self._workers = workers
        self._threads = threads
        self._start_timeout_s = start_timeout_s
        self._grace_s = grace_s
        self._pythons: dict[tuple[Path, str | None], Path] = {}
        self._versions: dict[Path, Mapping[str, str]] = {}
        self._launches = 0

    def prepare(self, stack: Stack) -> None:
        """Create the environment of ``stack`` if necessary."""
        if not stack.folder.is_dir():
            raise InstallError(f"the folder of {stack.name} is not there: {stack.folder}")
        python = ensure_environment(stack, self._cache, self._interpreter)
        self._pythons[stack.folder, stack.lock] = python
        if python not in self._versions:
            self._versions[python] = installed_versions(python)

    @contextmanager
    def start(self, stack: Stack) -> Iterator["RunningProcess"]:
        """Prepare and launch ``stack``, wait until it is ready; end it when the context is left."""
        if (stack.folder, stack.lock) not in self._pythons:
            self.prepare(stack)
        for attempt in range(PORT_ATTEMPTS):
            with ExitStack() as up:
                try:
                    running = up.enter_context(self._start_once(stack))
                except PortTakenError:
                    if attempt + 1 == PORT_ATTEMPTS:
                        raise
                else:
                    yield running
                    return

    @contextmanager
    def _start_once(self, stack: Stack) -> Iterator["RunningProcess"]:
        python = self._pythons[stack.folder, stack.lock]
        self._launches += 1
        self._logs.mkdir(parents=True, exist_ok=True)
        while (log := self._logs / f"{stack.name}-{self._launches}.log").exists():
            self._launches += 1  # a fork of this process has launched it, too
        with owned_folder() as claim:
            data_dir = claim.folder / "data"
            data_dir.mkdir()
            loaded = LoadedFiles(stack.name, stack.own_copy, claim.folder) if stack.own_copy else None
            with _listening_socket() as listener:
                port = listener.getsockname()[1]
                fill = self._placeholders(listener, python=python, data_dir=data_dir)
                environment = _environment(stack, fill, python=python, home=claim.folder)
                if loaded is not None:
                    loaded.prepare(environment)
                run_preparation(
                    stack,
                    fill,
                    environment,
                    log=log.with_name(f"{log.stem}-prepare.log"),
                    claim=claim,
                    timeout_s=self._start_timeout_s,
                )
                process = _spawn(stack, fill, environment, log=log, listener=listener, home=claim.folder)
            with _ended_at_last(process, self._grace_s), Commands(python, data_dir, environment) as commands:
                claim.add(process.pid)
                running = RunningProcess(
                    stack=stack,
                    base_url=f"http://{HOST}:{port}",
                    process=process,
                    commands=commands,
                    data_dir=data_dir,
                    log=log,
                    own_port=OwnPort(stack=stack.name, pid=process.pid, port=port, home=claim.folder),
                    loaded=loaded,
                    record=LaunchRecord(
                        launcher=self.name,
                        startup_s=None,  # until it is ready
                        versions=self._versions[python],
                        packages=stack.packages,
                        config=self._config(stack),
                    ),
                )
                ready = wait_until_ready(running, timeout_s=self._start_timeout_s, port=running.own_port)
                running.record = replace(running.record, startup_s=ready - process.begun)
                yield running

    def _placeholders(self, listener: socket.socket, *, python: Path, data_dir: Path) -> dict[str, str]:
        return {
            "python": str(python),
            "bind": f"fd://{listener.fileno()}",
            "fd": str(listener.fileno()),
            "host": HOST,
            "port": str(listener.getsockname()[1]),
            "workers": str(self._workers),
            "threads": str(self._threads),
            "data_dir": str(data_dir),
        }

    def _config(self, stack: Stack) -> dict[str, str | int]:
        return {
            "workers": UNKNOWN,  # until its processes are inspected
            "threads": self._threads if asks_for(stack, "threads") else UNKNOWN,
            "command": " ".join(stack.command),
            "network": f"loopback ({HOST}), no proxy",
            **stack.settings,
        }


@dataclass(kw_only=True)
class RunningProcess:
    """A stack that runs as a local process; see :class:`~pytest_webbench.model.stack.RunningStack`."""

    stack: Stack
    base_url: str
    process: Supervised
    commands: Commands
    data_dir: Path
    log: Path
    own_port: OwnPort
    record: LaunchRecord
    loaded: LoadedFiles | None = None
    accounts: None = None
    answers: bool = True
    reachable_inside: bool = True
    _held: Held | None = field(default=None)

    @property
    def launch(self) -> LaunchRecord:
        """The record of the launch, with the number of workers that accept connections."""
        held = self.connections() or self._held
        if held is None or "workers" not in self.record.config:
            return self.record
        seen = held if held.by_port or self._held is None else self._held
        return replace(self.record, config={**self.record.config, "workers": len(seen.processes)})

    def verify(self) -> None:
        """Check which process listens, and which files of the repository were loaded."""
        self.own_port.refuse_others()
        if self.loaded is None:
            return
        held, tree = self.connections(), process_tree(self.process.pid)
        serving = {each: tuple(ancestors(each, tree)) for each in (held.processes if held else ())}
        note = self.loaded.verify(serving)
        self.record = replace(self.record, notes=(note,) if note else ())

    @property
    def server_pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def connections(self) -> Held | None:
        """Return the connections of the process and its descendants."""
        held = held_connections(self.process.pid, self.own_port.port)
        if held is not None and held.by_port:
            self._held = held
        return held

    def put_file(self, name: str, content: bytes) -> str:
        """Write ``content`` to the data folder."""
        path = self.data_dir / name
        path.write_bytes(content)
        return str(path)

    def execute(self, arguments: Sequence[str]) -> bytes:
        """Run the stack's Python, isolated from the user's site and environment."""
        words = [word.replace("{data_dir}", str(self.data_dir)) for word in arguments]
        try:
            done = self.commands.run(words, timeout_s=EXECUTE_TIMEOUT_S)
        except OSError as error:
            raise SeedError(f"a command beside {self.stack.name} cannot be run: {error}") from None
        except subprocess.TimeoutExpired:
            raise SeedError(
                f"a command beside {self.stack.name} did not end within {EXECUTE_TIMEOUT_S:g} s"
            ) from None
        if done.returncode:
            raise SeedError(
                f"a command beside {self.stack.name} failed with code {done.returncode}",
                evidence="\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-8:]),
            )
        return done.stdout

    def log_tail(self) -> str:
        """Return the last lines of standard output and error of the server."""
        return _tail(self.log)

    def ended(self) -> str | None:
        """Return how the process ended, or ``None``."""
        code = self.process.poll()
        if code is None:
            return None
        if code < 0:
            return f"it was ended by signal {signal.Signals(-code).name}"
        return f"it exited with code {code}"


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").rstrip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LOG_LINES:])


def _listening_socket() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, 0))
    return listener


def _environment(stack: Stack, fill: Mapping[str, str], *, python: Path, home: Path) -> dict[str, str]:
    environment = {name: os.environ[name] for name in ALLOWED_ENVIRONMENT if name in os.environ}
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["HOME"] = str(home)
    # The application's folder may be shared or read-only, so nothing is written to it.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["PYTHONUNBUFFERED"] = "1"
    environment.update({name: fill_in(value, fill) for name, value in stack.env})
    return environment


def _spawn(
    stack: Stack,
    fill: Mapping[str, str],
    environment: Mapping[str, str],
    *,
    log: Path,
    listener: socket.socket,
    home: Path,
) -> Supervised:
    """Start the command of ``stack``, which inherits the socket or may take its port."""
    command = [fill_in(word, fill) for word in stack.command]
    descriptors = [listener.fileno()]
    if not any("{bind}" in word or "{fd}" in word for word in stack.command):
        listener.close()
        descriptors = []
    try:
        with log.open("wb") as output:
            return Supervised(
                command,
                folder=stack.folder,
                environment=environment,
                log=output,
                descriptors=descriptors,
                remove=home,
            )
    except OSError as error:
        raise StartError(
            f"{stack.name} cannot be started: {command[0]}: {error.strerror}",
            hint="is the first word of its command in its environment?",
        ) from None


@contextmanager
def _ended_at_last(process: Supervised, grace_s: float) -> Iterator[None]:
    """Ask the server to end when all went well; one that failed, or is interrupted, is killed at once."""
    try:
        yield
        process.end(grace_s)
    finally:
        close_despite_interrupt(process.close)
