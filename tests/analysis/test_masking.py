"""What may be shown holds no password and no token."""

import pytest

from pytest_webbench.analysis.text import mask_body, mask_credentials, mask_path, mask_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/a"),
        ("http://ann:pw@a/b", "http://***@a/b"),
        ("http://ann:p/w@a", "http://***@a"),
        ("ann:pw@a", "***@a"),
        ("http://a/?key=pw#pw", "http://a/?***"),
        ("http://a/#pw", "http://a/#***"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    assert mask_url(text) == shown


@pytest.mark.parametrize(
    "word", ["--webbench-url=http://ann:pw@a", "mine=http://ann:p@pw@a:1/b", "http://ann:p/pw@a"]
)
def test_words_of_a_command(word: str) -> None:
    assert "pw" not in mask_credentials(word)
    assert "***@a" in mask_credentials(word)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/items?limit=10&author=ann&keyword=x", "/items?limit=10&author=ann&keyword=x"),
        ("/a?key=pw&x=1", "/a?key=***&x=1"),
        ("/a?X-Api-Key=pw", "/a?X-Api-Key=***"),
        ("/a?access_token=pw&sig=pw", "/a?access_token=***&sig=***"),
        ("/a?q=" + "b" * 500, "/a?q=" + "b" * 195 + "…"),
    ],
)
def test_paths(path: str, shown: str) -> None:
    assert mask_path(path) == shown


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"name": "pen"}', '{"name": "pen"}'),
        ('{"user": "ann", "password": "p\\"w"}', '{"user": "ann", "password": "***"}'),
        ('{"api_key": 17}', '{"api_key": "***"}'),
        ("user=ann&password=pw", "user=ann&password=***"),
    ],
)
def test_bodies(body: str, shown: str) -> None:
    assert mask_body(body) == shown
