"""The container launcher with a real engine."""

import io
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker.errors
import httpx
import pytest

from pytest_webbench.host.meters.callgrind import CallgrindMeter
from pytest_webbench.host.meters.server import ServerMeter
from pytest_webbench.model.errors import InstallError, SeedError, StartError
from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.plan import COUNTS
from pytest_webbench.model.stack import Meter
from pytest_webbench.stacks import container
from pytest_webbench.stacks.container import Limits
from pytest_webbench.stacks.docker import image, labels
from pytest_webbench.stacks.docker.engine import Engine
from pytest_webbench.stacks.docker.labels import LABEL, others_at_work, prune, remove_launch, sweep
from pytest_webbench.stacks.launcher import MeteredLauncher
from tests.containers.conftest import SERVER, MakeLauncher, MakeStack

pytestmark = [pytest.mark.container, pytest.mark.usefixtures("leftovers")]


def test_a_stack_serves_takes_files_and_commands_and_is_gone_afterwards(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    with make_launcher().start(make_stack()) as running:
        if engine.shares_network:
            assert running.base_url.startswith("http://127.0.0.1:")
            assert running.launch.config["network"] == "the host's, bound to 127.0.0.1, no proxy"
            assert running.container.attrs["HostConfig"]["NetworkMode"] == "host"
        assert httpx.get(f"{running.base_url}/").text == "hello"
        assert running.ended() is None
        assert running.launch.startup_s is not None
        assert running.launch.versions["python"].startswith("3.13.")
        assert "the server begins" in running.log_tail()
        assert running.put_file("note.txt", b"from outside") == "/data/note.txt"
        assert running.execute(["-c", "print(open('{data_dir}/note.txt').read())"]) == b"from outside\n"
        with pytest.raises(SeedError, match="failed with code 3"):
            running.execute(["-c", "raise SystemExit(3)"])
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{running.base_url}/")


def test_a_published_port_is_said_to_be_one(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    apart = replace(engine, shares_network=False)
    with make_launcher(on=apart).start(make_stack()) as running:
        assert httpx.get(f"{running.base_url}/").text == "hello"
        assert "through the engine's proxy" in str(running.launch.config["network"])
        published: Any = running.container.ports["8000/tcp"]
        assert [each["HostIp"] for each in published] == ["127.0.0.1"]


def test_a_container_is_hardened(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    with make_launcher(limits=Limits(cpus=0.5, memory_bytes=64 << 20)).start(make_stack()) as running:
        running.container.reload()
        host = running.container.attrs["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["PidsLimit"] == 512
        assert host["NanoCpus"] == 500_000_000
        assert host["Memory"] == host["MemorySwap"] == 64 << 20
        assert running.execute(["-c", "import os; print(os.getuid())"]) == b"10001\n"
        with pytest.raises(SeedError, match="Read-only file system"):
            running.execute(["-c", "open('/app/new', 'w')"])
        with pytest.raises(SeedError, match="No module named pip"):
            running.execute(["-m", "pip", "--version"])


NOTE = """
import os, sys
with open("/data/note", "a") as file:
    print(os.getcwd(), os.getuid(), *sys.argv[1:], file=file)
print("made the table")
"""


@pytest.mark.parametrize("shares_network", [True, False])
def test_a_stack_is_prepared_once_in_its_data(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher, tmp_path: Path, shares_network: bool
) -> None:
    stack = make_stack()
    (stack.folder / "prepare.py").write_text(NOTE)
    one, two = ("{python}", "prepare.py", "{workers}"), ("{python}", "prepare.py", "{data_dir}")
    launcher = make_launcher(on=replace(engine, shares_network=engine.shares_network and shares_network))
    with launcher.start(replace(stack, prepare=(one, two))) as running:
        noted = running.execute(["-c", "print(open('/data/note').read(), end='')"])
        assert noted == b"/app 10001 2\n/app 10001 /data\n"
        assert "made the table" not in running.log_tail()
    logs = sorted(log.read_text() for log in (tmp_path / "logs").glob("*.log") if "build" not in log.name)
    assert logs[:2] == ["made the table\n"] * 2


def test_a_preparation_that_fails_or_does_not_end(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    stack = make_stack()
    fails = ("{python}", "-c", "print('no such table'); raise SystemExit(3)")
    with pytest.raises(StartError) as caught, make_launcher().start(replace(stack, prepare=(fails,))):
        pass
    assert caught.value.message == f"tiny was not prepared: {shlex.join(fails)} exited with code 3"
    assert caught.value.evidence == "no such table"
    forever = ("{python}", "-uc", "import time; print('waits'); time.sleep(600)")
    with (
        pytest.raises(StartError) as caught,
        make_launcher(start_timeout_s=1.0).start(replace(stack, prepare=(forever,))),
    ):
        pass
    assert caught.value.message == f"tiny was not prepared within 1 s: {shlex.join(forever)} did not end"
    assert caught.value.evidence == "waits"


class Wrapping(Meter):
    """Runs the command under ``env``."""

    def wrap(self, command: Sequence[str]) -> Sequence[str]:
        return ("env", "WRAPPED=1", *command)

    def begin(self) -> None:
        pass

    def end(self) -> Readings:
        return Readings(mine=7)


def test_meters_see_what_the_container_uses_and_wrap_its_command(
    make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    with MeteredLauncher(make_launcher(), [ServerMeter, Wrapping]).start(make_stack()) as running:
        environment = running.execute(["-c", "print(open('/proc/1/environ', 'rb').read())"])
        meter = running.meter
        meter.begin()
        own_s = float(
            running.execute(
                ["-c", "import time\nwhile time.process_time() < 0.3: pass\nprint(time.process_time())"]
            )
        )
        httpx.get(f"{running.base_url}/eat", timeout=60)
        usage = meter.end()
    assert b"WRAPPED=1" in environment
    assert usage["mine"] == 7
    assert usage.cpu_s is not None
    assert usage.cpu_s >= own_s
    assert usage.peak_rss_bytes is not None
    assert usage.peak_rss_bytes >= 256 << 20
    assert usage.oom_kills == 0


def test_instructions_are_counted_in_a_container(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    launcher = make_launcher(packages=COUNTS.packages, start_timeout_s=300)
    counts = {}
    stack = make_stack(SERVER.replace("http.server.HTTPServer", "http.server.ThreadingHTTPServer"))
    with MeteredLauncher(launcher, [CallgrindMeter]).start(stack) as running:
        connection = httpx.Client(base_url=running.base_url, timeout=300)
        connection.get("/")
        for times in (10, 40):
            running.meter.begin()
            for _ in range(times):
                connection.get("/")
            counts[times] = running.meter.end()["instructions"]
        connection.close()
    assert 3 * counts[10] < counts[40] < 5 * counts[10]


def test_an_image_without_apt_cannot_be_given_packages(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    name = f"webbench-without-apt:{uuid4().hex[:8]}"
    recipe = io.BytesIO(b"FROM python:3.13-slim\nRUN rm /usr/bin/apt-get\n")
    engine.client.images.build(fileobj=recipe, tag=name, rm=True, forcerm=True)
    try:
        launcher = make_launcher(packages=["no-such-package"], base_image=name)
        with pytest.raises(
            InstallError, match=r"cannot be given no-such-package: its base image .* no apt-get"
        ):
            launcher.prepare(make_stack())
    finally:
        engine.client.images.remove(name)


def test_throttling_is_metered(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    launcher = MeteredLauncher(make_launcher(limits=Limits(cpus=0.1)), [ServerMeter])
    with launcher.start(make_stack()) as running:
        running.meter.begin()
        running.execute(["-c", "import time\nwhile time.process_time() < 0.2: pass"])
        usage = running.meter.end()
    assert usage.throttled_s is not None
    assert usage.throttled_s > 0


def test_an_unchanged_stack_is_not_built_again_and_a_changed_one_is(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    stack = make_stack()
    server = stack.folder / "server.py"
    server.write_text(f"{server.read_text()}\n# {uuid4()}")  # else an image of earlier tests would do
    make_launcher().prepare(stack)
    ours = f"pytest-webbench/{stack.name}"
    (first,) = {each.id for each in engine.client.images.list(ours)} - _older(engine, ours)
    make_launcher().prepare(stack)
    assert engine.client.images.list(ours)[0].id == first
    server.write_text(f"# {uuid4()}\n")
    make_launcher().prepare(stack)
    assert engine.client.images.list(ours)[0].id != first


def _older(engine: Engine, name: str) -> set[str | None]:
    return {each.id for each in engine.client.images.list(name)[1:]}


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ("raise SystemExit('no such setting')", "its container exited with code 1"),
        ("import time; time.sleep(600)", "did not become ready within 1 s"),
    ],
)
def test_a_stack_that_does_not_start_says_why(
    make_stack: MakeStack, make_launcher: MakeLauncher, server: str, reason: str
) -> None:
    stack = make_stack(program=server)
    with pytest.raises(StartError, match=reason), make_launcher(start_timeout_s=1.0).start(stack):
        pass


def test_a_stack_out_of_memory_says_so(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    server = "eaten = bytearray(1 << 30)\n" + "eaten[::4096] = b'x' * len(eaten[::4096])\n"
    with (
        pytest.raises(StartError, match="ran out of memory and was killed") as caught,
        make_launcher(limits=Limits(memory_bytes=64 << 20)).start(make_stack(program=server)),
    ):
        pass
    assert "--webbench-memory" in str(caught.value)


def test_a_port_that_is_taken_again_and_again_says_so(
    make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    stack = make_stack(program="raise SystemExit('[Errno 98] Address already in use')")
    with pytest.raises(StartError, match="another process has its port"), make_launcher().start(stack):
        pass


def test_a_build_that_fails_shows_its_last_step_and_keeps_its_log(
    make_stack: MakeStack, make_launcher: MakeLauncher, tmp_path: Path
) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo before && false\n")
    with pytest.raises(InstallError, match="the image of tiny does not build") as caught:
        make_launcher(dockerfile=dockerfile).prepare(make_stack())
    assert "RUN echo before && false" in str(caught.value)
    assert "before" in (tmp_path / "logs" / "build-tiny.log").read_text()


def test_a_wrong_hash_in_the_lock_does_not_build(make_stack: MakeStack, make_launcher: MakeLauncher) -> None:
    lock = "blinker==1.9.0 --hash=sha256:" + "0" * 64 + "\n"
    with pytest.raises(InstallError, match="does not build") as caught:
        make_launcher().prepare(make_stack(lock=lock))
    assert "HASHES" in str(caught.value) or "hash" in str(caught.value)


def test_an_exception_in_the_middle_leaves_nothing(
    make_stack: MakeStack, make_launcher: MakeLauncher, leftovers: Callable[[], set[str]]
) -> None:
    before = leftovers()
    seen: set[str] = set()

    def interrupted() -> None:
        with make_launcher().start(make_stack()):
            seen.update(leftovers())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen > before
    assert leftovers() == before


def test_an_interruption_of_the_removal_leaves_nothing(
    make_stack: MakeStack,
    make_launcher: MakeLauncher,
    leftovers: Callable[[], set[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = leftovers()
    interruptions = [KeyboardInterrupt()]

    def removing(on: Engine, launch: str) -> None:
        if interruptions:
            raise interruptions.pop()
        remove_launch(on, launch)

    monkeypatch.setattr(container, "remove_launch", removing)
    with pytest.raises(KeyboardInterrupt), make_launcher().start(make_stack()):
        pass
    assert leftovers() == before


KILLED = """
import pathlib, sys
from pytest_webbench.stacks.docker.engine import connect
from pytest_webbench.stacks.container import ContainerLauncher
from pytest_webbench.model.http import Answer, Exchange, Request
from pytest_webbench.model.stack import Stack

folder, dockerfile = map(pathlib.Path, sys.argv[1:])
launcher = ContainerLauncher(
    connect(), dockerfile=dockerfile, base_image="python:3.13-slim", logs=folder / "logs"
)
stack = Stack(
    name="tiny", folder=folder, command=("{python}", "server.py", "{host}", "{port}"), lock="current.lock",
    ready=Exchange(request=Request(path="/"), answer=Answer(status=200)),
)
with launcher.start(stack):
    print("up", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_run_left_is_swept_and_what_a_living_one_has_is_not(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher
) -> None:
    stack = make_stack()
    launcher = make_launcher()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(stack.folder), str(launcher._dockerfile)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"up\n"
            assert sweep(engine) == []
            assert [owner.pid for owner in others_at_work(engine)] == [other.pid]
            (note,) = make_launcher().notes
            assert note.startswith(f"another run is active (process {other.pid} on ")
        finally:
            other.send_signal(signal.SIGKILL)
    swept = make_launcher().notes
    assert len(swept) == 1
    assert swept[0].startswith("removed 1 containers left behind by a killed run")


@pytest.mark.parametrize(("minutes", "is_removed"), [(0, False), (59, False), (61, True)])
def test_the_steps_of_a_build_are_swept_when_no_build_can_be_at_work(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, minutes: int, is_removed: bool
) -> None:
    """They bear the label of their image, and nothing says whose they are."""
    create = engine.client.containers.create
    step = create("python:3.13-slim", ["sleep", "60"], labels={LABEL: "1"})
    try:
        monkeypatch.setattr(labels, "FORGOTTEN_AFTER", labels.FORGOTTEN_AFTER - timedelta(minutes=minutes))
        assert sweep(engine) == ([step.name] if is_removed else [])
        if not is_removed:
            step.start()
            monkeypatch.setattr(labels, "FORGOTTEN_AFTER", timedelta())
            assert sweep(engine) == []  # it runs
    finally:
        with suppress(docker.errors.NotFound):
            step.remove(force=True)


def test_prune_removes_images_and_spares_what_is_at_work(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (image, labels):  # of this test alone: the images of others take minutes to build
        monkeypatch.setattr(module, "LABEL", f"{LABEL}.pruned")
    idle, busy = make_stack(name="idle-tiny"), make_stack(f"{SERVER}# busy\n", name="busy-tiny")
    launcher = make_launcher()
    launcher.prepare(idle)
    with launcher.start(busy) as running:
        _, images = prune(engine)
        assert any(name.startswith("pytest-webbench/idle-tiny:") for name in images)
        assert httpx.get(f"{running.base_url}/").text == "hello"
    assert not engine.client.images.list("pytest-webbench/idle-tiny")
    prune(engine)
    assert not engine.client.images.list("pytest-webbench/busy-tiny")


WAITING = SERVER.replace(
    "http.server.HTTPServer((host", "__import__('time').sleep(60)\nhttp.server.HTTPServer((host"
)
FORKING = SERVER.replace(
    "http.server.HTTPServer((host, int(port)), Handler).serve_forever()",
    "server = http.server.HTTPServer((host, int(port)), Handler)\n"
    "for _ in range(3):\n"
    "    if os.fork() == 0:\n"
    "        break\n"
    "else:\n"
    "    os.wait()\n"
    "server.serve_forever()",
)


def test_another_server_at_the_port_is_not_measured(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engine.shares_network:
        pytest.skip("this engine's host network is not ours")

    class Squatter(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Squatter) as squatter:
        threading.Thread(target=squatter.serve_forever).start()
        port = squatter.server_address[1]
        monkeypatch.setattr(container, "_free_port", lambda: port)
        try:
            with pytest.raises(StartError) as caught, make_launcher().start(make_stack(program=WAITING)):
                pass
        finally:
            squatter.shutdown()
    assert caught.value.message.startswith(f"another server has the port of tiny: process {os.getpid()} ")


@pytest.mark.parametrize("shares_network", [True, False])
def test_workers_are_counted_where_they_can_be_seen(
    engine: Engine, make_stack: MakeStack, make_launcher: MakeLauncher, shares_network: bool
) -> None:
    if not engine.shares_network:
        pytest.skip("this engine's processes are not here")
    with make_launcher(on=replace(engine, shares_network=shares_network)).start(
        make_stack(program=FORKING)
    ) as running:
        assert running.launch.config["workers"] == 3
        assert running.launch.config["threads"] == "-"
