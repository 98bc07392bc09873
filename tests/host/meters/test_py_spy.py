"""py-spy for real, and programs in its place that misbehave."""

import os
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from pytest_webbench.analysis.hot_spots import attribute
from pytest_webbench.host.meters import py_spy
from pytest_webbench.host.meters.py_spy import PySpyProfiler
from pytest_webbench.model.errors import ProfilerError
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile
from pytest_webbench.model.stack import RunningStack, Stack
from pytest_webbench.stacks.process import ProcessLauncher

as_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="py-spy may look at other processes as root alone"
)

SERVER = """
import http.server, json, sys

ITEMS = [{"id": number, "price": number / 4} for number in range(3000)]

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"".join(json.dumps(ITEMS).encode() for _ in range(3)) if self.path == "/json" else b"ok"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningStack]:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "server.py").write_text(SERVER)
    monkeypatch.setattr("pytest_webbench.stacks.process.installed_versions", lambda python: {})
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path / "logs")
    stack = Stack(name="tiny", folder=folder, command=("{python}", "server.py", "{port}"))
    with launcher.start(stack) as running:
        yield running


@as_root
@pytest.mark.parametrize("deep", [False, True])
def test_calls_of_a_server_at_work_are_met(running: RunningStack, deep: bool) -> None:
    assert running.server_pid is not None
    with PySpyProfiler().record(running.server_pid, deep=deep) as recording:
        for _ in range(60):
            urlopen(f"{running.base_url}/json").read()
    cell = Cell(scenario="json", stack="tiny")
    found = attribute(CodeProfile(cell=cell, rate_hz=100, stacks=recording.stacks))
    assert found.parts[0].part == "JSON"
    handling = [stack for stack in recording.stacks if "do_GET (./server.py:" in stack]
    assert handling
    assert any("_json.c" in stack for stack in handling) <= deep
    assert not any(stack.startswith("process ") or str(running.stack.folder) in stack for stack in handling)


@as_root
def test_an_exception_ends_py_spy_and_leaves_the_server(running: RunningStack) -> None:
    assert running.server_pid is not None
    with pytest.raises(KeyboardInterrupt), PySpyProfiler().record(running.server_pid):
        raise KeyboardInterrupt
    assert spies() == []
    assert urlopen(running.base_url).read() == b"ok"


@as_root
def test_a_process_that_is_no_python_is_said() -> None:
    process = psutil.Popen(["/bin/cat"], stdin=-1)
    try:
        with pytest.raises(ProfilerError, match="py-spy cannot look at") as caught:
            PySpyProfiler().record(process.pid).__enter__()
    finally:
        process.communicate()
    assert caught.value.evidence


def test_the_first_process_of_a_local_stack_is_known(running: RunningStack) -> None:
    assert running.server_pid is not None
    assert psutil.Process(running.server_pid).cmdline()[1] == "server.py"


# --- programs in the place of py-spy ----------------------------------------------------------------


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An executable that a test gives its content; it must be gone at the end, with its folder."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    binary = tmp_path / "py-spy"
    binary.touch()
    binary.chmod(stat.S_IRWXU)
    yield binary
    assert list(folder.iterdir()) == []
    assert spies() == []


def spies() -> list[psutil.Process]:
    """What runs below this process and is, or pretends to be, py-spy."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if each.is_running() and "py-spy" in " ".join(each.cmdline())]


def record(binary: Path) -> dict[str, int]:
    with PySpyProfiler(binary=binary).record(os.getpid()) as recording:
        assert recording.stacks == {}
    return dict(recording.stacks)


def test_what_it_writes_is_read_when_it_has_been_asked_to_end(stand_in: Path) -> None:
    stand_in.write_text(
        f"""#!{sys.executable}
import pathlib, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("py-spy> Sampling process 100 times a second. Press Control-C to exit.", flush=True)
print("x" * 200_000, flush=True)
signal.sigwait([signal.SIGINT])
output = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
output.write_text("a (b.py:1);c (d.py:2) 7\\na (b.py:1) 2\\n\\nbroken line\\n")
"""
    )
    assert record(stand_in) == {"a (b.py:1);c (d.py:2)": 7, "a (b.py:1)": 2}


def test_nothing_written_is_no_stack(stand_in: Path) -> None:
    stand_in.write_text("#!/bin/sh\ntrap 'exit 0' INT\necho Sampling process\nwhile :; do sleep 0.01; done\n")
    assert record(stand_in) == {}


def test_a_refusal_says_what_would_help(stand_in: Path) -> None:
    stand_in.write_text(
        "#!/bin/sh\necho 'Error: Permission Denied: Try running again with sudo' >&2\nexit 1\n"
    )
    with pytest.raises(ProfilerError) as caught:
        record(stand_in)
    assert caught.value.message == f"py-spy cannot look at the server's process {os.getpid()}"
    assert "Permission Denied" in caught.value.evidence
    assert "run pytest as root" in caught.value.hint


def test_another_failure_is_shown_as_it_is(stand_in: Path) -> None:
    stand_in.write_text("#!/bin/sh\necho 'Error: no interpreter here'\nexit 1\n")
    with pytest.raises(ProfilerError) as caught:
        record(stand_in)
    assert (caught.value.evidence, caught.value.hint) == ("Error: no interpreter here", "")


def test_a_failure_at_the_end_is_said(stand_in: Path) -> None:
    stand_in.write_text(
        "#!/bin/sh\ntrap 'echo disk full; exit 3' INT\necho Sampling process\nwhile :; do sleep 0.01; done\n"
    )
    with pytest.raises(ProfilerError, match="failed to look at") as caught:
        record(stand_in)
    assert "disk full" in caught.value.evidence


def test_one_that_never_begins_is_ended(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(py_spy, "BEGIN_TIMEOUT_S", 0.05)
    stand_in.write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(ProfilerError, match="takes too long to look at"):
        record(stand_in)


def test_one_that_does_not_end_is_killed(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(py_spy, "END_TIMEOUT_S", 0.05)
    stand_in.write_text(
        f"#!{sys.executable}\nimport signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('Sampling process', flush=True)\nsignal.pause()\n"
    )
    with pytest.raises(ProfilerError, match="does not end looking at"):
        record(stand_in)


def test_one_that_is_no_program_is_said(stand_in: Path) -> None:
    stand_in.write_text("no program")
    stand_in.chmod(stat.S_IRUSR)
    with pytest.raises(ProfilerError, match="py-spy cannot be started"):
        record(stand_in)


def test_no_thread_is_left(stand_in: Path) -> None:
    before = threading.active_count()
    stand_in.write_text("#!/bin/sh\ntrap 'exit 0' INT\necho Sampling process\nwhile :; do sleep 0.01; done\n")
    record(stand_in)
    assert threading.active_count() == before
