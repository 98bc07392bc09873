"""Stacks in containers, launched through testcontainers."""

import io
import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pytest_webbench.host.closing import close_despite_interrupt
from pytest_webbench.host.connections import held_connections
from pytest_webbench.model.errors import SeedError, StartError
from pytest_webbench.model.load import Held
from pytest_webbench.model.measurement import UNKNOWN, LaunchRecord
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.stack import Accounts, Stack
from pytest_webbench.stacks.docker.engine import (
    CALL_TIMEOUT_S,
    ENGINE_FAULTS,
    Engine,
    bound_calls,
    brought_to_its_end,
    said,
    within,
)
from pytest_webbench.stacks.docker.image import Image, ensure_image
from pytest_webbench.stacks.docker.labels import Labels, others_at_work, remove_launch, sweep
from pytest_webbench.stacks.docker.preparation import keep_log, prepare_in_containers
from pytest_webbench.stacks.environment import LIST_VERSIONS, asks_for, fill_in, parse_versions
from pytest_webbench.stacks.readiness import (
    PORT_ATTEMPTS,
    OwnPort,
    PortTakenError,
    wait_until_ready,
)

if TYPE_CHECKING:
    from docker.models.containers import Container

__all__ = ["ContainerLauncher", "Limits"]

PYTHON = "/opt/stack/bin/python"
DATA_DIR = "/data"
USER_ID = 10001
PUBLISHED_PORT = 8000
PIDS_LIMIT = 512
LOG_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The resource limits of a container; ``None`` means no limit."""

    cpus: float | None = None
    memory_bytes: int | None = None


class ContainerLauncher:
    """Starts each stack in its own container, hardened and without a proxy in the path.

    On an engine that shares our network the container is on the host's network, and the server bound
    only to 127.0.0.1; elsewhere its port is published. The root is read-only, except for a tmpfs at
    ``/tmp`` and a volume at ``/data``; there are no capabilities and no new privileges. Each command that
    prepares a stack runs in its own container, with the same image and volume, so that
    the server's control group contains only the server.
    """

    name = "container"

    def __init__(
        self,
        engine: Engine,
        *,
        dockerfile: Path,
        base_image: str,
        logs: Path,
        packages: Sequence[str] = (),
        limits: Limits | None = None,
        workers: int = 2,
        threads: int = 2,
        start_timeout_s: float = 30.0,
    ) -> None:
        self._engine = engine
        self._dockerfile = dockerfile
        self._base_image = base_image
        self._logs = logs
        self._packages = tuple(packages)
        self._limits = limits or Limits()
        self._workers = workers
        self._threads = threads
        self._start_timeout_s = start_timeout_s
        self._labels = Labels()
        self._images: dict[tuple[str, Path, str | None], Image] = {}
        self._versions: dict[str, Mapping[str, str]] = {}
        self._host_network = engine.shares_network
        network = "host network" if engine.shares_network else "published ports"
        self.notes = (*_swept(engine), *_neighbours(engine))
        self.about = f"containers ({engine.name}, {network})"

    def reconnect(self) -> None:
        """Reconnect to the engine: in a fork, where the connections belong to another process."""
        self._engine.close()

    def prepare(self, stack: Stack) -> None:
        """Build the image of ``stack`` if there is none with its content."""
        self._images[_key(stack)] = ensure_image(
            self._engine,
            stack,
            dockerfile=self._dockerfile,
            base_image=self._base_image,
            packages=self._packages,
            logs=self._logs,
        )

    @contextmanager
    def start(self, stack: Stack) -> Iterator["RunningContainer"]:
        """Prepare and launch ``stack``, wait until it is ready; remove it when the context is left."""
        if _key(stack) not in self._images:
            self.prepare(stack)
        launch = uuid4().hex[:12]
        try:
            running = self._start_on_free_port(stack, launch)
            yield running
            running.keep_log(self._logs)
        finally:
            close_despite_interrupt(lambda: self._remove(launch))

    def _remove(self, launch: str) -> None:
        with suppress(*ENGINE_FAULTS()):
            remove_launch(self._engine, launch)

    def _start_on_free_port(self, stack: Stack, launch: str) -> "RunningContainer":
        """Start the container; retry on another port if another process takes the chosen one first."""
        for attempt in range(PORT_ATTEMPTS):
            running = self._start_once(stack, launch)
            try:
                ready = running.become_ready(timeout_s=self._start_timeout_s)
            except StartError as error:
                running.keep_log(self._logs)
                taken = isinstance(error, PortTakenError) or "in use" in running.log_tail().lower()
                remove_launch(self._engine, launch)
                if not (taken and self._host_network and attempt + 1 < PORT_ATTEMPTS):
                    raise
            else:
                running.record = self._record(stack, running, ready - running.begun)
                return running
        raise AssertionError("the last attempt returns or raises")

    def _start_once(self, stack: Stack, launch: str) -> "RunningContainer":
        image = self._images[_key(stack)]
        port = _free_port() if self._host_network else PUBLISHED_PORT
        bind_host = "127.0.0.1" if self._host_network else "0.0.0.0"  # noqa: S104
        fill = {
            "python": PYTHON,
            "bind": f"{bind_host}:{port}",
            "host": bind_host,
            "port": str(port),
            "workers": str(self._workers),
            "threads": str(self._threads),
            "data_dir": DATA_DIR,
        }

        def run(
            command: Sequence[str], data_of: "Container | None", published: int | None = None
        ) -> "Container":
            return self._run(stack, image, launch, fill, command=command, data_of=data_of, port=published)

        try:
            last = prepare_in_containers(stack, run, logs=self._logs, timeout_s=self._start_timeout_s)
            begun = time.monotonic()
            container = run(stack.command, last, None if self._host_network else port)
            if not self._host_network:
                port = _published_port(container)
        except ENGINE_FAULTS() as error:
            raise StartError(
                f"the container of {stack.name} cannot be started: {said(error)}",
                hint="see the engine's own log",
            ) from None
        host = "127.0.0.1" if self._host_network else self._engine.host
        return RunningContainer(
            stack=stack,
            base_url=f"http://{host}:{port}",
            container=container,
            begun=begun,
            port_inside=int(fill["port"]),
            host_network=self._host_network,
            record=LaunchRecord(launcher=self.name, startup_s=None),
        )

    def _run(
        self,
        stack: Stack,
        image: Image,
        launch: str,
        fill: Mapping[str, str],
        *,
        command: Sequence[str],
        data_of: "Container | None",
        port: int | None,
    ) -> "Container":
        """Start a container for ``command``, with the data of another one and with ``port`` published."""
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415

        options: dict[str, Any] = {
            "labels": self._labels.for_launch(launch),
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": PIDS_LIMIT,
        }
        if self._limits.cpus is not None:
            options["nano_cpus"] = int(self._limits.cpus * 1e9)
        if self._limits.memory_bytes is not None:
            options["mem_limit"] = options["memswap_limit"] = self._limits.memory_bytes
        if self._host_network:
            options["network_mode"] = "host"
        if data_of is not None:
            options["volumes_from"] = [data_of.id]
        made = DockerContainer(image.tag, docker_client_kw={"timeout": 120})
        bound_calls(made.get_docker_client().client)
        made.with_command([fill_in(word, fill) for word in command])
        made.with_envs(**{name: fill_in(value, fill) for name, value in stack.env})
        made.with_tmpfs_mount("/tmp")  # noqa: S108
        made.with_kwargs(**options)
        if port is not None:
            # testcontainers has no method for the address, only its dictionary.
            ports: dict[str, Any] = made.ports
            ports[f"{port}/tcp"] = None if self._engine.bind is None else (self._engine.bind, None)
        # Our labels and sweeps replace the reaper, without another container that runs beside.
        reaper_was_off = testcontainers_config.ryuk_disabled
        testcontainers_config.ryuk_disabled = True
        try:
            brought_to_its_end(made.start)
        finally:
            testcontainers_config.ryuk_disabled = reaper_was_off
        return made.get_wrapped_container()

    def _record(self, stack: Stack, running: "RunningContainer", startup_s: float) -> LaunchRecord:
        image = self._images[_key(stack)]
        if image.tag not in self._versions:
            self._versions[image.tag] = parse_versions(running.execute(["-c", LIST_VERSIONS]))
        limits = self._limits
        return LaunchRecord(
            launcher=self.name,
            startup_s=startup_s,
            versions=self._versions[image.tag],
            packages=stack.packages,
            config={
                "workers": UNKNOWN,  # until its processes are inspected
                "threads": self._threads if asks_for(stack, "threads") else UNKNOWN,
                "command": " ".join(stack.command),
                "network": "the host's, bound to 127.0.0.1, no proxy"
                if self._host_network
                else f"published port on {self._engine.host}, through the engine's proxy",
                "engine": self._engine.name,
                "base_image": self._base_image,
                "image_bytes": image.size_bytes,
                "cpus": "all" if limits.cpus is None else f"{limits.cpus:g}",
                "memory": "all" if limits.memory_bytes is None else f"{limits.memory_bytes >> 20} MiB",
                **stack.settings,
            },
        )


@dataclass(kw_only=True)
class RunningContainer:
    """A stack that runs in a container; see :class:`~pytest_webbench.model.stack.RunningStack`."""

    stack: Stack
    base_url: str
    container: "Container"
    begun: float
    port_inside: int
    host_network: bool
    record: LaunchRecord
    answers: bool = True
    reachable_inside: bool = True
    _pid: int | None = field(default=None)
    _held: Held | None = field(default=None)

    @property
    def launch(self) -> LaunchRecord:
        """The record of the launch, with the number of workers that accept connections, if known."""
        if "workers" not in self.record.config or self.server_pid is None:
            return self.record
        held = self._held or held_connections(self._first_pid(), self.port_inside)
        if held is None:
            return self.record
        return replace(self.record, config={**self.record.config, "workers": len(held.processes)})

    def become_ready(self, *, timeout_s: float) -> float:
        """Wait until it is ready.

        Returns when the first successful response came, by :func:`time.monotonic`.
        """
        return wait_until_ready(self, timeout_s=timeout_s, port=self._own_port())

    def verify(self) -> None:
        """Check which process listens. Its code is in its image: only a side's own folder, and its lock."""
        if port := self._own_port():
            port.refuse_others()

    def _own_port(self) -> OwnPort | None:
        if not self.host_network:
            return None
        return OwnPort(stack=self.stack.name, pid=self._first_pid(), port=self.port_inside)

    @property
    def accounts(self) -> Accounts:
        """A reader of the accounts of the container's control group, inside the container."""
        return self._read_inside

    @property
    def server_pid(self) -> int | None:
        """The id of the container's first process, if the container is on this machine."""
        pid = self._first_pid()
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return None
        return pid if self.container.id and self.container.id in groups else None

    def connections(self) -> Held | None:
        """Return the container's connections, if its processes are on this machine and without a proxy."""
        held = held_connections(self._first_pid(), int(self.base_url.rpartition(":")[2]))
        if held is not None and held.by_port:
            self._held = held
        return held

    def _first_pid(self) -> int:
        """Return the id of the first process on the engine's machine; 0 if it is gone."""
        if self._pid is None:
            try:
                self.container.reload()
            except ENGINE_FAULTS():  # it is gone, which ended() will report
                return 0
            self._pid = int(self.container.attrs["State"]["Pid"])
        return self._pid

    def _read_inside(self, name: str) -> str | None:
        controller = name.split(".", maxsplit=1)[0]
        paths = [f"/sys/fs/cgroup/{name}", f"/sys/fs/cgroup/{controller}/{name}"]
        output, _ = self._ask(lambda: self.container.exec_run(["cat", *paths], demux=True)).output
        return output.decode().strip() if output else None

    def put_file(self, name: str, content: bytes) -> str:
        """Write ``content`` to the data volume, through the engine."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o644, USER_ID, USER_ID
            tar.addfile(entry, io.BytesIO(content))
        self._ask(lambda: self.container.put_archive(DATA_DIR, archive.getvalue()))
        return f"{DATA_DIR}/{name}"

    def execute(self, arguments: Sequence[str]) -> bytes:
        """Run the stack's Python inside the container."""
        words = [word.replace("{data_dir}", DATA_DIR) for word in arguments]
        code, (output, errors) = self._ask(
            lambda: self.container.exec_run([PYTHON, "-I", *words], demux=True, workdir=DATA_DIR)
        )
        if code:
            raise SeedError(
                f"a command in the container of {self.stack.name} failed with code {code}",
                evidence="\n".join((errors or b"").decode(errors="replace").strip().splitlines()[-8:]),
            )
        return output or b""

    def log_tail(self) -> str:
        """Return the last lines that the container wrote."""
        with suppress(*ENGINE_FAULTS()):
            return self.container.logs(tail=LOG_LINES).decode(errors="replace").rstrip()
        return ""

    def keep_log(self, logs: Path) -> None:
        """Write the container's whole log to the folder ``logs``."""
        keep_log(self.container, logs)

    def ended(self) -> str | None:
        """Return how the container ended, or ``None``."""
        try:
            self.container.reload()
        except ENGINE_FAULTS() as error:
            return f"its container is gone: {said(error)}"
        state = self.container.attrs["State"]
        if state.get("Running"):
            return None
        if state.get("OOMKilled"):
            return "its container ran out of memory and was killed (--webbench-memory allows more)"
        return f"its container exited with code {state.get('ExitCode')}"

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return within(CALL_TIMEOUT_S, call)
        except ENGINE_FAULTS() as error:
            raise SeedError(
                f"the engine did not reach into the container of {self.stack.name}: {said(error)}",
                evidence=self.log_tail(),
            ) from None


def _key(stack: Stack) -> tuple[str, Path, str | None]:
    """Return the properties that determine the image of a stack."""
    return stack.name, stack.folder, stack.lock


def _swept(engine: Engine) -> Iterator[str]:
    removed = sweep(engine)
    if removed:
        yield Code.CONTAINERS_REMOVED.reason(count=len(removed), names=", ".join(removed))


def _neighbours(engine: Engine) -> Iterator[str]:
    for owner in others_at_work(engine):
        yield Code.OTHER_RUN.reason(pid=owner.pid, host=owner.host)


def _free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _published_port(container: "Container") -> int:
    container.reload()
    published: Any = container.ports
    return int(published[f"{PUBLISHED_PORT}/tcp"][0]["HostPort"])
