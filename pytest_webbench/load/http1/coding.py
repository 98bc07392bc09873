"""Decodes bodies with a Content-Encoding, within a bound."""

import zlib

__all__ = ["CodingError", "decode", "excerpt_of"]

_GZIP, _ZLIB, _RAW = 31, 15, -15
_MOST_CODINGS = 4
_MOST_MEMBERS = 64


class CodingError(Exception):
    """Why a body cannot be decoded, as text for a person."""


def decode(body: bytes, coding: str, *, most: int) -> bytes:
    """Return ``body`` with its Content-Encoding, ``coding``, removed.

    Raises :class:`CodingError` if a coding is unknown, if the body does not match it, or if the result would
    have more than ``most`` bytes; nothing is decompressed beyond that.
    """
    codings = [name for part in coding.lower().split(",") if (name := part.strip()) not in {"", "identity"}]
    if len(codings) > _MOST_CODINGS:
        raise CodingError(f"the body has {len(codings)} encodings")
    for name in reversed(codings):
        body = _decode_one(body, name, most)
    return body


def excerpt_of(body: bytes, coding: str, *, most: int = 2**10) -> bytes:
    """Return the beginning of ``body`` in readable form; unchanged if it cannot be decoded."""
    names = [part.strip() for part in coding.lower().split(",")]
    if not body or names[-1] not in {"gzip", "x-gzip"} or len(names) > 1:
        return body
    try:
        return zlib.decompressobj(_GZIP).decompress(body, most) or body
    except zlib.error:
        return body


def _decode_one(body: bytes, name: str, most: int) -> bytes:
    match name:
        case "gzip" | "x-gzip":
            return _unpack(body, _GZIP, name, most)
        case "deflate":
            # The standard means zlib's format; some servers send raw deflate data, without its header.
            wrapped = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
            return _unpack(body, _ZLIB if wrapped else _RAW, name, most)
        case _:
            raise CodingError(
                f"the body is encoded with {name[:20]!r}, which is not decoded here (gzip and deflate are): "
                "leave it out of the request's Accept-Encoding"
            )


def _unpack(body: bytes, bits: int, name: str, most: int) -> bytes:
    """Decompress ``body``, which may have several members if it is gzip."""
    pieces: list[bytes] = []
    room = most
    rest = body
    while rest:
        unpacker = zlib.decompressobj(bits)
        try:
            piece = unpacker.decompress(rest, room + 1)
        except zlib.error as exc:
            raise CodingError(f"the body says that it is {name}, and is not ({exc})") from None
        room -= len(piece)
        if room < 0:
            raise CodingError(f"the body has more than {most} bytes once it is decoded ({name})")
        if not unpacker.eof:
            raise CodingError(f"the body says that it is {name}, and ends too early")
        pieces.append(piece)
        rest = unpacker.unused_data
        if rest and (bits != _GZIP or len(pieces) == _MOST_MEMBERS):
            raise CodingError(f"the body says that it is {name}, and {len(rest)} bytes follow its end")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
