"""A test that is run again: only its last attempt counts, and a failed one is not a baseline."""

import pytest

from tests.flow.conftest import RunWebbench

JSON = "--benchmark-json=figures.json"
FLASK = "--webbench-stack=flask-sqlite3"
RERUNS = ("-p", "rerunfailures", "--reruns=1")

FLAKY = """
    import pytest
    attempts = []

    def test_flaky(webbench):
        attempts.append(1)
        webbench("get_item", requests=40 * len(attempts), rounds=3)
        assert len(attempts) > {failing}

    def test_steady(webbench):
        webbench("hello", users=2, duration_s=0.2, rounds=3)
"""
SKIPPED_LATER = """
    import pytest
    attempts = []

    def test_flaky(webbench):
        attempts.append(1)
        if len(attempts) > 1:
            pytest.skip("no more")
        webbench("get_item", requests=40, rounds=3)
        assert False
"""
FAILS_BEFORE = """
    import pytest
    attempts = []

    @pytest.fixture
    def frail():
        attempts.append(1)
        assert len(attempts) < 2

    def test_flaky(frail, webbench):
        webbench("get_item", requests=40, rounds=3)
        assert False
"""
AGAIN = """
    from _pytest.runner import runtestprotocol
    import pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(item, nextitem):
        # As plugins do that report the last attempt alone.
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if any(each.failed for each in reports):
            item._initrequest()
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for each in reports:
            item.ihook.pytest_runtest_logreport(report=each)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""


@pytest.mark.parametrize("by", ["rerunfailures", "another plugin"])
def test_the_last_attempt_alone_is_saved_and_shown(
    run: RunWebbench, pytester: pytest.Pytester, by: str
) -> None:
    pytester.makepyfile(test_mine=FLAKY.format(failing=1))
    words = RERUNS if by == "rerunfailures" else ()
    if not words:
        pytester.makeconftest(AGAIN)
    outcome = run("test_mine.py", FLASK, JSON, "--benchmark-autosave", *words)
    assert outcome.exit_code == 0
    ((saved),) = outcome.saved()
    for rows in (saved, outcome.rows()):
        assert set(rows) == {"test_flaky[flask-sqlite3]", "test_steady[flask-sqlite3]"}
        origin = rows["test_flaky[flask-sqlite3]"]["extra_info"]["webbench"]
        assert origin["requests_sent"] == 3 * 80  # the second attempt
        assert origin["validity"]["valid"]
    assert outcome.text.count("get_item: ") == 1
    assert "get_item: one record\n10 users, 80 requests" in outcome.text


@pytest.mark.parametrize("tests", [FLAKY.format(failing=2), SKIPPED_LATER, FAILS_BEFORE])
def test_an_attempt_that_failed_is_never_stored_nor_shown_as_valid(
    run: RunWebbench, pytester: pytest.Pytester, tests: str
) -> None:
    pytester.makepyfile(test_mine=tests)
    outcome = run("test_mine.py", FLASK, JSON, "--benchmark-save=base", *RERUNS)
    name = "test_flaky[flask-sqlite3]"
    assert not any(name in rows for rows in outcome.saved())
    row = outcome.rows().get(name) if outcome.has_json() else None
    assert row is None or row["extra_info"]["webbench"]["validity"]["reasons"] == ["its test failed"]
    shown = [line for line in outcome.text.splitlines() if line.startswith("get_item: ")]
    assert len(shown) == outcome.text.count("INVALID flask-sqlite3: its test failed")


def test_a_cell_of_a_suite_is_saved_once(run: RunWebbench) -> None:
    words = ("--webbench-scenario=get_item", FLASK, "--benchmark-autosave", *RERUNS)
    outcome = run(*words, "--webbench-rate=300", "--webbench-users=2", JSON)
    assert outcome.exit_code == 1  # 300 a second are more than two connections can take
    assert outcome.saved() == []
    assert len(outcome.rows()) == 1
