"""Files of real runs: on a full disk, and read by ``pytest-benchmark compare``."""

import csv
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.flow.conftest import SMALL, RunWebbench

ROOT = Path(__file__).parents[2]
ITEM = "webbench/items::get_item"
DOUBLES = """
    import os
    import resource

    import pytest
    import pytest_benchmark.plugin

    from pytest_webbench.session.output import terminal
    from tests.flow.doubles import Doubles, serve_apps

    pytest_benchmark.plugin.get_cpu_info = lambda: dict(brand_raw="a processor")  # it takes a second

    server = serve_apps()
    doubles = Doubles(server.__enter__())

    def pytest_webbench_launcher():
        return doubles.launcher

    def pytest_webbench_engine():
        return doubles.engine

    def pytest_unconfigure():
        server.__exit__(None, None, None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish():
        {before_saving}
        return (yield)
"""
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))"
"""The kernel refuses to let files grow, as it refuses on a disk that is full."""
BARRIER = """
        os.write(int(os.environ["READY"]), b"x")
        os.read(int(os.environ["GO"]), 1)
        terminal.write_page = lambda folder: folder / "report.html"  # it takes longer than all else
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "--webbench", *SMALL, *arguments]


@pytest.fixture
def environment(pytester: pytest.Pytester) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_full_disk_leaves_the_old_files_and_the_results_of_the_tests(
    pytester: pytest.Pytester, environment: dict[str, str]
) -> None:
    pytester.makeconftest(DOUBLES.format(before_saving=FULL))
    figures = pytester.path / "figures.json"
    figures.write_text("old")
    ended = subprocess.run(
        command(ITEM, "--benchmark-save=base", "--benchmark-json=figures.json", "-p", "no:cacheprovider"),
        cwd=pytester.path,
        # Bytecode that a process with a full disk writes is cut short, and all others would read it.
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    why = os.strerror(errno.EFBIG)
    lines = ended.stdout.splitlines()
    assert f"webbench: --benchmark-json: figures.json was not written ({why})" in lines
    assert any(
        re.match(rf"webbench: nothing was saved in \S+ \({why}\): check the free space", x) for x in lines
    )
    assert re.fullmatch(r"=+ 5 passed in .* =+", lines[-1])
    assert "benchmark 'get_item': 5 tests" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert figures.read_text() == "old"
    assert [each for each in pytester.path.glob(".benchmarks/**/*") if each.is_file()] == []


# --- pytest-benchmark compare -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what is compared; the first test fills it."""
    return tmp_path_factory.mktemp("storage")


@pytest.fixture
def compare(pytester: pytest.Pytester, run: RunWebbench, storage: Path, tmp_path: Path) -> "Compare":
    """``pytest-benchmark compare`` in another folder, on two saved runs of which the second is slower."""
    if not any(storage.iterdir()):
        scenarios = ("webbench/items::get_item", "webbench/items::hello", "--webbench-stack=flask-*")
        for name, latency_s in (("base", 0.01), ("head", 0.02)):
            outcome = run(*scenarios, f"--benchmark-save={name}", latency_s=latency_s)
            assert outcome.exit_code == 0
        shutil.copytree(pytester.path / ".benchmarks", storage, dirs_exist_ok=True)
    return Compare(storage=storage, folder=tmp_path)


class Compare:
    def __init__(self, *, storage: Path, folder: Path) -> None:
        self.storage = storage
        self.folder = folder

    def __call__(self, *arguments: str, storage: bool = True) -> str:
        where = [f"--storage=file://{self.storage}"] if storage else []
        ended = subprocess.run(
            [sys.executable, "-m", "pytest_benchmark", *where, "compare", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return ended.stdout + ended.stderr

    def files(self) -> Sequence[Path]:
        return sorted(self.storage.glob("*/*.json"))


def test_metrics_have_tables_of_their_own(compare: Compare) -> None:
    text = compare()
    groups = re.findall(r"benchmark '(.*)': 4 tests", text)  # two stacks, two runs
    metrics = ("cpu", "mean", "p50", "p95", "p99")
    assert sorted(groups) == sorted(
        group for name in ("get_item", "hello") for group in (name, *(f"{name}: {each}" for each in metrics))
    )
    assert len(re.findall(r"^get_item:p95\[flask-sqlite3\] \(0002_head\)", text, flags=re.M)) == 1
    by_function = compare("--group-by=func")
    assert sorted(re.findall(r"benchmark '(.*)': 4 tests", by_function)) == sorted(
        f"{name}{each}" for name in ("get_item", "hello") for each in ("", *(f":{one}" for one in metrics))
    )


def test_two_runs_are_set_side_by_side_by_name(compare: Compare) -> None:
    text = compare("--group-by=name", "--between=mean,ops")
    table = text[text.index("benchmark 'get_item:p95[flask-sqlite3]'") :].splitlines()
    assert "1 tests, 2 sources" in table[0]
    assert re.search(r"0001_base Mean +0002_head Mean +ΔMean +0001_base OPS +0002_head OPS", table[1])
    row = next(line for line in table if line.startswith("get_item:p95[flask-sqlite3] "))
    growth = float(re.findall(r"([+-][0-9.]+)%", row)[0])
    assert 90 < growth < 110
    assert "N/A" not in text
    assert "ERROR" not in text


def test_copied_files_are_compared_without_a_storage(compare: Compare) -> None:
    copies = [shutil.copy(file, compare.folder / file.name) for file in compare.files()]
    text = compare(
        *map(str, copies), "--group-by=name", "--between=mean", "-k", "get_item:p95", storage=False
    )
    assert re.findall(r"benchmark '(.*)': 1 tests, 2 sources", text) == [
        "get_item:p95[flask-sqlalchemy]",
        "get_item:p95[flask-sqlite3]",
    ]


def test_a_table_of_values_names_each_metric(compare: Compare) -> None:
    compare("--csv=figures.csv", "--columns=mean,ops", "0001")
    with (compare.folder / "figures.csv").open() as file:
        rows = {(row["name"], row["param:stack"]): float(row["mean"]) for row in csv.DictReader(file)}
    assert len(rows) == 2 * 2 * 6
    saved = json.loads(compare.files()[0].read_text())["benchmarks"]
    expected = {(row["fullname"], row["params"]["stack"]): row["stats"]["mean"] for row in saved}
    assert rows == pytest.approx(expected)


def test_a_histogram_for_each_metric(compare: Compare) -> None:
    compare("--histogram=plot/figures")
    files = sorted(each.name for each in compare.folder.glob("plot/*"))
    assert len(files) == 2 * 6
    assert "figures-get_item_p95.svg" in files
    assert "<svg" in (compare.folder / "plot" / files[0]).read_text()
