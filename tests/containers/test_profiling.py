"""A server in a hardened container is sampled from outside of it."""

import os
from urllib.request import urlopen

import pytest

from pytest_webbench.analysis.hot_spots import attribute
from pytest_webbench.host.meters.py_spy import PySpyProfiler
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from tests.containers.conftest import SERVER, MakeLauncher, MakeStack

pytestmark = [pytest.mark.container, pytest.mark.usefixtures("leftovers")]

ENCODING = SERVER.replace(
    'body = b"hello"',
    'import json; body = json.dumps([{"id": number, "price": 0.25} for number in range(9000)]).encode()',
)


@pytest.mark.skipif(os.geteuid() != 0, reason="py-spy may look at other processes as root alone")
def test_calls_in_a_container_are_met_with_their_files_and_libraries(
    make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    with make_launcher().start(make_stack(ENCODING)) as running:
        if running.server_pid is None:
            pytest.skip("this engine is on another machine")
        with PySpyProfiler().record(running.server_pid, deep=True) as recording:
            for _ in range(60):
                urlopen(running.base_url).read()
        assert running.ended() is None
    found = attribute(
        CodeProfile(cell=Cell(scenario="json", stack="tiny"), rate_hz=100, stacks=recording.stacks)
    )
    assert "JSON" in {part.part for part in found.parts}
    assert any("do_GET (./server.py:" in stack for stack in recording.stacks)
    assert any("(libc" in stack for stack in recording.stacks)


def test_the_process_of_a_container_is_not_taken_for_one_that_is_here(
    make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    """An engine elsewhere says a number that here belongs to another process, or to none."""
    with make_launcher().start(make_stack()) as running:
        running._pid = os.getpid()
        assert running.server_pid is None
        running._pid = 2**22 + 1
        assert running.server_pid is None
