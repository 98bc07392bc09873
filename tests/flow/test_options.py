"""The command line and the ini file make the settings of a run."""

import json
from pathlib import Path

import pytest

from pytest_webbench.model.codec import from_json
from pytest_webbench.model.load import Amount
from pytest_webbench.model.settings import Override, Settings
from pytest_webbench.session.options.table import OPTIONS
from tests.flow.conftest import Outcome
from tests.flow.doubles import AppServer, Doubles

ONE = "webbench/items::hello[django-drf]"


def settings_of(outcome: Outcome) -> Settings:
    (file,) = outcome.folder.glob("*/*/run.json")
    return from_json(Settings, json.loads(file.read_text())["settings"])


@pytest.fixture
def plain(pytester: pytest.Pytester, app_server: AppServer) -> "Plain":
    return Plain(pytester, app_server)


class Plain:
    """Runs without the small numbers that the other tests give."""

    def __init__(self, pytester: pytest.Pytester, server: AppServer) -> None:
        self._pytester = pytester
        self._server = server

    def __call__(self, *arguments: str) -> Outcome:
        doubles = Doubles(self._server)
        result = self._pytester.runpytest_inprocess("--webbench", *arguments, plugins=[doubles])
        return Outcome(result=result, folder=self._pytester.path, doubles=doubles)


INI = """
    [pytest]
    webbench_stack = django-drf, flask-*
    webbench_scenario = hello get_item
    webbench_profile = smoke
    webbench_rounds = 2
    webbench_duration = 0.2 echo=3
    webbench_requests = get_item=20
    webbench_users = 4
    webbench_records = 50
    webbench_workers = 3
    webbench_threads = 5
    webbench_seed = 6
    webbench_start_timeout = 7.5
    webbench_request_timeout = 8
    webbench_output = made
    webbench_cache = kept
    webbench_allow_writes = true
    webbench_launcher = process
"""


def test_every_setting_can_stand_in_the_ini_file(plain: Plain, pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    outcome = plain()
    outcome.counts(passed=6)
    settings = settings_of(outcome)
    assert settings == Settings(
        profile=settings.profile,
        stacks=("django-drf", "flask-*"),
        scenarios=("hello", "get_item"),
        allow_writes=True,
        launcher="process",
        seed=6,
        durations_s=Override(everywhere=0.2, by_scenario={"echo": 3.0}),
        requests=Override(by_scenario={"get_item": 20}),
        users=Override(everywhere=4),
        records=50,
        workers=3,
        threads=5,
        start_timeout_s=7.5,
        request_timeout_s=8.0,
        output=pytester.path / "made",
        cache=pytester.path / "kept",
    )
    assert (settings.profile.name, settings.profile.rounds) == ("smoke", 2)
    loads = {(load.users, load.amount, load.timeout_s) for load, _ in outcome.doubles.engine.loads}
    assert loads == {(4, Amount(duration_s=0.2), 8.0), (4, Amount(requests=20), 8.0)}


def test_the_command_line_wins_over_the_ini_file(plain: Plain, pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    outcome = plain(
        "--webbench-stack=fastapi-sqlite3",
        "--webbench-profile=quick",
        "--webbench-rounds=1",
        "--webbench-users=hello=9",
        "--webbench-seed=77",
        "--webbench-output=elsewhere",
    )
    outcome.counts(passed=2)
    settings = settings_of(outcome)
    assert settings.stacks == ("fastapi-sqlite3",)
    assert (settings.profile.name, settings.profile.rounds, settings.seed) == ("quick", 1, 77)
    assert settings.users == Override(by_scenario={"hello": 9})
    assert settings.output == pytester.path / "elsewhere"
    assert settings.records == 50


def test_an_ini_value_alone_measures_nothing(pytester: pytest.Pytester) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    assert "webbench:" not in str(result.stdout)


def test_a_mistake_in_the_ini_file_is_a_usage_error(plain: Plain, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwebbench_rounds = none\n")
    outcome = plain()
    assert outcome.exit_code == pytest.ExitCode.USAGE_ERROR
    assert outcome.result.errlines[0] == "ERROR: --webbench-rounds: 'none' is not a whole number"


def test_folders_are_below_the_root_folder(
    plain: Plain, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\n")
    monkeypatch.chdir(pytester.mkdir("below"))
    plain("--webbench-rounds=1", ONE)
    assert [path.name for path in pytester.path.iterdir() if path.name == ".webbench"] == [".webbench"]
    assert not (pytester.path / "below" / ".webbench").exists()


def test_options_may_be_repeated_and_hold_commas(plain: Plain) -> None:
    outcome = plain(
        "--collect-only",
        "-q",
        "--webbench-stack=flask-sqlite3",
        "--webbench-stack=django-drf,fastapi-sqlite3",
    )
    assert sum("::hello[" in line for line in outcome.result.outlines) == 3


def test_a_seed_is_drawn_and_printed_where_none_is_given(plain: Plain, pytester: pytest.Pytester) -> None:
    outcome = plain("--webbench-rounds=1", ONE)
    (file,) = pytester.path.glob(".webbench/*/run.json")
    seed = json.loads(file.read_text())["settings"]["seed"]
    assert f", interleaved order, seed {seed}, about " in outcome.text


def test_the_seed_gives_the_same_requests_again(plain: Plain) -> None:
    one, two, other = (
        plain("--webbench-rounds=1", f"--webbench-seed={seed}", "webbench/items::get_item[django-drf]")
        for seed in (1, 1, 2)
    )
    exchanges = [[load.exchanges for load, _ in each.doubles.engine.loads] for each in (one, two, other)]
    assert exchanges[0] == exchanges[1]
    assert exchanges[0] != exchanges[2]


def test_the_help_names_every_option_with_its_default(pytester: pytest.Pytester) -> None:
    text = " ".join(str(pytester.runpytest_inprocess("--help").stdout).split())
    for option in OPTIONS:
        assert f"{option.flag} " in text or f"{option.flag}=" in text
        if option.ini:
            assert f"{option.dest} (" in text
    assert "--webbench-records=N records in the database at the start of each round (default: 1500)" in text


def test_the_defaults_in_the_help_are_those_of_the_settings() -> None:
    numbers = {option for option in OPTIONS if option.default.isdigit()}
    assert len(numbers) == 5
    for option in numbers - {option for option in numbers if option.field == "records"}:  # the dataset's
        assert option.parser(option.default) == getattr(Settings(), option.field), option.flag


def test_no_environment_variable_changes_a_run(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    for option in OPTIONS:
        monkeypatch.setenv(option.dest.upper(), "1")
    settings_before = Settings()
    outcome = plain("--webbench-rounds=1", ONE)
    outcome.counts(passed=1)
    settings = settings_of(outcome)
    assert (settings.stacks, settings.workers, settings.records) == (
        settings_before.stacks,
        settings_before.workers,
        settings_before.records,
    )
    assert settings.cache is None
    assert settings.output == Path(outcome.folder / ".webbench")


@pytest.mark.parametrize(("given", "seconds"), [((), 300.0), (("--webbench-start-timeout=7",), 7.0)])
def test_servers_that_are_counted_may_take_longer_to_start(
    plain: Plain, given: tuple[str, ...], seconds: float
) -> None:
    outcome = plain(
        "--webbench-measure=instructions",
        "--webbench-stack=flask-sqlite3",
        "--webbench-scenario=hello",
        *given,
    )
    assert settings_of(outcome).start_timeout_s == seconds
