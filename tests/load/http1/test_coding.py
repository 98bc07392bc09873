"""Bodies with a Content-Encoding: decoded within a bound, or refused with the name of what is not known."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.load.http1.coding import CodingError, decode, excerpt_of
from pytest_webbench.load.http1.judging import judge_response
from pytest_webbench.model.http import Answer, BodyRule


def deflate(body: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": lambda body: deflate(body, -15),
    "gzip, deflate": lambda body: zlib.compress(gzip.compress(body, mtime=0)),
    "identity": lambda body: body,
    "identity, gzip": gzip.compress,
}


@pytest.mark.parametrize("coding", PACKED)
@given(body=st.binary(max_size=300))
def test_what_was_packed_comes_out(coding: str, body: bytes) -> None:
    assert decode(PACKED[coding](body), coding, most=1000) == body


def test_a_body_in_several_members_is_one() -> None:
    assert decode(gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), "gzip", most=2) == b"ab"


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [
        (b"x", "br", "the body is encoded with 'br', which is not decoded here"),
        (b"x", "zstd", "leave it out of the request's Accept-Encoding"),
        (b"x", "gzip, br", "'br'"),
        (b"{}", "gzip", "says that it is gzip, and is not"),
        (gzip.compress(b"hi", mtime=0)[:-3], "gzip", "says that it is gzip, and ends too early"),
        (zlib.compress(b"hi") + b"x", "deflate", "and 1 bytes follow its end"),
        (gzip.compress(b"hello", mtime=0), "gzip", "more than 4 bytes once it is decoded"),
        (gzip.compress(b"", mtime=0) * 1000, "gzip", "bytes follow its end"),
        (b"x", "gzip," * 9, "has 9 encodings"),
    ],
)
def test_what_cannot_be_decoded_is_said(body: bytes, coding: str, why: str) -> None:
    with pytest.raises(CodingError) as caught:
        decode(body, coding, most=4)
    assert why in str(caught.value)


def test_a_bomb_is_not_unpacked_beyond_the_bound() -> None:
    bomb = gzip.compress(bytes(256 * 2**20), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(CodingError, match="more than 65536 bytes"):
            decode(bomb, "gzip", most=2**16)
        assert len(excerpt_of(bomb, "gzip")) == 2**10
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_wrong_status_shows_what_the_packed_body_says() -> None:
    body = gzip.compress(b'{"detail": "no"}', mtime=0)
    fault = judge_response(Answer(), 500, body, size=len(body), most=2**10, coding="gzip")
    assert fault is not None
    assert '"detail": "no"' in fault.why


def test_a_body_that_is_not_looked_at_may_have_any_encoding() -> None:
    assert judge_response(Answer(rule=BodyRule.ANY), 200, b"x", size=1, most=2**10, coding="br") is None


def test_no_body_needs_no_decoding() -> None:
    answer = Answer(status=204, rule=BodyRule.EMPTY)
    assert judge_response(answer, 204, b"", size=0, most=2**10, coding="gzip") is None
