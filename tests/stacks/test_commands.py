"""Commands beside a stack: each is as if it had an interpreter of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pytest_webbench.stacks.commands import Commands

LIMIT_S = 60.0


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    with Commands(Path(sys.executable), tmp_path, {"PATH": os.defpath, "MARK": "x"}) as commands:
        yield commands


def run(commands: Commands, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return commands.run(arguments, timeout_s=LIMIT_S)


PROGRAMS = {
    "prints": "import sys; print(sys.argv[1:], __name__); print('beside', file=sys.stderr)",
    "exits with a code": "raise SystemExit(3)",
    "exits with words": "import sys; sys.exit('no such table')",
    "prints at exit": "import atexit; atexit.register(print, 'late')",
    "prints from a thread": "import threading as t; t.Thread(target=print, args=('aside',)).start()",
    "prints bytes": "import os; os.write(1, bytes(range(256)) * 400)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "reads its input": "import sys; print(repr(sys.stdin.read()))",
    "says where and how it runs": "import os, sys; print(os.getcwd(), os.getenv('MARK'), sys.flags.isolated)",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
@pytest.mark.parametrize("as_file", [False, True], ids=["-c", "file"])
def test_it_is_what_an_interpreter_of_its_own_makes_of_it(
    commands: Commands, program: str, as_file: bool, tmp_path: Path
) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    arguments = [str(file), "one", "two"] if as_file else ["-c", program, "one", "two"]
    own = subprocess.run(
        [sys.executable, "-I", *arguments],
        cwd=tmp_path,
        env={"PATH": os.defpath, "MARK": "x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    done = run(commands, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (own.returncode, own.stdout, own.stderr)


def test_a_module_is_run(commands: Commands) -> None:
    done = run(commands, "-m", "calendar", "2024", "2")
    assert done.returncode == 0
    assert b"February 2024" in done.stdout


def test_an_exception_is_the_end_of_its_errors(commands: Commands) -> None:
    done = run(commands, "-c", "{}['missing']")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == "KeyError: 'missing'"


def test_nothing_stays_from_one_to_the_next(commands: Commands) -> None:
    first = "import builtins, json, os; builtins.mine = json.mine = 1; os.chdir('/'); os.environ['NEW'] = '1'"
    assert run(commands, "-c", first).returncode == 0
    second = "import builtins, json, os; print(hasattr(builtins, 'mine'), hasattr(json, 'mine'), os.getcwd())"
    done = run(commands, "-c", second + "; print('NEW' in os.environ)")
    assert done.stdout.decode().split()[:2] == ["False", "False"]
    assert done.stdout.decode().split()[2] != "/"
    assert done.stdout.decode().split()[3] == "False"


def test_one_that_takes_too_long_is_ended_and_the_next_one_runs(commands: Commands) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        commands.run(["-c", "import time; time.sleep(600)"], timeout_s=0.2)
    assert run(commands, "-c", "print(1)").stdout == b"1\n"


def test_a_server_that_was_killed_is_told_and_replaced(commands: Commands) -> None:
    parent = int(run(commands, "-c", "import os; print(os.getppid())").stdout)
    with pytest.raises(OSError, match=r"^the server of commands ended with code -9$"):
        run(commands, "-c", f"import os, signal, time; os.kill({parent}, signal.SIGKILL); time.sleep(600)")
    assert run(commands, "-c", "print(1)").stdout == b"1\n"


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    with (
        Commands(tmp_path / "python", tmp_path, {}) as commands,
        pytest.raises(FileNotFoundError),
    ):
        run(commands, "-c", "print(1)")


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    with Commands(Path(sys.executable), tmp_path, {}) as commands:
        server = int(run(commands, "-c", "import os; print(os.getppid())").stdout)
        assert psutil.pid_exists(server)
    assert not psutil.pid_exists(server)


def test_a_command_under_way_ends_with_the_context(tmp_path: Path) -> None:
    """As when Ctrl-C comes while one runs."""

    class InterruptError(Exception):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise InterruptError

    program = (
        'import os, signal, time; open("pid", "w").write(str(os.getpid())); '
        f"os.kill({os.getpid()}, signal.SIGUSR1); time.sleep(600)"
    )
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(InterruptError), Commands(Path(sys.executable), tmp_path, {}) as commands:
            run(commands, "-c", program)
    finally:
        signal.signal(signal.SIGUSR1, before)
    child = int((tmp_path / "pid").read_text())
    with suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(LIMIT_S)
