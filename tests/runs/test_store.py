"""Saved runs read back, even damaged ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_webbench.analysis.summary import summarise
from pytest_webbench.model.codec import to_json
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.load import Amount
from pytest_webbench.model.measurement import MachineUsage
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import CodeProfile, Comparison, Interval, Threshold, Verdict
from pytest_webbench.model.settings import Settings
from pytest_webbench.model.suite import Unit
from pytest_webbench.runs.rows import extra_info
from pytest_webbench.runs.store import RunFolder, read_run
from tests.builders import GET_ITEM, make_result, make_round, make_rounds, make_run, make_summary, save_run

LATENCIES_S = (0.01, 0.011, 0.012)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_run(tmp_path, make_rounds(LATENCIES_S), failures={"django-drf": "it exited"})


def change_run(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Carry ``change`` out on what ``run.json`` holds."""
    file = folder / "run.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def fault(path: Path) -> str:
    """What is said of a run that cannot be read; its message is one sentence."""
    with pytest.raises(UsageError) as caught:
        read_run(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_a_run_comes_back_as_it_was_written(folder: Path) -> None:
    record = read_run(folder)
    assert record.source == folder.name
    assert record.metadata == make_run().metadata
    assert record.settings is not None
    assert record.settings.seed == 7
    assert record.measurements == tuple(make_rounds(LATENCIES_S))
    assert record.summaries == (make_summary(LATENCIES_S),)
    assert record.stack_failures == {"django-drf": "it exited"}
    assert record.notes == ()


def test_a_round_says_what_the_machine_did(tmp_path: Path) -> None:
    usage = MachineUsage(elapsed_s=1.0, busy_s=0.5, steal_s=0.1)
    record = read_run(save_run(tmp_path, [make_round(machine=usage)]))
    assert record.measurements[0].machine == usage


@pytest.mark.parametrize("name", ["run.json", "trials.jsonl"])
def test_a_file_of_the_folder_stands_for_it(folder: Path, name: str) -> None:
    assert read_run(folder / name) == read_run(folder)


def test_what_older_versions_did_not_write_may_be_missing(folder: Path) -> None:
    keys = ("version", "command", "started", "machine", "stacks", "scenarios", "published")
    change_run(folder, lambda data: [data.pop(key) for key in keys])
    record = read_run(folder)
    assert record.metadata.machine is None
    assert record.summaries == (make_summary(LATENCIES_S),)
    assert (record.stacks(), record.scenarios()) == (("flask-sqlite3",), ("get_item",))


def test_the_unit_of_an_older_run_is_that_of_its_load(tmp_path: Path) -> None:
    timed = replace(make_round(), amount=Amount(duration_s=1.0))
    path = save_run(tmp_path, [timed])
    change_run(path, lambda data: data.pop("scenarios"))
    assert read_run(path).summaries[0].unit is Unit.RATE


def test_a_run_that_was_killed_is_read_up_to_there(folder: Path) -> None:
    file = folder / "trials.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2]) + lines[2][:100])
    record = read_run(folder)
    assert len(record.measurements) == 2
    assert record.notes == (
        "the last line of trials.jsonl is cut off, as when a run is killed; the 2 before it are shown",
    )
    assert record.summaries[0].validity.reasons == ("only 2 of 3 rounds were made",)


def test_a_run_that_was_killed_at_once_has_no_figures(folder: Path) -> None:
    (folder / "trials.jsonl").unlink()
    assert read_run(folder).summaries == ()


def test_a_line_in_the_middle_that_is_damaged_is_an_error(folder: Path) -> None:
    file = folder / "trials.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0][:50] + b"\n" + b"".join(lines[1:]))
    assert fault(folder) == f"{file}, line 1 is damaged"


def test_latencies_that_are_damaged_are_an_error(folder: Path) -> None:
    file = folder / "trials.jsonl"
    line = json.loads(file.read_bytes().splitlines()[0])
    line["trial"]["load"]["latency_ns"] = "AAAA"
    file.write_text(json.dumps(line) + "\n")
    assert fault(folder) == f"{file}, line 1, is damaged: it does not describe an event"


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ("{", "is damaged, or not JSON"), ("[]", "holds no run"), ("{}", "holds no run")],
)
def test_what_is_no_run_is_said_in_a_sentence(folder: Path, content: str, message: str) -> None:
    (folder / "run.json").write_text(content)
    assert fault(folder) == f"{folder / 'run.json'} {message}"


def test_a_newer_format_is_said_to_be_newer(folder: Path) -> None:
    change_run(folder, lambda data: data.update(format=2))
    assert fault(folder).endswith(
        "was written by a newer version of pytest-webbench (format 2; this one reads 1)"
    )


def test_settings_that_do_not_fit_are_damage(folder: Path) -> None:
    change_run(folder, lambda data: data["settings"].update(seed="many"))
    assert "is damaged: it does not describe the settings of a run" in fault(folder)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    assert fault(tmp_path / "nothing") == f"{tmp_path / 'nothing'} cannot be read: No such file or directory"
    assert fault(tmp_path) == f"{tmp_path} is not the folder of a run: it has no run.json"


def test_verdicts_come_back_with_what_is_not_known(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    path = save_run(tmp_path, make_rounds(LATENCIES_S))
    nan = float("nan")
    known = Comparison(
        cell=GET_ITEM,
        base_stack="flask-sqlite3@base",
        metric="time",
        threshold=Threshold(metric="time", limit=0.05),
        verdict=Verdict.INCONCLUSIVE,
        base=0.01,
        head=0.011,
        ratio=Interval(estimate=1.1, low=0.9, high=1.3),
        pairs=5,
        p_value=0.2,
    )
    unknown = replace(known, base=nan, head=nan, p_value=nan, ratio=Interval(estimate=nan, low=nan, high=nan))
    assert run.path == path
    run.keep_comparisons([known, unknown], base="main (abc)", needed_s=90.0)
    record = read_run(path)
    assert record.comparisons[0] == known
    assert str(record.comparisons[1]) == str(unknown)
    assert (record.against, record.needed_s) == ("main (abc)", 90.0)


def test_verdicts_are_written_whole_or_not_at_all(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    run.path = folder
    run.keep_comparisons([], base="main (abc)", needed_s=None)

    def give_up(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_webbench.host.files.os.fsync", give_up)
    with pytest.raises(OSError, match="No space"):
        run.keep_comparisons([], base="another", needed_s=None)
    assert read_run(folder).against == "main (abc)"


def test_profiles_are_read_where_there_are_some(folder: Path) -> None:
    profile = CodeProfile(cell=GET_ITEM, rate_hz=100, stacks={"main;view": 3})
    (folder / "explained.jsonl").write_text(json.dumps({"explained": to_json(profile)}) + "\n")
    assert read_run(folder).explained == (profile,)


# --- the JSON of pytest-benchmark -------------------------------------------------------------------


def rows_of(*summaries: Any) -> dict[str, Any]:
    """What ``--benchmark-json`` writes, as far as it is read."""
    rows = [{"name": str(each.cell), "extra_info": extra_info(each, Settings(seed=7))} for each in summaries]
    return {"webbench_format": 2, "datetime": "2026-11-21T09:15:00+00:00", "benchmarks": rows}


def test_figures_come_back_from_pytest_benchmarks_json(tmp_path: Path) -> None:
    summary = make_summary(LATENCIES_S)
    file = tmp_path / "figures.json"
    foreign = {"name": "test_mine", "extra_info": {}}
    derived = {"name": "get_item:p95", "extra_info": {"webbench": {"format": 2, "derived_from": "get_item"}}}
    data = rows_of(summary)
    data["benchmarks"] += [foreign, derived]
    file.write_text(json.dumps(data))
    record = read_run(file)
    assert record.source == "figures.json"
    assert record.summaries == (summary,)
    assert record.measurements == ()
    assert record.metadata.started == "2026-11-21T09:15:00+00:00"
    assert record.notes


def test_an_invalid_cell_stays_invalid(tmp_path: Path) -> None:
    broken = make_round(make_result(ok=0, latency_ns=make_result(requests=0).latency_ns, in_flight=100))
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(rows_of(summarise([broken], unit=Unit.TIME, planned=1))))
    (summary,) = read_run(file).summaries
    assert not summary.validity.valid


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"benchmarks": []}, "has no benchmark of pytest-webbench"),
        (
            {"benchmarks": [{"extra_info": {"webbench": {"format": 1}}}]},
            "benchmark 1 is not a benchmark of webbench",
        ),
        ({"benchmarks": 1}, "holds no run"),
        ({"benchmarks": [], "webbench_format": 9}, "was written by a newer version"),
    ],
)
def test_other_json_is_said_in_a_sentence(tmp_path: Path, data: dict[str, Any], message: str) -> None:
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(data))
    assert message in fault(file)


def test_cells_are_ordered_as_the_run_knows_them() -> None:
    cells = [Cell(scenario=one, stack=other) for one in ("b", "a") for other in ("y", "x")]
    record = make_run(dict.fromkeys(cells, (0.01,)))
    assert record.scenarios() == ("b", "a")
    assert record.stacks() == ("y", "x")


def test_two_runs_of_one_process_in_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    paths = []
    for _ in range(3):
        folder = RunFolder(tmp_path)
        folder.path.mkdir()
        paths.append(folder.path)
    assert len(set(paths)) == 3
