"""The battery in containers: faults that a process shows otherwise when it is alone in one."""

from collections.abc import Callable, Mapping

import pytest

from pytest_webbench.host.leftovers import Owner
from pytest_webbench.stacks.docker.engine import Engine
from pytest_webbench.stacks.docker.labels import OWNER
from tests.containers.conftest import engine
from tests.faults.conftest import Face
from tests.faults.test_battery import GOOD, MEMORY_MIB
from tests.faults.watching import Watched, watch

__all__ = ["engine"]

pytestmark = [pytest.mark.slow, pytest.mark.container]

FAULTS: Mapping[str, tuple[str, str]] = {
    "wrong": ("wrong", '"n" is 2, expected 1'),
    "truncated": ("truncated", "the connection ended after 74 bytes"),
    "reset": ("reset", "the connection was cut"),
    "endless-head": ("endless-head", "the headers are longer than 65536 bytes"),
    "huge": ("huge", "far more than expected"),
    "bomb": ("bomb", "far more than expected"),
    "drip-body": ("drip-body", "but not all, came within 2"),
    "http2": ("http2", "HTTP/2"),
    "twice": ("twice", "bytes came after the end"),
    "death": ("death", "exited with code 3"),
    "exhausted": ("exhausted", "memory"),
    "import-error": ("import-error", "No module named 'no_such_module_at_all'"),
    "exit": ("exit", "fatal: cannot read the configuration"),
    "never-listens": ("never-listens", "5 s"),
    "mute-from-the-first": ("mute,from=0", "5 s"),
    "endless-hints": ("endless-hints,from=0", "65536"),
    "drip-check": ("drip-body,from=1,s=1", "2 s"),
}
"""The mood, and what the failure of its benchmark must hold."""

OURS = "pytest_webbench/"
"""In a traceback, which a server may print into its log, but not this package."""
LONGEST_S = 400.0
"""For a run of so many containers on a machine that is busy."""


@pytest.fixture(scope="module")
def left(engine: Engine) -> Callable[[], set[str]]:
    """The containers that nobody who lives owns, and that were not there before."""

    def owned_by_none() -> set[str]:
        found = set()
        for container in engine.client.containers.list(all=True, ignore_removed=True):
            owner = Owner.parse(container.labels.get(OWNER, ""))
            if owner is not None and not owner.lives():
                found.add(str(container.name))
        return found

    before = owned_by_none()
    return lambda: owned_by_none() - before


@pytest.fixture(scope="module")
def faced(left: object, face: Face, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """One run against all of them, and one server that is right."""
    return watch(
        face,
        tmp_path_factory.mktemp("tmp"),
        {GOOD: GOOD} | {name: mood for name, (mood, _) in FAULTS.items()},
        "--webbench-launcher=container",
        "--webbench-memory=256m",
        "--webbench-start-timeout=5",
        "--webbench-request-timeout=2",
        timeout_s=LONGEST_S,
        boxed=True,
    )


def test_each_fails_with_its_reason(faced: Watched) -> None:
    said = {name: faced.faced.failure(name) for name in FAULTS}
    assert {name: why for name, why in said.items() if FAULTS[name][1] not in why or OURS in why} == {}


def test_what_is_right_does_not_suffer(faced: Watched) -> None:
    assert faced.faced.failure(GOOD) == ""
    assert faced.faced.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in faced.faced.text
    assert f"{len(FAULTS)} failed, 1 passed" in faced.faced.text


def test_nothing_wrong_becomes_a_baseline(faced: Watched) -> None:
    assert faced.sound() == {GOOD}


def test_memory_is_bounded(faced: Watched) -> None:
    assert faced.faced.peak_mib < MEMORY_MIB


def test_nothing_is_left(faced: Watched, left: Callable[[], set[str]]) -> None:
    assert faced.left == ()
    assert left() == set()


def test_an_honest_open_loop_is_valid_and_an_overload_is_not(
    left: Callable[[], set[str]], face: Face, tmp_path_factory: pytest.TempPathFactory
) -> None:
    watched = watch(
        face,
        tmp_path_factory.mktemp("tmp"),
        {"steady": "slow,s=0.1", "busy": "busy,s=0.05"},
        "--webbench-launcher=container",
        "--webbench-rate=50",
        "--webbench-duration=2",
        amount={"duration_s": 2},
        users=20,
        timeout_s=LONGEST_S,
        boxed=True,
    )
    assert watched.faced.failure("steady") == ""
    assert "the rate is more than the server" in watched.faced.failure("busy")
    assert watched.faced.exit_code == pytest.ExitCode.TESTS_FAILED
    assert watched.sound() == {"steady"}
    assert (watched.left, left()) == ((), set())
