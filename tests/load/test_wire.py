"""Requests as bytes, and addresses."""

import pytest

from pytest_webbench.errors import LoadError
from pytest_webbench.load.wire import Target, encode
from pytest_webbench.values.exchange import Request

TARGET = Target(host="127.0.0.1", port=8000)


def test_a_request_without_body() -> None:
    expected = b"GET /items/?a=b%20c HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n\r\n"
    assert encode(Request(path="/items/?a=b%20c"), TARGET) == expected


def test_a_request_with_body() -> None:
    expected = (
        b"PUT /items/1 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n"
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
        "https://a",
        "http://",
        "http://a:0",
        "http://a:b",
        "http://a:70000",
        "http://a/?b",
        "http://a/#b",
        "http://u@a",
        "http://a/ż",
        "http://ż",
        "http://[::1",
        "unix:///run/a",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(LoadError, match="The address"):
        Target.parse(url)
