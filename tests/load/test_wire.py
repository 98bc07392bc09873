"""Requests as bytes, and addresses."""

from fnmatch import fnmatchcase

import pytest

from pytest_webbench.load.http1.address import Target
from pytest_webbench.load.http1.wire import encode
from pytest_webbench.model.errors import LoadError
from pytest_webbench.model.http import Request

TARGET = Target(host="127.0.0.1", port=8000)


def test_a_request_without_body() -> None:
    expected = (
        b"GET /items/?a=b%20c HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: pytest-webbench\r\n"
        b"Accept: */*\r\n\r\n"
    )
    assert encode(Request(path="/items/?a=b%20c"), TARGET) == expected


def test_a_request_with_body() -> None:
    expected = (
        b"PUT /items/1 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: pytest-webbench\r\nAccept: */*\r\n"
        b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\n\xe2\x82\xac1"
    )
    assert encode(Request(method="PUT", path="/items/1", body="€1"), TARGET) == expected


def test_a_post_without_body_says_so() -> None:
    assert b"\r\nContent-Length: 0\r\n\r\n" in encode(Request(method="POST"), TARGET)
    assert b"Content-Length" not in encode(Request(method="DELETE"), TARGET)


def test_headers_that_are_given_stand() -> None:
    headers = (("content-type", "text/plain"), ("HOST", "example"), ("Accept", "text/html"), ("X-A", "ż"))
    head, _, body = encode(Request(method="POST", body="x", headers=headers), TARGET).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:] == [
        b"User-Agent: pytest-webbench",
        b"Content-Length: 1",
        b"content-type: text/plain",
        b"HOST: example",
        b"Accept: text/html",
        b"X-A: \xc5\xbc",
    ]
    assert body == b"x"


@pytest.mark.parametrize(
    "request_",
    [
        Request(path="items"),
        Request(path="/a b"),
        Request(path="/ż"),
        Request(path="/a\r\nX: y"),
        Request(method="GET /x"),
        Request(method=""),
        Request(headers=(("X-A", "b\r\nX-B: c"),)),
        Request(headers=(("X A", "b"),)),
        Request(headers=(("X-A", "\ud800"),)),
        Request(headers=(("Content-Length", "5"),)),
        Request(headers=(("Transfer-Encoding", "chunked"),)),
        Request(method="POST", body="\ud800"),
        Request(method="POST", body=b"\x89PNG"),  # type: ignore[arg-type]
    ],
)
def test_what_would_not_arrive_as_one_request_is_refused(request_: Request) -> None:
    with pytest.raises(LoadError):
        encode(request_, TARGET)


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://127.0.0.1:8000", Target(host="127.0.0.1", port=8000), "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", Target(host="127.0.0.1", port=8000), "127.0.0.1:8000"),
        ("http://localhost/api/v1/", Target(host="localhost", port=80, prefix="/api/v1"), "localhost"),
        ("HTTP://[::1]:81/a", Target(host="::1", port=81, prefix="/a"), "[::1]:81"),
        (
            "http://ann:p%40ss%2F%C3%BC@a:81",  # percent-decoded, as UTF-8
            Target(host="a", port=81, authorization="Basic YW5uOnBAc3Mvw7w="),
            "a:81",
        ),
        ("http://ann@a", Target(host="a", port=80, authorization="Basic YW5uOg=="), "a"),
    ],
)
def test_addresses(url: str, target: Target, authority: str) -> None:
    assert Target.parse(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "http://",
        "http://a:0",
        "http://a:b",
        "http://a:70000",
        "http://a/?b",
        "http://a/#b",
        "http://a b",
        "http://a..b",
        "http://a/ż",
        "http://ż",
        "http://[::1",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(LoadError, match="The address"):
        Target.parse(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://a", "https is not supported: the generator speaks HTTP/1.1 without TLS"),
        ("unix:///run/a.sock", "Unix sockets are not supported"),
        ("unix:/run/a.sock", "Unix sockets are not supported"),
        ("http+unix://%2Frun%2Fa.sock/", "Unix sockets are not supported"),
        ("h2c://a", "HTTP/2 is not supported"),
    ],
)
def test_what_is_not_supported_is_said_with_a_way_round(url: str, sentence: str) -> None:
    with pytest.raises(LoadError) as caught:
        Target.parse(url)
    assert caught.value.message.startswith(sentence)
    assert caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:s3cret@a",
        "http://ann:s3cret@a:99999",
        "http://ann:s3/cret@a",
        "http://ann:s3?cret@a",
        "http://ann:s3#cret@a",
        "http://ann:s3cret@a/?key=s3cret",
        "http://ann:s3cret@",
        "http://a/?key=s3cret",
        "http://a/#s3cret",
        "http://ann:s3cret@[::1",
        "ann:s3cret@a",
        "ftp://ann:s3@s3cret@a",
    ],
)
def test_no_message_about_an_address_holds_a_password(url: str) -> None:
    with pytest.raises(LoadError) as caught:
        Target.parse(url)
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


def test_a_password_becomes_a_header_and_is_shown_nowhere() -> None:
    target = Target.parse("http://ann:s3cret@127.0.0.1:8000/api")
    assert b"\r\nAuthorization: Basic YW5uOnMzY3JldA==\r\n" in encode(Request(), target)
    own = Request(headers=(("authorization", "Bearer x"),))
    assert encode(own, target).count(b"uthorization: ") == 1
    assert target.url == "http://127.0.0.1:8000/api"
    assert "YW5u" not in repr(target)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://LocalHost/a", "localhost"),
        ("http://ann:s3cret@web-1.example:81", "web-1.example:81"),
        ("http://[::1]:8000", "ip6-0.0.0.0.0.0.0.1:8000"),
        ("http://[FE80::A1%25eth0]", "ip6-fe80.0.0.0.0.0.0.a1-25eth0"),
    ],
)
def test_a_target_has_a_name_that_can_be_chosen(url: str, name: str) -> None:
    assert Target.parse(url).name == name
    assert fnmatchcase(name, name)


def test_a_header_that_cannot_be_sent_is_named_without_its_value() -> None:
    with pytest.raises(LoadError) as caught:
        encode(Request(path="/a?key=s3cret", headers=(("Authorization", "Bearer s3cret\n"),)), TARGET)
    assert caught.value.message == "The header 'Authorization' of GET /a?key=*** cannot be sent as it stands."
