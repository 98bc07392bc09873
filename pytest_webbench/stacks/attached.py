"""Servers that are already running."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pytest_webbench.analysis.text import mask_url
from pytest_webbench.host.running_server import RunningServer
from pytest_webbench.load.http1.address import Target
from pytest_webbench.model.errors import SeedError
from pytest_webbench.model.load import Held
from pytest_webbench.model.measurement import UNKNOWN, LaunchRecord
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.readiness import wait_until_ready

__all__ = ["AttachedLauncher"]


class AttachedLauncher:
    """Measures servers that are already running, at the URLs given by the names of the stacks.

    Nothing is launched, seeded or stopped; of the server's processes only the connections are visible, and
    its versions are not.
    """

    name = "attached"
    notes: tuple[str, ...] = ()
    about = "servers that run already"

    def __init__(self, urls: Mapping[str, str], *, start_timeout_s: float = 30.0) -> None:
        self._urls = urls
        self._start_timeout_s = start_timeout_s

    def prepare(self, stack: Stack) -> None:
        """Do nothing: the server is running already."""

    @contextmanager
    def start(self, stack: Stack) -> Iterator["AttachedStack"]:
        """Wait until the server is ready, and leave it running at the end."""
        running = AttachedStack(stack=stack, base_url=self._urls[stack.name].rstrip("/"))
        wait_until_ready(running, timeout_s=self._start_timeout_s)
        target = Target.parse(running.base_url)
        yield replace(running, server=RunningServer(target.host, target.port))


@dataclass(frozen=True, kw_only=True)
class AttachedStack:
    """A server that was already running; see :class:`~pytest_webbench.model.stack.RunningStack`."""

    stack: Stack
    base_url: str = field(repr=False)
    answers: bool = True
    reachable_inside: bool = False
    accounts: None = None
    server: RunningServer | None = None

    @property
    def launch(self) -> LaunchRecord:
        """All that is known: the URL, without a password."""
        config = {"workers": UNKNOWN, "threads": UNKNOWN, "url": mask_url(self.base_url)}
        return LaunchRecord(launcher=AttachedLauncher.name, startup_s=None, config=config)

    @property
    def server_pid(self) -> None:
        """The server's processes are not visible."""

    def connections(self) -> Held | None:
        """Return which process holds which connection, if the server is visible on this machine."""
        return None if self.server is None else self.server.connections()

    def verify(self) -> None:
        """Do nothing: the server was not launched by us."""

    def put_file(self, name: str, content: bytes) -> str:  # noqa: ARG002
        """Raise :class:`~pytest_webbench.model.errors.SeedError`: there is no access to its files."""
        raise SeedError(f"{self.stack.name} runs already: no file can be put beside it ({name})")

    def execute(self, arguments: Sequence[str]) -> bytes:
        """Raise :class:`~pytest_webbench.model.errors.SeedError`: no command can be run beside it."""
        raise SeedError(f"{self.stack.name} runs already: no command can be run beside it ({arguments[0]})")

    def log_tail(self) -> str:
        """Return nothing: the log is not visible."""
        return ""

    def ended(self) -> str | None:
        """Return nothing: only failing requests show that it has exited."""
        return None
