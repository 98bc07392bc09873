"""What is said, before anything is launched, where Valgrind cannot count."""

import platform
import shutil
import sys
from pathlib import Path

import pytest

from pytest_webbench.host.meters.valgrind import refuse_without_valgrind, version_of
from pytest_webbench.model.errors import UsageError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that alone is in PATH, on a machine of the right kind."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_valgrind_the_package_is_named(tools: Path) -> None:
    program(tools, "apt-get", "exit 1")
    with pytest.raises(UsageError, match="needs Valgrind, and valgrind is not in PATH") as caught:
        refuse_without_valgrind()
    assert caught.value.hint.startswith("apt install valgrind")
    program(tools, "valgrind", "echo valgrind-3.22.0")
    with pytest.raises(UsageError, match="vgdb, which belongs to Valgrind, is not in PATH"):
        refuse_without_valgrind()


@pytest.mark.parametrize("said", ["valgrind-3.18.1", "valgrind-2.0", "something"])
def test_an_old_valgrind_is_refused(tools: Path, said: str) -> None:
    program(tools, "vgdb", "exit 0")
    program(tools, "valgrind", f"echo {said}")
    with pytest.raises(UsageError, match=rf"needs Valgrind 3\.19 or newer, and .*{said}"):
        refuse_without_valgrind()


def test_versions_are_numbers_not_texts() -> None:
    assert version_of("valgrind-3.9.0") == (3, 9)
    assert version_of("valgrind-3.24.0.GIT") == (3, 24)
    assert version_of("") is None


def test_a_valgrind_that_lacks_the_symbols_of_libc_says_which_package_has_them(tools: Path) -> None:
    program(tools, "vgdb", "exit 0")
    program(
        tools,
        "valgrind",
        '[ "$1" = --version ] && echo valgrind-3.19.0 && exit\n'
        'echo "valgrind:  Fatal error at startup: a function redirection" >&2\n'
        'echo "valgrind:  which is mandatory for this platform-tool combination" >&2\nexit 1',
    )
    with pytest.raises(UsageError, match="lacks the symbols of the C library") as caught:
        refuse_without_valgrind()
    assert "apt install libc6-dbg" in caught.value.hint
    assert "mandatory" in caught.value.evidence


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("linux", "aarch64")])
def test_other_machines_are_refused(
    tools: Path, system: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(UsageError, match="counts processes on Linux on x86-64 only"):
        refuse_without_valgrind()


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("valgrind"), reason="needs Valgrind")
def test_the_one_of_this_machine_is_fit() -> None:
    refuse_without_valgrind()


@pytest.mark.skipif(platform.machine() != "x86_64" or sys.platform != "linux", reason="another message there")
def test_a_run_without_valgrind_ends_with_code_4_before_anything_is_launched(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    cache = pytester.path / "cache"
    result = pytester.runpytest(
        "-p",
        "pytest_benchmark.plugin",
        "-p",
        "pytest_webbench.plugin",
        "--webbench",
        "--webbench-measure=instructions",
        "--webbench-launcher=process",
        "--webbench-stack=flask-sqlite3",
        f"--webbench-cache={cache}",
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs Valgrind*not in PATH*"])
    assert not cache.exists()
