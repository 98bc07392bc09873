"""The command ``webbench``: list, report, load and prune."""

import base64
import json
import pkgutil
import subprocess
import sys
import tomllib
import zlib
from pathlib import Path

import pytest

from pytest_webbench.cli import COMMANDS, main
from tests.builders import make_rounds, save_run

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_run(tmp_path, make_rounds((0.01, 0.011, 0.012)))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_the_page_is_written_into_the_folder_of_the_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folder)]) == 0
    assert printed(capsys) == [str(folder / "report.html")]
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_everything_that_is_asked_for_is_written_where_it_is_asked_for(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "a" / "b"
    kinds = ("--html", "--markdown", "--svg", "--png")
    assert main(["report", str(folder / "trials.jsonl"), *kinds, "--output", str(output)]) == 0
    files = printed(capsys)
    assert sorted(files) == sorted(map(str, output.iterdir()))
    names = {Path(file).name for file in files}
    assert {"report.html", "report.md", "get_item-figures.svg", "get_item-figures.png", "cost.svg"} <= names


def test_two_runs_are_compared(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert main(["report", str(folder), str(folder), "--markdown", "--output", str(output)]) == 0
    assert "1 of 1 shared benchmark can be compared" in (output / "report.md").read_text()


@pytest.mark.parametrize("words", [[], ["report"], ["report", "--pdf", "x"], ["draw"]])
def test_a_wrong_command_is_a_matter_of_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_what_cannot_be_read_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "nothing")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"webbench: {tmp_path}/nothing cannot be read: No such file or directory")
    assert "Traceback" not in error


def test_a_run_without_figures_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(save_run(tmp_path, []))]) == 2
    assert "has no results: no benchmark was completed" in capsys.readouterr().err


def test_what_cannot_be_written_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "--markdown", "--output", str(folder / "run.json")]) == 1
    assert "run.json cannot be written: File exists" in capsys.readouterr().err


# --- what strangers wrote -------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["report", *map(str, words)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("webbench: ")
    assert "Traceback" not in error
    return error


def test_what_is_too_large_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "big.json"
    with file.open("wb") as opened:
        opened.truncate(3 << 30)  # no block of it is on the disk
    assert "is too large to be read" in refused(capsys, file)


def test_a_limit_may_be_set(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is too large to be read" in refused(capsys, folder, "--most", "4k")
    assert main(["report", str(folder), "--most", "64m", "--markdown"]) == 0


def test_a_line_without_an_end_is_not_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "trials.jsonl").open("ab") as trials:
        trials.truncate((64 << 20) + 4096)
    assert "trials.jsonl is too large to be read" in refused(capsys, folder)


def test_what_unpacks_to_more_is_not_unpacked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(8 << 20), level=9)).decode()
    trials = folder / "trials.jsonl"
    line = json.loads(trials.read_text().splitlines()[0])
    line["trial"]["load"]["latency_ns"] = bomb
    trials.write_text(json.dumps(line) + "\n")
    assert "holds more than 4,194,304 bytes once it is unpacked" in refused(capsys, folder, "--most", "4m")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full"])
def test_what_has_no_end_is_no_file(device: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{device} is not a file" in refused(capsys, device)


@pytest.mark.parametrize(
    "content",
    [
        '{"benchmarks": ' + "[" * 200_000 + "]" * 200_000 + "}",
        '{"benchmarks": ' + "9" * 100_000 + "}",
        '{"benchmarks": [{"extra_info": {"webbench": {}}}]}',
        '{"benchmarks": [{"extra_info": {"webbench": {"config": NaN}}}], "datetime": 7}',
        '{"benchmarks": {"a": 1}}',
        '{"benchmarks": null}',
        "[1, 2]",
        "NaN",
        "",
        "\x00",
    ],
)
def test_nonsense_is_told_in_a_sentence(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    file.write_text(content)
    refused(capsys, file)


@pytest.mark.parametrize("value", [None, -1, "x", [], {}, 1e308, float("nan"), 10**30])
def test_any_field_of_a_trial_may_be_nonsense(
    value: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = folder / "trials.jsonl"
    for field in ("users", "records", "load", "launch", "trial"):
        line = json.loads(trials.read_text().splitlines()[0])
        line["trial"][field] = value
        (folder / "trials.jsonl").write_text(json.dumps(line) + "\n")
        code = main(["report", str(folder), "--markdown"])
        assert code in (0, 2)
        assert "Traceback" not in capsys.readouterr().err


# --- the command itself -----------------------------------------------------------------------------


def test_the_console_script_is_this_command() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert pkgutil.resolve_name(scripts["webbench"]) is main


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    lines = printed(capsys)
    assert lines[0] == "usage: webbench COMMAND [options]"
    assert [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS] == [
        *COMMANDS
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: webbench {command} ")
    assert "exit code: 0" in text


def test_the_list_is_that_of_pytest_with_its_options(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\nfrom pytest_webbench import Stack\n"
        "def pytest_webbench_stacks(config):\n"
        "    return [Stack(name='mine', folder=Path(), command=('true',))]\n"
    )
    command = [sys.executable, "-m", "pytest_webbench", "list", "--webbench-users=hello=77"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert {"mine", "flask-sqlite3", "quick"} <= {row[0] for row in rows}
    assert [row[2] for row in rows if row[0] == "hello"] == ["77"]
    wrong = subprocess.run(
        [*command, "--webbench-users=hello=x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert wrong.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--webbench-users: 'x' is not a whole number" in wrong.stderr


def test_pruning_without_an_engine_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    assert main(["prune"]) == 2
    assert "webbench: no container engine answers" in capsys.readouterr().err


def test_a_load_has_the_options_and_exit_codes_of_its_own_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["load", "ftp://127.0.0.1/"])
    assert ended.value.code == 2
    assert "webbench load: error: argument URL: " in capsys.readouterr().err
    assert main(["load", "http://127.0.0.1:9/", "--requests", "1"]) == 1
