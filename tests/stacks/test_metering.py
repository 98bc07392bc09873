"""Stacks with meters, of which the launcher knows nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_webbench.host.meters.process_tree import process_tree
from pytest_webbench.host.meters.server import ServerMeter
from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.stack import Meter, RunningStack
from pytest_webbench.stacks.launcher import MeteredLauncher
from pytest_webbench.stacks.process import ProcessLauncher
from tests.stacks.conftest import MakeStack


class Wrapping(Meter):
    """Runs the command under ``env``, and reads how many processes there are."""

    def __init__(self) -> None:
        self.pid = 0

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        return ("env", "WRAPPED=1", *command)

    def attach(self, server: RunningStack) -> None:
        assert server.server_pid is not None
        self.pid = server.server_pid

    def begin(self) -> None:
        pass

    def end(self) -> Readings:
        return Readings(processes=len(process_tree(self.pid)))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_a_meter_wraps_the_command_of_a_process_and_reads_beside_the_built_in_one(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    metered = MeteredLauncher(launcher, [ServerMeter, Wrapping])
    stack = make_stack()
    metered.prepare(stack)
    with metered.start(stack) as running:
        assert b"WRAPPED=1" in Path(f"/proc/{running.server_pid}/environ").read_bytes().split(b"\0")
        assert str(running.launch.config["command"]).startswith("env WRAPPED=1 {python}")
        running.meter.begin()
        readings = running.meter.end()
    assert readings["processes"] == 1
    assert readings["cpu_s"] >= 0
    assert readings["peak_rss_bytes"] > 1 << 20
    assert metered.name == "process"
