"""Disks that are full, and places that cannot be written to."""

import errno
import resource
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_webbench.host.files import disk_faults
from pytest_webbench.model.errors import ContractError, StackError, StartError, UsageError
from pytest_webbench.model.run import StackFailed
from pytest_webbench.model.stack import Stack
from pytest_webbench.runs.store import RunFolder
from pytest_webbench.stacks.environment import ensure_environment
from pytest_webbench.stacks.fake import FakeLauncher
from tests.flow.conftest import RunWebbench

FULL = Path("/dev/full")
NOWHERE = Path("/proc/nowhere")
"""Not even root can make it."""
HELLO = "webbench/items::hello[django-drf]"

pytestmark = pytest.mark.skipif(not (FULL.exists() and NOWHERE.parent.exists()), reason="needs Linux")


def test_a_full_output_folder_costs_no_figure(run: RunWebbench, pytester: pytest.Pytester) -> None:
    def fill(*_: object) -> None:
        for folder in pytester.path.glob(".webbench/2*"):
            if not (folder / "trials.jsonl").exists():
                (folder / "trials.jsonl").symlink_to(FULL)

    outcome = run(HELLO, "--benchmark-json=figures.json", before_run=fill)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    outcome.counts(passed=1)
    assert list(outcome.rows()) == ["hello[django-drf]"]
    outcome.result.stdout.fnmatch_lines(
        ["webbench: not all trials were written down: */trials.jsonl: No space left on device"]
    )


def test_no_half_line_is_left_behind(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.path.mkdir()
    event = StackFailed(stack="shop", error=StackError("it did not start"))
    folder.consume(event)
    trials = folder.path / "trials.jsonl"
    whole = trials.read_bytes()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, most))
    try:
        folder.consume(event)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert trials.read_bytes() == whole
    assert folder.fault == f"{trials}: File too large"


def test_markdown_that_cannot_be_written_is_found_out_before_anything_is_measured(run: RunWebbench) -> None:
    outcome = run(
        "--webbench-against-stack=django-drf",
        "--webbench-rounds=3",
        f"--webbench-markdown={NOWHERE}/verdicts.md",
    )
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    assert outcome.doubles.engine.loads == []
    assert f"webbench: --webbench-markdown cannot be written: {NOWHERE}/verdicts.md (" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_cache_that_cannot_be_made_is_named_with_the_option(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_text("")
    stack = Stack(name="shop", folder=tmp_path, command=("true",), lock="x.lock")
    with pytest.raises(UsageError) as caught:
        ensure_environment(stack, NOWHERE)
    assert str(NOWHERE) in caught.value.message
    assert caught.value.hint == "choose another one with --webbench-cache"


def test_what_is_found_out_while_stacks_are_prepared_ends_the_run(
    run: RunWebbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: FakeLauncher, stack: Stack) -> None:
        raise UsageError("there is no cache", hint="choose another one")

    monkeypatch.setattr(FakeLauncher, "prepare", fail)
    outcome = run(HELLO)
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "webbench: there is no cache; choose another one" in outcome.text
    assert "Traceback" not in outcome.text


def test_a_disk_that_is_full_is_a_fault_of_the_stack_that_needed_it() -> None:
    with pytest.raises(StartError) as caught, disk_faults("shop"):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    assert caught.value.message == "shop cannot be launched: no space left on device: /tmp/x"
    assert "TMPDIR" in caught.value.hint


@pytest.mark.parametrize(("free", "said"), [(0, True), (1 << 30, False)])
def test_a_stack_that_fails_on_a_full_disk_says_so(
    monkeypatch: pytest.MonkeyPatch, free: int, said: bool
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(ContractError) as caught, disk_faults("shop"):
        raise ContractError("shop answers wrongly", evidence="500")
    assert ("there is no space left in" in caught.value.message) is said
    assert caught.value.evidence == "500"


def test_an_output_folder_without_space_is_said(run: RunWebbench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no space left" not in run(HELLO).text
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3 << 10))
    outcome = run(HELLO)
    assert outcome.exit_code == pytest.ExitCode.TESTS_FAILED
    outcome.result.stdout.fnmatch_lines(["webbench: there is no space left in * (3 KiB free): servers *"])
