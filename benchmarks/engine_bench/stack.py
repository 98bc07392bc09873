"""One of the project's own stacks as the server, launched as the plugin launches it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from engine_bench.machine import pinned_to
from engine_bench.server import Page
from pytest_webbench.load.native.engine import NativeEngine
from pytest_webbench.model.plan import PROFILES
from pytest_webbench.model.stack import VERSION_SETS
from pytest_webbench.runs.trial import TrialRunner
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.stacks.environment import default_cache
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

__all__ = ["STACK_NAMES", "LaunchedStack", "launch_stack"]

STACK_NAMES = tuple(stack.name for stack in STACKS)
PATH = "/hello"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchedStack:
    """A running stack that is seeded and was checked against its contract."""

    page: Page
    pid: int
    about: str

    def served(self) -> None:
        """Return nothing: it does not count requests."""


@contextmanager
def launch_stack(name: str, core: int) -> Iterator[LaunchedStack]:
    """Launch the stack called ``name``, all its processes on ``core``; end it when the context is left.

    Raises a :class:`~pytest_webbench.model.errors.StackError` if it does not start, or responds wrongly.
    """
    (stack,) = (with_versions(each, VERSION_SETS["current"]) for each in STACKS if each.name == name)
    with ExitStack() as context:
        logs = context.enter_context(tempfile.TemporaryDirectory(prefix="webbench-logs-"))
        launcher = ProcessLauncher(cache=default_cache(), logs=Path(logs))
        launcher.prepare(stack)
        with pinned_to(core):
            running = context.enter_context(launcher.start(stack))
        bench = TrialRunner(engine=NativeEngine(), profile=PROFILES["quick"], seed=1)
        for error in bench.make_ready(running, SUITE, SCENARIOS).values():
            raise error
        body = httpx.get(running.base_url + PATH, trust_env=False).text
        page = Page(base_url=running.base_url, path=PATH, body=body)
        about = f"GET {PATH} of {name} by the process launcher"
        yield LaunchedStack(page=page, pid=running.process.pid, about=about)
