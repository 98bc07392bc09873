"""Stored baselines are checked before anything is compared with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.logger import Logger
from pytest_benchmark.storage.file import FileStorage

from pytest_webbench.model.errors import UsageError
from pytest_webbench.session.benchmark.storage import load_baselines

RECORDED = Path(__file__).parents[1] / "recorded" / "baseline.json"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def storage(tmp_path: Path) -> Any:
    storage: Any = FileStorage
    logger: Any = Logger
    return storage(tmp_path, logger=logger(Logger.QUIET))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "0001_base.json"
    file.write_bytes(RECORDED.read_bytes())
    return file


def change(file: Path, alter: Change) -> None:
    data = json.loads(file.read_text())
    alter(data)
    file.write_text(json.dumps(data))


def first_cell(data: dict[str, Any]) -> Any:
    return next(
        row["extra_info"]["webbench"]
        for row in data["benchmarks"]
        if "derived_from" not in row["extra_info"]["webbench"]
    )


def fault(storage: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load_baselines(storage, True, required=False)
    assert caught.value.hint
    return caught.value.message


def test_a_sound_baseline_has_its_rows(storage: Any, file: Path) -> None:
    (found,), _ = load_baselines(storage, True, required=True)
    assert len(found.rows) == 17
    assert found.left_out == {}
    loops = {name.rpartition("::")[2]: str(each and each.loop) for name, each in found.provenances().items()}
    assert loops == {
        "hello[flask-sqlite3]": "closed loop",
        "get_item[flask-sqlite3]": "closed loop",
        "list_items[flask-sqlite3]": "open loop, 200/s constant",
    }
    assert [str(each.path) for each in load_baselines(storage, str(file), required=True)[0]] == [file.name]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[]", b'{"benchmarks": [1]}', b'{"benchmarks": 1}']
)
def test_what_is_no_baseline_is_named(storage: Any, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert fault(storage).startswith(f"the baseline {file} is damaged or no file of pytest-benchmark: ")


@pytest.mark.parametrize(
    "alter",
    [
        lambda data: data.pop("machine_info"),
        lambda data: data["benchmarks"][0].pop("stats"),
        lambda data: data["benchmarks"][0].pop("fullname"),
        lambda data: data["benchmarks"][0]["stats"].update(mean=float("nan")),
        lambda data: data["benchmarks"][0]["stats"].update(mean=-1.0),
        lambda data: first_cell(data).pop("validity"),
        lambda data: first_cell(data)["config"].pop("users"),
        lambda data: first_cell(data).update(rounds=[{"round": 0}]),
    ],
)
def test_a_damaged_baseline_is_named(storage: Any, file: Path, alter: Change) -> None:
    change(file, alter)
    assert fault(storage).startswith(f"the baseline {file} is damaged or no file of pytest-benchmark: ")


@pytest.mark.parametrize("format_", [0, 3, None, "two", [3]])
def test_a_row_of_another_format_is_refused(storage: Any, file: Path, format_: Any) -> None:
    change(file, lambda data: first_cell(data).update(format=format_))
    assert fault(storage).endswith(f"has the format {format_} of pytest-webbench, and this one reads 2")


def test_a_later_format_may_have_other_rows_altogether(storage: Any, file: Path) -> None:
    change(file, lambda data: data.update(webbench_format=3, benchmarks=[{"all": "other"}]))
    assert "has the format 3 of pytest-webbench" in fault(storage)


def test_unsound_rows_are_left_out_with_their_reasons(storage: Any, file: Path) -> None:
    invalid = {"valid": False, "reasons": ["a reason", "another"], "warnings": []}
    change(file, lambda data: first_cell(data).update(validity=invalid))
    (found,), _ = load_baselines(storage, True, required=False)
    assert list(found.left_out.values()) == ["a reason; another"]
    assert len(found.rows) == 16
