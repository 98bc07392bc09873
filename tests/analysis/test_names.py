"""What people type: patterns, typing errors, names given twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.text import did_you_mean, duplicates, select
from pytest_webbench.model.errors import UsageError

STACKS = ("fastapi-sqlalchemy", "fastapi-sqlite3", "flask-sqlalchemy", "flask-sqlite3", "django-drf")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), STACKS),
        (("*",), STACKS),
        (("flask-sqlite3",), ("flask-sqlite3",)),
        (("*-sqlite3",), ("fastapi-sqlite3", "flask-sqlite3")),
        (("django-drf", "fastapi-*"), ("fastapi-sqlalchemy", "fastapi-sqlite3", "django-drf")),
        (("f????-*", "*alchemy"), ("fastapi-sqlalchemy", "flask-sqlalchemy", "flask-sqlite3")),
        (("[df]*-sql*3", "flask-sqlite3"), ("fastapi-sqlite3", "flask-sqlite3")),
    ],
)
def test_patterns_select_in_the_order_in_which_names_are_known(
    patterns: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert select("stack", patterns, STACKS) == expected


def test_a_pattern_that_matches_nothing_says_what_is_known_and_how_to_choose() -> None:
    with pytest.raises(UsageError) as caught:
        select("stack", ["flask-*", "flsk"], STACKS)
    assert str(caught.value) == (
        "no stack is called 'flsk'; did you mean 'flask-sqlalchemy'?\n"
        "    known: fastapi-sqlalchemy, fastapi-sqlite3, flask-sqlalchemy, flask-sqlite3, django-drf\n"
        "Next step: choose from these with --webbench-stack, or see pytest --webbench-list"
    )


def test_selecting_from_nothing_says_so() -> None:
    with pytest.raises(UsageError, match=r"no scenario is called 'x'\n    known: none\n"):
        select("scenario", ["x"], [])


def test_names_are_told_apart_by_case() -> None:
    with pytest.raises(UsageError, match="did you mean 'django-drf'"):
        select("stack", ["Django-DRF"], STACKS)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("flask-sqlite", "flask-sqlite3"),
        ("fastapi_sqlite3", "fastapi-sqlite3"),
        ("FLASK-SQLITE3", "flask-sqlite3"),
        ("fastapi", "fastapi-sqlalchemy"),
        ("djano", "django-drf"),
    ],
)
def test_the_nearest_name_is_offered(typed: str, nearest: str) -> None:
    assert did_you_mean(typed, STACKS) == f"; did you mean {nearest!r}?"


@pytest.mark.parametrize("typed", ["quart", "", "litestar-msgspec"])
def test_no_name_is_offered_where_none_is_near(typed: str) -> None:
    assert did_you_mean(typed, STACKS) == ""


def test_duplicates_in_the_order_in_which_they_are_seen_again() -> None:
    assert duplicates(["a", "b", "c", "b", "a", "b"]) == ("b", "a")


names = st.lists(st.sampled_from(STACKS))


@given(names)
def test_names_given_in_any_order_select_exactly_those_names(chosen: list[str]) -> None:
    expected = tuple(name for name in STACKS if name in chosen) if chosen else STACKS
    assert select("stack", chosen, STACKS) == expected


@given(names)
def test_duplicates_are_the_names_that_occur_more_than_once(chosen: list[str]) -> None:
    assert set(duplicates(chosen)) == {name for name in chosen if chosen.count(name) > 1}
    assert duplicates(list(dict.fromkeys(chosen))) == ()
