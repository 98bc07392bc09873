"""Values to JSON and back.

Done by msgspec, which reads the types of the dataclasses; this module adds the types that it does not
know. Times of requests are written as text: little-endian unsigned 64-bit integers, deflated, in base 64.
Where they were too many to be kept, an object holds their histogram, its two arrays written in the same way.
"""

import base64
import sys
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from pytest_webbench.model.load import Histogram, Latencies

__all__ = ["UnpackedTooMuchError", "from_json", "to_json", "unpacking_at_most"]

T = TypeVar("T")


class UnpackedTooMuchError(Exception):
    """More than what was allowed came out of what is packed."""


_BUDGET: "ContextVar[list[int] | None]" = ContextVar("_BUDGET", default=None)


@contextmanager
def unpacking_at_most(size: int | None) -> Iterator[None]:
    """Let :func:`from_json` unpack ``size`` bytes in all at most.

    Then it raises :class:`UnpackedTooMuchError`; ``None`` is no bound.
    """
    token = _BUDGET.set(None if size is None else [size])
    try:
        yield
    finally:
        _BUDGET.reset(token)


def to_json(value: Any) -> Any:
    """Dicts, lists, numbers and strings from which :func:`from_json` makes an equal value."""
    return msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)


def from_json(kind: type[T], data: Any) -> T:
    """The value of type ``kind`` that ``data`` describes.

    Raises :class:`msgspec.ValidationError` with the path to what does not fit.
    """
    return msgspec.convert(data, kind, dec_hook=_decode)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Latencies):
        return _encode(value.samples) if value.histogram is None else to_json(value.histogram)
    if isinstance(value, array):
        return base64.b64encode(zlib.compress(_little_endian(value).tobytes(), level=1)).decode("ascii")
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def _decode(kind: Any, data: Any) -> Any:
    if kind is Path:
        return Path(data)
    if kind is Latencies:
        return Latencies(_decode(array, data)) if isinstance(data, str) else _histogram(data)
    if kind is array:
        return _little_endian(array("Q", _unpack(base64.b64decode(data))))
    raise NotImplementedError(f"{kind} is not read from JSON")


def _unpack(packed: bytes) -> bytes:
    budget = _BUDGET.get()
    if budget is None:
        return zlib.decompress(packed)
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(packed, max(budget[0], 0) + 1)
    budget[0] -= len(unpacked)
    if budget[0] < 0:
        raise UnpackedTooMuchError
    if not unpacker.eof:
        raise zlib.error("incomplete or truncated stream")
    return unpacked


def _histogram(data: Any) -> Latencies:
    found = from_json(Histogram, data)
    return Latencies(histogram=replace(found, buckets=array("I", found.buckets)))


def _little_endian(values: "array[int]") -> "array[int]":
    """``values`` in little-endian order, and back again."""
    if sys.byteorder == "little" and values.typecode == "Q":
        return values
    swapped = array("Q", values)
    if sys.byteorder == "little":
        return swapped
    swapped.byteswap()
    return swapped
