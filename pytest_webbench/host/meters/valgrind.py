"""Checks whether Valgrind can count on this machine, before anything is launched."""

import platform
import re
import shutil
import subprocess
import sys

from pytest_webbench.model.errors import UsageError

__all__ = ["refuse_without_valgrind", "version_of"]

OLDEST = (3, 19)
TRIAL_TIMEOUT_S = 60
_INSTEAD = "use --webbench-launcher=container with an image for x86-64, or --webbench-measure=time"


def refuse_without_valgrind() -> None:
    """Raise :class:`~pytest_webbench.model.errors.UsageError` unless this machine can count processes.

    That takes Linux on x86-64 with a working Valgrind 3.19 or newer.
    """
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise UsageError(
            "--webbench-measure=instructions counts processes on Linux on x86-64 only, and this is "
            f"{platform.system()} on {platform.machine()}",
            hint=_INSTEAD,
        )
    program = shutil.which("valgrind")
    if program is None or shutil.which("vgdb") is None:
        missing = "valgrind" if program is None else "vgdb, which belongs to Valgrind,"
        raise UsageError(
            f"--webbench-measure=instructions needs Valgrind, and {missing} is not in PATH", hint=_install()
        )
    _refuse_old(program)
    _try(program)


def version_of(output: str) -> tuple[int, int] | None:
    """Return the version in the output of ``valgrind --version``; ``None`` if there is none."""
    found = re.search(r"(\d+)\.(\d+)", output)
    return (int(found[1]), int(found[2])) if found else None


def _refuse_old(program: str) -> None:
    said = _run(program, "--version")
    version = version_of(said.stdout)
    if version is None or version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise UsageError(
            f"--webbench-measure=instructions needs Valgrind {oldest} or newer, and {program} says "
            f"{said.stdout.strip() or said.stderr.strip() or 'nothing'!r}",
            hint="install a newer one: Debian 12, Ubuntu 22.10 and Fedora 36 have it",
        )


def _try(program: str) -> None:
    """Run a program that does nothing under it."""
    done = _run(program, "--tool=callgrind", "--vgdb=no", "--callgrind-out-file=/dev/null", "-q", "true")
    if not done.returncode:
        return
    symbols = "function redirection" in done.stderr
    raise UsageError(
        "Valgrind does not run on this machine"
        + (
            ": it lacks the symbols of the C library"
            if symbols
            else f" (it ended with code {done.returncode})"
        ),
        evidence="\n".join(done.stderr.strip().splitlines()[:12]),
        hint="install the debug symbols of the C library: apt install libc6-dbg (Debian, Ubuntu), or "
        "dnf debuginfo-install glibc (Fedora)"
        if symbols
        else "see what it says above; valgrind true should end without an error",
    )


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRIAL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(
            f"Valgrind does not run on this machine: {error}",
            hint="valgrind true should end without an error",
        ) from None


def _install() -> str:
    """Return the command that installs it here."""
    for manager, command in (
        ("apt-get", "apt install valgrind libc6-dbg"),
        ("dnf", "dnf install valgrind"),
        ("zypper", "zypper install valgrind"),
        ("pacman", "pacman -S valgrind debuginfod"),
        ("apk", "apk add valgrind"),
    ):
        if shutil.which(manager):
            return f"{command}, or {_INSTEAD}"
    return f"install the package valgrind, or {_INSTEAD}"
