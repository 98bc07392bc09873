"""``python -m pytest_webbench report``."""

from pathlib import Path

import pytest

from pytest_webbench.__main__ import main
from tests.builders import make_rounds, save_run


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
    assert "1 of 1 cell that both have can be compared" in (output / "report.md").read_text()


@pytest.mark.parametrize("words", [[], ["report"], ["report", "--pdf", "x"], ["draw"]])
def test_a_wrong_command_is_a_matter_of_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_what_cannot_be_read_is_said_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path / "nothing")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"webbench: {tmp_path}/nothing cannot be read: No such file or directory")
    assert "Traceback" not in error


def test_a_run_without_figures_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(save_run(tmp_path, []))]) == 1
    assert "has no figures: nothing was measured to its end" in capsys.readouterr().err


def test_what_cannot_be_written_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(folder), "--markdown", "--output", str(folder / "run.json")]) == 1
    assert "run.json cannot be written: File exists" in capsys.readouterr().err
