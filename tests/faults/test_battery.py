"""Servers that are wrong, slow, hostile or dying: each fails alone and says why, within bounds."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import SERVER, Face, Faced

GOOD = "good"

UNDER_LOAD: Mapping[str, str] = {
    "wrong": '"n" is 2, expected 1',
    "error": "the status is 500, expected 200",
    "redirect": "the status is 302, expected 200",
    "script": r"</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J",
    "deep": "the body is nested too deeply",
    "long-number": "the body is not JSON",
    "not-text": "the body is not UTF-8",
    "truncated": "the connection ended after 74 bytes",
    "reset": "the connection was cut",
    "hung-up": "the connection was closed without",
    "closing": "requests failed (",
    "death": "it exited with code 3",
    "killed": "it was ended by signal SIGKILL",
    "endless-head": "the headers are longer than 65536 bytes",
    "endless-header": "the headers are longer than 65536 bytes",
    "endless-hints": "the headers are longer than 65536 bytes",
    "huge": "far more than expected",
    "endless-chunks": "far more than expected",
    "until-close": "far more than expected",
    "bomb": "far more than expected",
    "bad-chunk": "chunk size",
    "vast-chunk": "Chunk size overflow",
    "length-and-chunks": "Transfer-Encoding can't be present with Content-Length",
    "two-lengths": "Duplicate Content-Length",
    "negative-length": "Content-Length",
    "no-head": "does not begin with HTTP/",
    "http2": "HTTP/2",
    "garbage": "TLS",
    "twice": "bytes came after the end",
    "body-of-204": "a 204 has no body, but 5 bytes followed",
    "upgrade": "another protocol",
}
"""What servers do once they are loaded, and what the failure of their benchmark must hold."""

AT_ONCE: Mapping[str, tuple[str, str]] = {
    "import-error": ("import-error", "No module named 'no_such_module_at_all'"),
    "exit": ("exit", "fatal: cannot read the configuration"),
    "never-listens": ("never-listens", "3 s"),
    "mute": ("mute,from=0", "3 s"),
    "drip": ("drip,from=0", "3 s"),
    "drip-head": ("drip-head,from=0", "3 s"),
    "drip-body": ("drip-body,from=0", "3 s"),
    "endless-hints": ("endless-hints,from=0", "65536"),
    "endless-head": ("endless-head,from=0", "65536"),
    "huge": ("huge,from=0", "more than"),
    "bomb": ("bomb,from=0", "far more than expected"),
    "deep": ("deep,from=0", "nested too deeply"),
    "drip-check": ("drip-body,from=1,s=1", "4 s"),
    "mute-check": ("mute,from=1", "4 s"),
}
"""What servers do from their first request on, or in the check (``from=1``), and what must be said."""

MEMORY_MIB = 300
"""More than pytest with the plugin and its report holds, and less than any of the endless responses."""


@pytest.fixture(scope="module")
def loaded(face: Face) -> Faced:
    """One run against all that go wrong under load, and one server that is right, and measured alone."""
    return face({GOOD: GOOD} | {mood: mood for mood in UNDER_LOAD}, "--webbench-request-timeout=4")


@pytest.mark.alone
@pytest.mark.parametrize("mood", UNDER_LOAD)
def test_what_goes_wrong_under_load_fails_with_its_reason(loaded: Faced, mood: str) -> None:
    assert UNDER_LOAD[mood] in loaded.failure(mood)
    assert "Traceback" not in loaded.failure(mood)


@pytest.mark.alone
def test_others_do_not_suffer_from_them(loaded: Faced) -> None:
    assert loaded.failure(GOOD) == ""
    assert loaded.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in loaded.text
    assert f"{len(UNDER_LOAD)} failed, 1 passed" in loaded.text


@pytest.mark.alone
def test_none_of_them_becomes_a_baseline(loaded: Faced) -> None:
    sound = [name for name, row in loaded.rows().items() if ": invalid" not in row["group"]]
    assert {name.partition("[")[2] for name in sound} == {f"{GOOD}]"}


@pytest.mark.alone
def test_nothing_of_theirs_steers_the_terminal(loaded: Faced) -> None:
    assert "\x1b" not in loaded.text


@pytest.mark.alone
def test_memory_is_bounded_under_load(loaded: Faced) -> None:
    assert loaded.peak_mib < MEMORY_MIB


@pytest.fixture(scope="module")
def started(face: Face) -> Faced:
    """One run against all that go wrong before they are loaded."""
    moods = {name: mood for name, (mood, _) in AT_ONCE.items()}
    return face({GOOD: GOOD} | moods, "--webbench-start-timeout=3", "--webbench-request-timeout=4")


@pytest.mark.parametrize("name", AT_ONCE)
def test_what_goes_wrong_before_the_load_fails_with_its_reason(started: Faced, name: str) -> None:
    assert AT_ONCE[name][1] in started.failure(name)


def test_the_wait_for_them_is_bounded_and_others_are_measured(started: Faced) -> None:
    assert started.failure(GOOD) == ""
    assert started.exit_code == pytest.ExitCode.TESTS_FAILED
    assert started.peak_mib < MEMORY_MIB


def test_a_server_that_is_slow_to_start_is_waited_for(face: Face) -> None:
    assert face({"late": "late,s=1"}).exit_code == pytest.ExitCode.OK


def test_responses_of_older_servers_are_measured(face: Face) -> None:
    assert face({"old": "old", "old-kept": "old-kept"}).exit_code == pytest.ExitCode.OK


@pytest.mark.alone
def test_more_than_a_server_can_take_is_invalid_and_fails(face: Face) -> None:
    words = ("--webbench-rate=200", "--webbench-duration=1")
    faced = face({"busy": "busy,s=0.02"}, *words, amount={"duration_s": 1})
    assert faced.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "the rate is more than the server" in faced.failure("busy")


@pytest.mark.alone
def test_an_open_loop_on_a_fast_server_is_valid(face: Face) -> None:
    words = ("--webbench-rate=500", "--webbench-duration=1")
    faced = face({GOOD: GOOD}, *words, amount={"duration_s": 1})
    assert faced.exit_code == pytest.ExitCode.OK
    assert "INVALID" not in faced.text


@pytest.mark.parametrize("mood", ["ignores-term", "daemon"])
def test_nothing_of_a_server_is_left(face: Face, mood: str) -> None:
    faced = face({mood: mood})
    assert faced.exit_code == pytest.ExitCode.OK
    assert servers_of(faced.folder) == []


def servers_of(folder: Path) -> list[list[str]]:
    """The command lines of the processes that serve from ``folder``."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = process.cmdline()
            if str(folder / SERVER) in command:
                found.append(command)
    return found
