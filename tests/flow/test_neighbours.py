"""Other plugins of pytest beside ours: limits of time, loading by hand, options without a meaning here."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.flow.conftest import RunWebbench

HELLO = "webbench/items::hello[django-drf]"
pytest.importorskip("pytest_timeout")


def timers() -> list[str]:
    """What would end the test that runs now."""
    by_thread = [each.name for each in threading.enumerate() if each.name.startswith("pytest_timeout")]
    return [*by_thread, *(["signal"] if signal.getitimer(signal.ITIMER_REAL)[0] else [])]


@pytest.mark.parametrize("func_only", ["true", "false"])
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_the_plan_runs_under_no_tests_limit_which_holds_again_afterwards(
    run: RunWebbench, pytester: pytest.Pytester, method: str, func_only: str
) -> None:
    pytester.makeini(f"[pytest]\ntimeout = 77\ntimeout_method = {method}\ntimeout_func_only = {func_only}")
    pytester.makeconftest("""
        import pytest
        from tests.flow.test_neighbours import timers

        @pytest.hookimpl(wrapper=True, trylast=True)
        def pytest_runtest_call(item):
            yield
            print("after the test:", *(name.split()[0] for name in timers()))
    """)
    while_loaded: list[list[str]] = []
    outcome = run("-p", "pytest_timeout", HELLO, "-s", before_run=lambda *_: while_loaded.append(timers()))
    outcome.counts(passed=1)
    assert while_loaded
    assert not any(while_loaded)
    outcome.result.stdout.fnmatch_lines([f"*after the test: {method.replace('thread', 'pytest_timeout')}*"])


def test_a_test_that_launches_a_stack_is_not_cut_while_it_starts(
    run: RunWebbench, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        test_mine="""
        from tests.flow.test_neighbours import timers

        def test_mine(webbench_stack):
            assert timers() == ["signal"]  # the time of the test itself is limited
    """
    )
    pytester.makeconftest("""
        from pytest_webbench.stacks.fake import FakeLauncher
        from tests.flow.test_neighbours import timers

        prepare = FakeLauncher.prepare

        def checked(self, stack):
            assert timers() == []
            return prepare(self, stack)

        FakeLauncher.prepare = checked
        def pytest_unconfigure():
            FakeLauncher.prepare = prepare
    """)
    run("-p", "pytest_timeout", "--timeout=77", "--webbench-stack=django-drf", "test_mine.py").counts(
        passed=1
    )


def test_a_limit_of_the_session_that_is_too_short_is_said_before(run: RunWebbench) -> None:
    long = run("-p", "pytest_timeout", "--session-timeout=9999", HELLO)
    assert "--session-timeout" not in long.text
    short = run("-p", "pytest_timeout", "--session-timeout=2", HELLO)
    short.result.stdout.fnmatch_lines(
        ["webbench: --session-timeout (2 s) is shorter than this run is expected to take (* s): *"]
    )


def test_the_profiler_of_pytest_benchmark_costs_no_figure(run: RunWebbench) -> None:
    outcome = run(
        "--benchmark-cprofile=tottime", "--benchmark-cprofile-loops=3", "--benchmark-json=figures.json", HELLO
    )
    outcome.counts(passed=1)
    (row,) = outcome.rows().values()
    assert row["stats"]["rounds"] == 2
    assert row["extra_info"]["webbench"]["requests_ok"] > 0
    outcome.result.stdout.fnmatch_lines(["webbench: --benchmark-cprofile has nothing to profile here: *"])


def test_plugins_loaded_by_their_modules(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        from pytest_webbench.stacks.fake import FakeLauncher
        from pytest_webbench.load.fake import FakeEngine

        def pytest_webbench_launcher():
            return FakeLauncher()

        def pytest_webbench_engine():
            return FakeEngine()
    """)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    modules = ["-p", "pytest_benchmark.plugin", "-p", "pytest_webbench.plugin"]
    command = [sys.executable, "-m", "pytest", "--webbench", "--webbench-profile=smoke", *modules, HELLO]
    done = subprocess.run(
        command, cwd=pytester.path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert list(Path(pytester.path).glob(".webbench/*/trials.jsonl"))
