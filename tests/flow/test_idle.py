"""A run of pytest without ``--webbench`` must not pay for it, nor see it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "altair",
    "httpx",
    "httptools",
    "jinja2",
    "msgspec",
    "numpy",
    "psutil",
    "rich",
    "scipy",
    "uv",
    "uvloop",
    "vl_convert",
)

PROGRAM = """
import json, sys
import pytest
code = pytest.main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    json.dump({"code": code, "modules": sorted(sys.modules)}, file)
"""


def modules_after(folder: Path, *arguments: str) -> set[str]:
    """The modules imported by a run of pytest in ``folder``, without any plugin but those given."""
    (folder / "test_mine.py").write_text("def test_mine(): pass\n")
    output = folder / "modules.json"
    command = [sys.executable, "-c", PROGRAM, str(output), "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(output.read_text())
    assert found["code"] == 0, done.stdout
    return set(found["modules"])


def test_without_the_option_next_to_nothing_is_imported(tmp_path: Path) -> None:
    with_plugin = modules_after(tmp_path, "-p", "pytest_webbench.plugin")
    assert not {name for name in with_plugin if name.partition(".")[0] in HEAVY}
    added = with_plugin - modules_after(tmp_path)
    assert {name for name in added if name.startswith("pytest_webbench")} == {
        "pytest_webbench",
        "pytest_webbench.session",  # a docstring, as the next one
        "pytest_webbench.session.options",
        "pytest_webbench.session.hookspecs",
        "pytest_webbench.session.options.parsers",
        "pytest_webbench.session.options.table",
        "pytest_webbench.plugin",
    }
    assert len(added) <= 8, added


def test_without_the_option_nothing_is_collected_printed_or_written(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = pytester.runpytest_inprocess("-v")
    result.assert_outcomes(passed=1)
    assert "webbench:" not in str(result.stdout)
    assert not (pytester.path / ".webbench").exists()


def test_without_the_option_the_names_of_benchmarks_are_unknown(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("webbench/items::hello[flask-sqlite3]")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "file or directory not found: webbench/items" in str(result.stderr)


def test_an_ordinary_benchmark_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_mine(benchmark):
            benchmark.pedantic(sum, args=([1, 2],), rounds=3)
    """)
    for arguments in (
        (),
        ("--webbench", "test_an_ordinary_benchmark_is_left_alone.py", "--benchmark-autosave"),
    ):
        result = pytester.runpytest_inprocess(*arguments)
        result.assert_outcomes(passed=1)
    assert len(list(pytester.path.glob(".benchmarks/*/0001_*.json"))) == 1
