"""A run that only looks asks for no launcher and no engine, and leaves the container engine alone."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

FAILING = """
    def pytest_webbench_launcher(settings):
        raise RuntimeError("asked for a launcher")

    def pytest_webbench_engine(settings):
        raise RuntimeError("asked for an engine")

    def pytest_webbench_profiler(settings):
        raise RuntimeError("asked for a profiler")
"""
LOOKING = [
    ("--collect-only", "-q"),
    ("--setup-plan",),
    ("--fixtures",),
    ("--help",),
    ("--webbench-list",),
    ("-k", "nothing_is_called_so"),
]


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_a_run_that_only_looks_makes_nothing_to_measure_with(
    pytester: pytest.Pytester, arguments: tuple[str, ...]
) -> None:
    pytester.makeconftest(FAILING)
    result = pytester.runpytest_inprocess("--webbench", "--webbench-explain", *arguments)
    assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert "asked for" not in f"{result.stdout}{result.stderr}"


def test_a_run_that_measures_does(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FAILING)
    result = pytester.runpytest_inprocess("--webbench", "-k", "hello")
    assert "asked for a launcher" in f"{result.stdout}{result.stderr}"


class RecordingSocket:
    """A Unix socket that hangs up on everybody, and counts them."""

    def __init__(self, path: Path) -> None:
        self.connections = 0
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                connection.close()

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingSocket]:
    """The container engine that DOCKER_HOST names."""
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    recording = RecordingSocket(path)
    yield recording
    recording.close()


@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: each[0])
def test_a_run_that_only_looks_does_not_touch_the_container_engine(
    pytester: pytest.Pytester, engine: RecordingSocket, arguments: tuple[str, ...]
) -> None:
    pytester.runpytest_inprocess("--webbench", "--webbench-launcher=container", *arguments)
    assert engine.connections == 0


def test_a_run_that_measures_in_containers_asks_the_engine_before_it_begins(
    pytester: pytest.Pytester, engine: RecordingSocket
) -> None:
    result = pytester.runpytest_inprocess("--webbench", "--webbench-launcher=container", "-k", "hello")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "no container engine answers" in str(result.stderr)
    assert engine.connections > 0
    assert not (pytester.path / ".webbench").exists()
