"""The workflow that measures pull requests: its commands are run here, in a clone, as the jobs run them."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.flow.repository import commit, git

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github/workflows/benchmarks.yml"
GUIDE = ROOT / "docs/howto/gate-pull-requests.md"
COUNTS, TIMES = "instructions", "times"
LIMIT_S = 300
FEW = """
[tool.webbench]
rounds = 3
fail = ["time: 300%", "cpu: 300%", "instructions: 1%"]
"""
"""For a run of seconds, on a machine of which nobody knows what else it does."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job that has ended."""

    folder: Path
    exit_code: int
    output: str
    summary: str


def read_workflow() -> dict[Any, Any]:
    return dict(yaml.safe_load(WORKFLOW.read_text()))


def read_job(name: str) -> dict[str, Any]:
    return dict(read_workflow()["jobs"][name])


def step(job: str, name: str) -> dict[str, Any]:
    """The step of ``job`` that uses the action ``name``, or is called so."""
    (found,) = [
        each
        for each in read_job(job)["steps"]
        if name in (each.get("name"), each.get("uses", "").split("@")[0])
    ]
    return dict(found)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the jobs check out: a clone of this project, whose base branch is main, on a branch of its own."""
    upstream, folder = tmp_path / "upstream", tmp_path / "clone"
    for name in ("pytest_webbench", "framework_apps"):
        shutil.copytree(ROOT / name, upstream / name, ignore=shutil.ignore_patterns("__pycache__"))
    (upstream / "tests").mkdir()
    (upstream / "tests/__init__.py").touch()  # pytest's configuration names the folder
    (upstream / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + FEW)
    git(upstream, "init", "--quiet", "--initial-branch=main")
    commit(upstream, "first")
    git(tmp_path, "clone", "--quiet", str(upstream), str(folder))
    git(folder, "checkout", "--quiet", "-b", "change")
    return folder


def run_command(clone: Path, job: str, **environment: str) -> Job:
    """Run the step of ``job`` that measures, in a shell as it has it; ``environment`` wins over its own."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    given = {
        name: value.replace("${{ github.base_ref }}", "main")
        for name, value in (read_workflow()["env"] | read_job(job)["env"]).items()
    }
    summary = clone.parent / "summary.md"
    done = subprocess.run(
        ["bash", "-e", "-c", step(job, "Compare")["run"]],
        cwd=clone,
        env={
            **outside,
            **given,
            **environment,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(clone),  # in place of an installation of the clone
            "GITHUB_STEP_SUMMARY": str(summary),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    text = summary.read_text() if summary.exists() else ""
    return Job(folder=clone, exit_code=done.returncode, output=done.stdout, summary=text)


SHORT = {"STACKS": "flask-sqlite3", "SCENARIOS": "hello"}
needs_valgrind = pytest.mark.skipif(not shutil.which("valgrind"), reason="needs Valgrind")


@pytest.mark.slow
def test_a_change_that_waits_fails_the_job_of_times_and_is_told(clone: Path) -> None:
    with (clone / "framework_apps/flask-sqlite3/app.py").open("a") as app:
        app.write("\nimport time\napp.before_request(lambda: time.sleep(0.1))\n")
    commit(clone, "wait for nothing")
    # The budget is spent only where the machine is too noisy for less.
    job = run_command(clone, TIMES, **SHORT, BUDGET="2m")
    assert job.exit_code == pytest.ExitCode.TESTS_FAILED, job.output
    markdown = (clone / "results/times.md").read_text()
    assert "against origin/main" in markdown
    assert "slower | hello\\[flask-sqlite3\\] | time |" in markdown
    assert job.summary == markdown
    (failure,) = ElementTree.parse(clone / "results/junit.xml").iter("failure")
    assert "time of hello[flask-sqlite3]" in failure.attrib["message"]


@pytest.mark.slow
@needs_valgrind
def test_a_change_that_executes_more_fails_the_required_job_and_is_told(clone: Path) -> None:
    with (clone / "framework_apps/flask-sqlite3/app.py").open("a") as app:
        app.write("\n\n@app.before_request\ndef count():\n    for _ in range(1000):\n        pass\n")
    commit(clone, "count for nothing")
    job = run_command(clone, COUNTS, **SHORT)
    assert job.exit_code == pytest.ExitCode.TESTS_FAILED, job.output
    markdown = (clone / "results/instructions.md").read_text()
    assert "slower | hello\\[flask-sqlite3\\] | instructions |" in markdown
    assert job.summary == markdown
    (failure,) = ElementTree.parse(clone / "results/junit.xml").iter("failure")
    assert "instructions of hello[flask-sqlite3]" in failure.attrib["message"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param(COUNTS, marks=needs_valgrind), TIMES])
def test_a_change_that_makes_nothing_slower_passes_and_leaves_what_is_kept(clone: Path, name: str) -> None:
    (clone / "framework_apps/flask-sqlite3/NOTES.md").write_text("Nothing new.\n")
    commit(clone, "say nothing")
    job = run_command(clone, name, **SHORT, BUDGET="1s")
    assert job.exit_code == pytest.ExitCode.OK, job.output
    kept = clone / step(name, "actions/upload-artifact")["with"]["path"]
    assert "slower" not in (kept / f"{name}.md").read_text()
    assert ElementTree.parse(kept / "junit.xml").getroot().find(".//testcase") is not None
    assert list(kept.glob("webbench/*/trials.jsonl"))


@pytest.mark.parametrize("name", [COUNTS, TIMES])
def test_the_jobs_may_read_and_no_more(name: str) -> None:
    """Pull requests come from anybody: no right to write, no secret, no action of somebody else."""
    workflow = read_workflow()
    job = read_job(name)
    assert workflow[True] == "pull_request"  # the key ``on``, which YAML takes for true
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert "secrets" not in WORKFLOW.read_text()
    assert all(each["uses"].startswith("actions/") for each in job["steps"] if "uses" in each)
    assert all("${{" not in each["run"] for each in job["steps"] if "run" in each)
    assert step(name, "actions/checkout")["with"] == {"fetch-depth": 0, "persist-credentials": False}


def test_only_counts_can_fail_the_workflow() -> None:
    assert {name: job.get("continue-on-error", False) for name, job in read_workflow()["jobs"].items()} == {
        COUNTS: False,
        TIMES: True,
    }
    assert "--webbench-measure=instructions" in step(COUNTS, "Compare")["run"]
    assert "--webbench-measure" not in step(TIMES, "Compare")["run"]


def test_what_counts_is_installed_where_it_is_needed() -> None:
    assert "valgrind" in step(COUNTS, "Install")["run"]


def test_the_guide_shows_this_workflow() -> None:
    assert "```{literalinclude} ../../.github/workflows/benchmarks.yml\n" in GUIDE.read_text()
