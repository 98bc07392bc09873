"""The battery under k6 and under Locust: what each of them reads must come out as it does natively."""

from collections.abc import Mapping

import pytest

from tests.faults.conftest import Face
from tests.faults.test_battery import GOOD, UNDER_LOAD
from tests.faults.watching import Watched, watch

pytestmark = pytest.mark.slow

DRIPS: Mapping[str, str] = {
    "drip-head": "bytes of the response, but not all, came within 2",
    "drip-body": "bytes of the response, but not all, came within 2",
    "mute": "no response came within 2",
}
K6_READS: Mapping[str, str] = {
    "wrong": '"n" is 2, expected 1',
    "error": "the status is 500, expected 200",
    "redirect": "the status is 302, expected 200",
    "script": r"</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J",
    "deep": "the body is not the one expected",
    "long-number": "the body is not the one expected",
    "not-text": "the body is not JSON",
    "truncated": "the connection ended in the middle of the response",
    "reset": "the connection ended without a response",
    "hung-up": "the connection ended without a response",
    "death": "it exited with code 3",
    "killed": "it was ended by signal SIGKILL",
    **dict.fromkeys(("endless-head", "endless-hints"), "server response headers exceeded"),
    "huge": "k6 was ended: it took",
    "endless-chunks": "k6 was ended: it took",
    "until-close": "k6 was ended: it took",
    "bomb": "k6 was ended: it took",
    "bad-chunk": "invalid byte in chunk length",
    "vast-chunk": "http chunk length too large",
    "two-lengths": "multiple Content-Length headers",
    "negative-length": 'bad Content-Length "-1"',
    "no-head": "malformed HTTP",
    "http2": "no complete response within the timeout",
    "garbage": "TLS",
    "body-of-204": "the status is 204, expected 200",
    "upgrade": "101 Switching Protocols",
    **dict.fromkeys(DRIPS, "no complete response within the timeout"),
}
"""What is not here, Go's client puts up with: docs/engines.md says so."""

LATE_TOO = dict.fromkeys(("endless-head", "endless-hints"), "no complete response within the timeout")
"""Go reads 10 MiB of headers, for which the time may be too short on a machine that is busy."""
RIGHT = {GOOD: GOOD, "old": "old", "old-kept": "old-kept"}
"""Older servers are valid, too: they respond in HTTP/1.0, and close the connection or keep it."""
WHAT = {"k6": K6_READS, "locust": {**UNDER_LOAD, **DRIPS}}
MEMORY_MIB = {"k6": 2500, "locust": 400}
"""k6 may take 2 GiB and two responses; it reads on between two looks. Locust reads no more than is due."""
LONGEST_S = 360.0
"""For a run of 35 servers on a machine that is busy, with 10 s for each of those that drip."""


@pytest.fixture(scope="module", params=WHAT)
def loaded(request: pytest.FixtureRequest, face: Face, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """One run against all that go wrong under load, and some that are right."""
    return watch(
        face,
        tmp_path_factory.mktemp("tmp"),
        RIGHT | {mood: mood for mood in WHAT[request.param]},
        f"--webbench-engine={request.param}",
        "--webbench-request-timeout=2",
        timeout_s=LONGEST_S,
    )


def engine_of(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["loaded"])


def test_what_goes_wrong_fails_with_its_reason(loaded: Watched, request: pytest.FixtureRequest) -> None:
    expected = WHAT[engine_of(request)]
    said = {mood: loaded.faced.failure(mood) for mood in expected}
    late = LATE_TOO if engine_of(request) == "k6" else {}
    unsaid = {
        mood: why
        for mood, why in said.items()
        if not any(words in why for words in (expected[mood], late.get(mood, expected[mood])))
        or "Traceback" in why
    }
    assert unsaid == {}


def test_what_is_right_does_not_suffer(loaded: Watched, request: pytest.FixtureRequest) -> None:
    faced = loaded.faced
    assert {name: faced.failure(name) for name in RIGHT} == dict.fromkeys(RIGHT, "")
    assert faced.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in faced.text
    assert f"{len(WHAT[engine_of(request)])} failed, {len(RIGHT)} passed" in faced.text
    assert "\x1b" not in faced.text


def test_nothing_wrong_becomes_a_baseline(loaded: Watched) -> None:
    assert (
        loaded.sound() <= RIGHT.keys()
    )  # and not even these where the generator had too little of a processor


def test_memory_is_bounded(loaded: Watched, request: pytest.FixtureRequest) -> None:
    assert loaded.faced.peak_mib < MEMORY_MIB[engine_of(request)]


def test_nothing_is_left(loaded: Watched) -> None:
    assert loaded.left == ()


@pytest.mark.parametrize("engine", WHAT)
def test_an_honest_open_loop_is_valid_and_an_overload_is_not(
    engine: str, face: Face, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A response takes long enough for the lag of a generator on a busy machine not to count."""
    watched = watch(
        face,
        tmp_path_factory.mktemp("tmp"),
        {"steady": "slow,s=0.1", "busy": "busy,s=0.05"},
        f"--webbench-engine={engine}",
        "--webbench-rate=50",
        "--webbench-duration=2",
        amount={"duration_s": 2},
        users=20,
        timeout_s=LONGEST_S,
    )
    faced = watched.faced
    assert faced.failure("steady") == ""
    assert "the rate is more than the server" in faced.failure("busy")
    assert faced.exit_code == pytest.ExitCode.TESTS_FAILED
    assert watched.sound() == {"steady"}
    assert watched.left == ()
