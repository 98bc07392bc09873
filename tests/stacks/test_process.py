"""Stacks as local processes: they start, are reached, and are always gone afterwards."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from pytest_webbench.host.meters.process_tree import process_tree
from pytest_webbench.model.errors import InstallError, SeedError, StartError
from pytest_webbench.model.http import Answer, BodyRule, Exchange, Request
from pytest_webbench.model.stack import RunningStack, Stack
from pytest_webbench.session.safeguards.interrupts import Interrupts
from pytest_webbench.stacks import process, readiness
from pytest_webbench.stacks.process import ProcessLauncher
from tests.processes import gone, soon
from tests.stacks.conftest import APP, MakeStack

LIMIT_S = 60


def ask(running: RunningStack, path: str) -> Any:
    with urlopen(running.base_url + path, timeout=LIMIT_S) as answer:
        return json.load(answer)


def failure(launcher: ProcessLauncher, stack: Any) -> StartError:
    with pytest.raises(StartError) as caught, launcher.start(stack):
        pass
    return caught.value


# --- a launch that goes well ------------------------------------------------------------------------


def test_a_stack_answers_once_it_is_up(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = make_stack(settings={"journal_mode": "WAL"}, packages=("pytest",))
    with launcher.start(stack) as running:
        assert running.base_url.startswith("http://127.0.0.1:")
        assert ask(running, "/") == "ok"
        assert ask(running, "/folder") == str(stack.folder)
        assert running.ended() is None
        assert running.log_tail() == "serving"
        assert running.reachable_inside
        launch = running.launch
    assert (tmp_path / "logs" / "tiny-1.log").read_text() == "serving\n"
    assert launch.launcher == "process"
    assert launch.startup_s is not None
    assert launch.startup_s > 0
    assert launch.versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert launch.versions["pytest"] == pytest.__version__
    assert launch.packages == ("pytest",)
    assert launch.config == {
        "workers": 1,
        "threads": "-",
        "command": "{python} app.py --fd={fd}",
        "network": "loopback (127.0.0.1), no proxy",
        "journal_mode": "WAL",
    }


FORKING = APP.replace(
    "server = http.server",
    "for _ in range(int(sys.argv[2])):\n"
    "    if os.fork() == 0:\n"
    "        break\n"
    "else:\n"
    "    os.wait()\n"
    "server = http.server",
)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    ("program", "words", "known"),
    [(APP, (), (1, "-")), (APP, ("{workers}x{threads}",), (1, 2)), (FORKING, ("3", "{threads}"), (3, 2))],
    ids=["untold", "deaf", "forking"],
)
def test_workers_and_threads_are_those_in_force(
    launcher: ProcessLauncher,
    make_stack: MakeStack,
    program: str,
    words: tuple[str, ...],
    known: tuple[int, int | str],
) -> None:
    with launcher.start(make_stack(program, "--fd={fd}", *words)) as running:
        config = running.launch.config
    assert (config["workers"], config["threads"]) == known


def test_two_locks_in_one_folder_have_environments_of_their_own(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def environment_of(stack: Stack, *_: object) -> Path:
        python = tmp_path / "environments" / str(stack.lock) / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        return python

    monkeypatch.setattr(process, "ensure_environment", environment_of)
    monkeypatch.setattr(process, "installed_versions", lambda python: {"python": python.parent.name})
    stacks = [make_stack(APP, "--fd={fd}", "{python}", name=name, lock=f"{name}.lock") for name in "ab"]
    for stack in stacks:
        launcher.prepare(stack)
    for stack in stacks:
        with launcher.start(stack) as running:
            assert Path(ask(running, "/arguments")[1]).parent.name == stack.lock
            assert running.launch.versions == {"python": stack.lock}


def test_placeholders_are_filled(make_stack: MakeStack, tmp_path: Path) -> None:
    launcher = ProcessLauncher(cache=tmp_path / "cache", logs=tmp_path / "logs", workers=3, threads=5)
    words = ("--fd={fd}", "{bind}", "{host}:{port}", "{workers}x{threads}", "{data_dir}", "{python}")
    with launcher.start(make_stack(APP, *words, "{other}", env=(("DB", "{data_dir}/x.db"),))) as running:
        fd, bind, address, *rest = ask(running, "/arguments")
        assert f"http://{address}" == running.base_url
        assert bind == f"fd://{fd.removeprefix('--fd=')}"
        data_dir = str(Path(running.put_file("x", b"")).parent)
        assert rest == ["3x5", data_dir, sys.executable, "{other}"]
        assert ask(running, "/environment")["DB"] == f"{data_dir}/x.db"


def test_a_command_that_takes_a_port_alone_gets_a_free_one(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    with launcher.start(make_stack(APP, "--port={port}")) as running:
        assert ask(running, "/") == "ok"


def test_only_this_machine_can_reach_it(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    with launcher.start(make_stack()) as running:
        connections = psutil.Process(ask(running, "/pid")).net_connections("inet")
        listening = [each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN]
        assert listening == ["127.0.0.1"]


def test_a_stack_sees_no_more_of_our_environment_than_it_needs(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "PYTHONSTARTUP", "HTTP_PROXY", "GUNICORN_CMD_ARGS"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    with launcher.start(make_stack()) as running:
        seen = ask(running, "/environment")
    assert "secret" not in seen.values()
    assert set(seen) - {"LC_ALL", "LC_CTYPE", "TZ"} == {
        "HOME",
        "LANG",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "TMPDIR",
    }
    assert seen["HOME"] != os.environ.get("HOME")
    assert seen["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_two_launches_share_nothing(launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack()
    with launcher.start(stack) as one, launcher.start(stack) as two:
        assert one.base_url != two.base_url
        assert one.put_file("x", b"1") != two.put_file("x", b"2")
        assert ask(one, "/pid") != ask(two, "/pid")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["tiny-1.log", "tiny-2.log"]


def test_the_log_of_a_launch_by_another_process_of_the_run_is_kept(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "tiny-1.log").write_text("of a fork")
    with launcher.start(make_stack()):
        pass
    assert (tmp_path / "logs" / "tiny-1.log").read_text() == "of a fork"
    assert (tmp_path / "logs" / "tiny-2.log").read_text() == "serving\n"


def test_a_ready_exchange_is_sent_with_its_headers_and_body(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    program = APP.replace(
        "def do_GET(self):",
        "def do_POST(self):\n"
        "        body = self.rfile.read(int(self.headers['Content-Length']))\n"
        "        seen = [self.headers['Content-Type'], self.headers['X-Key'], body.decode()]\n"
        "        body = json.dumps(seen).encode()\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', str(len(body)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(body)\n\n"
        "    def do_GET(self):",
    )
    ready = Exchange(
        request=Request(method="POST", path="/", body="{}", headers=(("X-Key", "k"),)),
        answer=Answer(rule=BodyRule.JSON, json=["application/json", "k", "{}"]),
    )
    with launcher.start(make_stack(program, ready=ready)) as running:
        assert running.ended() is None


def test_the_proxies_of_the_environment_are_not_asked(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with launcher.start(make_stack()) as running:
        assert running.ended() is None


# --- what prepares it -------------------------------------------------------------------------------

NOTE = """
import os, sys
with open(sys.argv[1], "a") as file:
    print("prepared", *sys.argv[2:], os.getcwd(), file=file)
print("made the table")
"""


def prepared(make_stack: MakeStack, *programs: str, **changes: Any) -> Stack:
    """A stack with workers that is prepared by ``programs``, each a file of its own."""
    changes["prepare"] = tuple(
        ("{python}", f"prepare{number}.py", "{data_dir}/note", "{workers}") for number in range(len(programs))
    )
    stack = make_stack(FORKING, "--fd={fd}", "{workers}", **changes)
    for number, program in enumerate(programs):
        (stack.folder / f"prepare{number}.py").write_text(program)
    return stack


def test_each_launch_is_prepared_once_before_the_workers_start(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path
) -> None:
    second = NOTE + "assert len(open(sys.argv[1]).readlines()) == 2"
    stack = prepared(make_stack, NOTE, second)
    for number in (1, 2):
        with launcher.start(stack) as running:
            note = running.data_dir / "note"
            assert note.read_text() == f"prepared 2 {stack.folder}\n" * 2
            assert running.launch.config["workers"] == 2
            assert "made the table" not in running.log_tail()
        log = tmp_path / "logs" / f"tiny-{number}-prepare.log"
        assert log.read_text() == "made the table\n" * 2


def test_a_command_that_prepares_sees_what_the_server_sees(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    program = "import json, os, sys\njson.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    with launcher.start(prepared(make_stack, program, env=(("DB", "{data_dir}/x.db"),))) as running:
        assert json.loads((running.data_dir / "note").read_text()) == ask(running, "/environment")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit(3)", "exited with code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal SIGKILL"),
    ],
)
def test_a_preparation_that_fails_says_why(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path, program: str, message: str
) -> None:
    error = failure(
        launcher, prepared(make_stack, NOTE, f"print('no such table', flush=True); {program}", NOTE)
    )
    command = "'{python}' prepare1.py '{data_dir}/note' '{workers}'"
    assert error.message == f"tiny was not prepared: {command} {message}"
    assert error.evidence == "no such table"
    assert (tmp_path / "logs" / "tiny-1-prepare.log").read_text().count("made the table") == 1
    assert not (tmp_path / "logs" / "tiny-1.log").exists()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_preparation_that_cannot_be_run(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    error = failure(launcher, make_stack(prepare=(("no-such-program", "init-db"),)))
    assert error.message == "tiny cannot be prepared: no-such-program: No such file or directory"
    assert error.hint == "is the first word of no-such-program init-db in its environment?"


ENDLESS = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
with open("pids.new", "w") as file:
    print(os.getpid(), child.pid, file=file)
os.rename("pids.new", "pids")
print("waits", flush=True)
time.sleep(600)
"""


def test_a_preparation_without_end_is_ended_with_all_that_it_started(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    launcher = ProcessLauncher(cache=tmp_path, logs=tmp_path / "logs", start_timeout_s=2.0)
    stack = prepared(make_stack, ENDLESS)
    error = failure(launcher, stack)
    command = "'{python}' prepare0.py '{data_dir}/note' '{workers}'"
    assert error.message == f"tiny was not prepared within 2 s: {command} did not end"
    assert error.evidence == "waits"
    assert "--webbench-start-timeout" in error.hint
    assert not any(psutil.pid_exists(int(pid)) for pid in (stack.folder / "pids").read_text().split())
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_interrupt_ends_a_preparation(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path
) -> None:
    stack = prepared(make_stack, ENDLESS)

    def interrupt() -> None:
        soon((stack.folder / "pids").exists)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt), launcher.start(stack):
        pass
    assert not any(psutil.pid_exists(int(pid)) for pid in (stack.folder / "pids").read_text().split())
    assert list((tmp_path / "tmp").iterdir()) == []


# --- the way in -------------------------------------------------------------------------------------


@pytest.fixture
def running(launcher: ProcessLauncher, make_stack: MakeStack) -> Iterator[RunningStack]:
    with launcher.start(make_stack()) as running:
        yield running


def test_files_are_put_into_the_data_folder_of_the_launch(running: RunningStack) -> None:
    path = Path(running.put_file("a.bin", b"\x00\xff"))
    assert path.read_bytes() == b"\x00\xff"
    assert path.parent.name == "data"


def test_commands_run_under_the_stacks_python_beside_its_data(
    running: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    program = running.put_file(
        "say.py",
        b"import os, sys\n"
        b"print(sys.executable, sys.argv[1], os.getcwd(), 'SECRET' in os.environ, sys.flags.isolated)",
    )
    output = running.execute(["{data_dir}/say.py", "{data_dir}/y"])
    folder = str(Path(program).parent)
    assert output.decode().split() == [sys.executable, f"{folder}/y", folder, "False", "1"]


def test_a_command_that_fails_says_why(running: RunningStack) -> None:
    with pytest.raises(SeedError) as caught:
        running.execute(["-c", "import sys; sys.exit('no such table')"])
    assert str(caught.value) == "a command beside tiny failed with code 1\n    no such table"


def test_a_command_that_does_not_end_is_given_up(
    running: RunningStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "EXECUTE_TIMEOUT_S", 0.2)
    with pytest.raises(SeedError, match=r"^a command beside tiny did not end within 0\.2 s$"):
        running.execute(["-c", "import sys; sys.stdin = open(0); import time; time.sleep(600)"])


def test_the_end_of_a_long_log_is_kept(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    program = "for number in range(100): print('line', number)\nprint('\\udcff', end='\\xff')\n" + APP
    program = program.replace("print('\\udcff', end='\\xff')", "import os; os.write(1, b'\\xff\\n')")
    with launcher.start(make_stack(program)) as running:
        lines = running.log_tail().splitlines()
    assert len(lines) == 15
    assert lines[-3:] == ["line 99", "�", "serving"]


# --- a launch that goes wrong -----------------------------------------------------------------------


def test_an_application_that_exits_at_import(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    error = failure(launcher, make_stack("import not_there"))
    assert error.message == "tiny did not start: it exited with code 1"
    assert error.evidence.endswith("ModuleNotFoundError: No module named 'not_there'")
    assert error.hint == (
        "the last lines of its log say why; start the command by hand in the stack's folder"
    )


def test_an_application_that_never_answers_is_ended(make_stack: MakeStack, tmp_path: Path) -> None:
    launcher = ProcessLauncher(cache=tmp_path, logs=tmp_path / "logs", start_timeout_s=2.0)
    program = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    error = failure(launcher, make_stack(program))
    assert re.fullmatch(
        r"tiny did not become ready within 2 s \(GET / failed: \[Errno \d+\] Connection refused\)",
        error.message,
    )
    assert not psutil.pid_exists(int(error.evidence))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert error.hint == "see the log above; a slow machine may need --webbench-start-timeout"


MUTE = """
import socket, sys, time
listener = socket.socket(fileno=int(sys.argv[1].removeprefix("--fd=")))
listener.listen()
time.sleep(600)
"""


def test_an_application_that_takes_connections_and_is_mute(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_start_timeout_s", 1.5)
    error = failure(launcher, make_stack(MUTE))
    assert error.message.startswith(
        "tiny did not become ready within 2 s (GET / failed: no response came within "
    )
    assert "--webbench-start-timeout" in error.hint


def test_an_application_that_answers_wrongly(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "WRONG_RESPONSE_PATIENCE_S", 0.05)
    error = failure(launcher, make_stack(APP.replace("send_response(200)", "send_response(500)")))
    assert re.fullmatch(
        r"tiny did not become ready within \d+ s "
        r"\(GET /: the status is 500, expected 200; the body is '\"ok\"'\)",
        error.message,
    )
    assert error.evidence == "serving"


def test_a_server_may_answer_wrongly_while_it_warms_up(
    launcher: ProcessLauncher, make_stack: MakeStack
) -> None:
    program = APP.replace(
        "self.send_response(200)", "self.send_response(503 if next(count) < 3 else 200)"
    ).replace("class Handler", "import itertools\ncount = itertools.count()\nclass Handler")
    with launcher.start(make_stack(program)) as running:
        assert ask(running, "/") == "ok"


def test_a_port_that_is_taken(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = failure(launcher, make_stack(APP, f"--port={port}"))
    assert error.message == "tiny did not start: it exited with code 1"
    assert "Address already in use" in error.evidence
    assert error.hint == (
        "another process has its port: end that one, or let the command use {bind}, {fd} or {port}"
    )


def test_a_command_that_is_not_there(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path
) -> None:
    error = failure(launcher, make_stack(command=("no-such-program", "{fd}")))
    assert error.message == "tiny cannot be started: no-such-program: No such file or directory"
    assert error.hint == "is the first word of its command in its environment?"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_that_is_not_there(launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path) -> None:
    stack = make_stack(folder=tmp_path / "absent")
    with pytest.raises(InstallError) as caught:
        launcher.prepare(stack)
    assert str(caught.value) == f"the folder of tiny is not there: {tmp_path / 'absent'}"


# --- its end ----------------------------------------------------------------------------------------

WITH_WORKERS = (
    """
import os, subprocess, sys
for _ in range(2):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
"""
    + APP
)
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + APP


def family(running: RunningStack) -> list[psutil.Process]:
    leader = psutil.Process(ask(running, "/pid"))
    return [leader, *leader.children(recursive=True)]


def test_one_that_is_killed_says_by_which_signal(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    with launcher.start(make_stack()) as running:
        running.process.kill()
        running.process.wait(LIMIT_S)
        assert running.ended() == "it was ended by signal SIGKILL"


def test_one_that_ends_says_with_which_code(launcher: ProcessLauncher, make_stack: MakeStack) -> None:
    program = APP.replace('"/pid": os.getpid()', '"/pid": os._exit(7) if self.path == "/pid" else 0')
    with launcher.start(make_stack(program)) as running:
        with pytest.raises(OSError, match=r"closed|reset"):
            ask(running, "/pid")
        running.process.wait(LIMIT_S)
        assert running.ended() == "it exited with code 7"


@pytest.mark.parametrize("program", [WITH_WORKERS, STUBBORN], ids=["workers", "stubborn"])
def test_everything_is_gone_after_the_context(
    launcher: ProcessLauncher,
    make_stack: MakeStack,
    tmp_path: Path,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launcher, "_grace_s", 0.1)
    with launcher.start(make_stack(program)) as running:
        processes = family(running)
        assert len(list((tmp_path / "tmp").iterdir())) == 1
    assert gone(processes)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("boo"), KeyboardInterrupt()])
def test_everything_is_gone_after_an_exception(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path, error: BaseException
) -> None:
    processes: list[psutil.Process] = []

    def launch_and_fail() -> None:
        with launcher.start(make_stack(WITH_WORKERS)) as running:
            processes.extend(family(running))
            raise error

    with pytest.raises(type(error)):
        launch_and_fail()
    assert len(processes) == 3
    assert gone(processes)
    assert list((tmp_path / "tmp").iterdir()) == []


DAEMON = (
    """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("daemon", "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists("daemon") or not open("daemon").read():
    pass
"""
    + STUBBORN
)


def with_daemon(running: RunningStack) -> list[psutil.Process]:
    return [*family(running), psutil.Process(int((running.stack.folder / "daemon").read_text()))]


linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's care for orphans is Linux's")


@linux
def test_a_daemon_of_a_server_is_gone_after_the_launch_and_not_in_its_figures(
    launcher: ProcessLauncher, make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "_grace_s", 0.1)
    with launcher.start(make_stack(DAEMON)) as running:
        assert running.server_pid == ask(running, "/pid")
        processes = with_daemon(running)
        assert set(process_tree(running.process.pid)) == {ask(running, "/pid")}
    assert not any(each.is_running() for each in processes)


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_grace_period_leaves_nothing(
    launcher: ProcessLauncher, make_stack: MakeStack, tmp_path: Path, number: signal.Signals
) -> None:
    """The first signal ends the run in the very moment in which a server that does not end is waited for."""
    interrupts = Interrupts()
    interrupts.pytest_sessionstart()
    threads = []

    def interrupt_later() -> None:
        with launcher.start(make_stack(DAEMON)) as running:
            processes.extend(with_daemon(running))
            threads.append(threading.Timer(0.5, os.kill, (os.getpid(), number)))
            threads[0].start()

    processes: list[psutil.Process] = []
    try:
        with pytest.raises(KeyboardInterrupt, match=number.name):
            interrupt_later()
    finally:
        threads[0].join()
        interrupts.pytest_unconfigure()
    assert len(processes) == 2
    assert not any(each.is_running() for each in processes)
    assert list((tmp_path / "tmp").iterdir()) == []


OWNER = """
import os, signal, sys
from pathlib import Path
from pytest_webbench.stacks.process import ProcessLauncher
from pytest_webbench.model.stack import Stack

folder = Path(sys.argv[1])
stack = Stack(name="tiny", folder=folder / "app", command=("{python}", "app.py", "--fd={fd}"))
with ProcessLauncher(cache=folder, logs=folder / "logs").start(stack) as running:
    running.execute(["-c", "1"])
    print(running.process.pid, flush=True)
    signal.pause()
"""


@linux
def test_nothing_of_a_stack_outlives_us_if_we_are_killed(make_stack: MakeStack, tmp_path: Path) -> None:
    """Not even a server that does not end when it is asked to, its daemon, or the folder of the launch."""
    make_stack(DAEMON)
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout is not None
            server = psutil.Process(int(owner.stdout.readline()))
            everything = [
                *psutil.Process(owner.pid).children(recursive=True),
                psutil.Process(int((tmp_path / "app" / "daemon").read_text())),
            ]
        finally:
            owner.send_signal(signal.SIGKILL)
    assert server in everything
    assert len(everything) >= 5  # two supervisors, the server and its daemon, the server of commands
    assert gone(everything)
    assert soon(lambda: list((tmp_path / "tmp").iterdir()) == [])
