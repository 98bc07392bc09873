"""The settings of a project hold wherever pytest has its root folder, and what is not read is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flow.doubles import AppServer, Doubles

Collect = Callable[..., pytest.RunResult]


@pytest.fixture
def collect(pytester: pytest.Pytester, app_server: AppServer, monkeypatch: pytest.MonkeyPatch) -> Collect:
    """Collects from a folder below that of the test, after which the header is there."""

    def run(folder: str, *arguments: str) -> pytest.RunResult:
        monkeypatch.chdir(pytester.path / folder)
        words = ("--webbench", "--collect-only", "-p", "no:cacheprovider", *arguments)
        return pytester.runpytest_inprocess(*words, plugins=[Doubles(app_server)])

    return run


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Path:
    """A project with a table, in a folder of a repository."""
    write(pytester.path / "services/shop/pyproject.toml", '[tool.webbench]\nprofile = "smoke"\n')
    (pytester.path / "services/shop/benchmarks").mkdir()
    (pytester.path / "outside").mkdir()
    return pytester.path / "services/shop"


HOLDS = "webbench: settings of [[]tool.webbench[]] in "


@pytest.mark.parametrize("given", ["--webbench-cache", "--webbench-output", "--benchmark-storage"])
def test_a_folder_after_a_blank_takes_no_settings_away(collect: Collect, shop: Path, given: str) -> None:
    outside = shop.parents[1] / "outside"
    result = collect("services/shop", given, str(outside))
    assert f"rootdir: {shop.parents[1]}" in result.outlines  # or the test would show nothing
    result.stdout.fnmatch_lines(
        [
            f"{HOLDS}pyproject.toml",
            f"webbench: pytest took a value for a path to tests, *: write {given}={outside}",
            "webbench: *profile smoke *",
        ]
    )


def test_what_is_measured_is_kept_in_the_project_all_the_same(
    pytester: pytest.Pytester, app_server: AppServer, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    words = ("--webbench", "--webbench-cache", str(shop.parents[1] / "outside"))
    result = pytester.runpytest_inprocess(*words, "webbench/items::hello", plugins=[Doubles(app_server)])
    result.assert_outcomes(passed=5)
    (file,) = shop.glob(".webbench/*/run.json")
    assert json.loads(file.read_text())["settings"]["profile"]["name"] == "smoke"


@pytest.mark.parametrize(
    ("folder", "arguments"),
    [
        ("services/shop", ()),
        ("services/shop/benchmarks", ()),
        (".", ("services/shop/benchmarks",)),
        ("outside", ("../services/shop/benchmarks",)),
        ("outside", ("--rootdir=../services/shop",)),
        ("outside", ("-c", "../services/shop/pyproject.toml")),
        ("services/shop", ("--rootdir=../..",)),
        ("services/shop", ("-c", "../../pytest.ini")),
        ("services/shop", ("../../outside",)),
    ],
)
def test_the_table_is_found_from_the_call_and_from_what_is_measured(
    collect: Collect, shop: Path, folder: str, arguments: tuple[str, ...]
) -> None:
    write(shop.parents[1] / "pytest.ini", "[pytest]\n")
    result = collect(folder, *arguments)
    result.stdout.fnmatch_lines([f"{HOLDS}*pyproject.toml", "webbench: *profile smoke *"])
    result.stdout.no_fnmatch_line("*not read*")


def test_the_nearest_table_holds_and_the_others_are_said(collect: Collect, shop: Path) -> None:
    above = shop.parents[1] / "pyproject.toml"
    write(above, '[tool.webbench]\nprofile = "paper"\n')
    result = collect("services/shop/benchmarks")
    result.stdout.fnmatch_lines(
        [
            f"{HOLDS}{shop / 'pyproject.toml'}",
            f"webbench: [[]tool.webbench[]] in {above} is not read: that of {shop / 'pyproject.toml'} holds",
            "webbench: *profile smoke *",
        ]
    )
    result = collect(".")
    result.stdout.fnmatch_lines([f"{HOLDS}pyproject.toml", "webbench: *profile paper *"])
    result.stdout.no_fnmatch_line("*not read*")


def test_a_file_that_is_named_holds_and_the_nearest_is_said(collect: Collect, shop: Path) -> None:
    write(shop / "nightly.toml", '[pytest]\n[tool.webbench]\nprofile = "paper"\n')
    result = collect("services/shop", "-c", "nightly.toml")
    result.stdout.fnmatch_lines(
        [f"{HOLDS}nightly.toml", "webbench: *in pyproject.toml is not read: *", "webbench: *profile paper *"]
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\nwebbench_profile = smoke\n"),
        ("tox.ini", "[pytest]\nwebbench_profile = smoke\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = --webbench-profile=smoke\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\nwebbench_profile = "smoke"\n'),
    ],
)
def test_settings_that_pytest_does_not_read_are_said(
    collect: Collect, pytester: pytest.Pytester, name: str, text: str
) -> None:
    write(pytester.path / "shop" / name, text)
    outside = pytester.mkdir("outside")
    result = collect("shop", f"--webbench-cache={outside}")
    result.stdout.no_fnmatch_line("*not read*")
    result.stdout.fnmatch_lines(["webbench: *profile smoke *"])
    result = collect("shop", "--webbench-cache", str(outside))
    result.stdout.fnmatch_lines(
        [
            f"webbench: webbench_ settings of pytest in {name} are not read: *",
            f"webbench: *write --webbench-cache={outside}",
        ]
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[tool.webbench]\nprofile = smoke\n", "pyproject.toml, line 2: not valid TOML: "),
        (b'[tool.webbench]\nprofile = "smoke', "pyproject.toml, line 2: not valid TOML: "),
        (b"[project]\n# caf\xe9\n", "pyproject.toml, line 2: not UTF-8"),
        (b"[tool]\nwebbench = 3\n", "pyproject.toml: [tool.webbench] is not a table"),
        (b'[tool.webbench]\nstrict = "false"\n', "strict is true or false, without quotes"),
        (b"[tool.webbench]\nmarkdown = true\n", "markdown is a text or a number"),
        (b"[tool.webbench]\nusers = [{hello = 3}]\n", "users is a text, a number, or a list of them"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_usage_error(
    collect: Collect, pytester: pytest.Pytester, content: bytes, said: str
) -> None:
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    (pytester.path / "pyproject.toml").write_bytes(content)
    result = collect(".", "-c", "pytest.ini")  # so that pytest does not look into the other
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {pytester.path}" in result.errlines[0] or "ERROR: [tool.webbench]" in result.errlines[0]
    assert said in result.errlines[0]
    assert "Traceback" not in str(result.stderr)


def test_a_damaged_file_above_the_project_is_said_and_costs_nothing(collect: Collect, shop: Path) -> None:
    (shop / "pyproject.toml").write_text("[project]\n")
    (shop.parent / "pyproject.toml").write_text("x = \n")
    (shop / "pytest.ini").write_text("[pytest]\n")
    result = collect("services/shop")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["webbench: */services/pyproject.toml, line 1: *; it is not read"])


def test_paths_belong_to_the_folder_of_the_file_or_of_the_call(
    pytester: pytest.Pytester, app_server: AppServer, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shop / "pyproject.toml", '[tool.webbench]\nprofile = "smoke"\noutput = "made"\ncache = "kept"\n')
    monkeypatch.chdir(shop / "benchmarks")
    words = ("--webbench", "webbench/items::hello", "--webbench-markdown=pr.md")
    pytester.runpytest_inprocess(*words, plugins=[Doubles(app_server)]).assert_outcomes(passed=5)
    (file,) = shop.glob("made/*/run.json")
    settings = json.loads(file.read_text())["settings"]
    assert settings["cache"] == str(shop / "kept")
    assert settings["markdown"] == str(shop / "benchmarks/pr.md")
    pytester.runpytest_inprocess(*words, "--webbench-output=here", plugins=[Doubles(app_server)])
    assert list(shop.glob("benchmarks/here/*/run.json"))
