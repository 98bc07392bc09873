"""Values to JSON and back.

msgspec does the work from the types of the dataclasses; this module adds types that it does not know. Times
of requests are written as text: little-endian unsigned 64-bit integers, deflated, in base 64. If there were
too many to keep, an object has their histogram, with its two arrays written in the same way.

Files use :func:`to_saved`, :func:`from_saved`, :func:`encode` and :func:`decode`: JSON has no NaN, so an
unknown number is ``null`` in a file.
"""

import base64
import json
import math
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from pytest_webbench.model.load import Histogram, Latencies
from pytest_webbench.model.measurement import Readings
from pytest_webbench.model.reasons import Reason

__all__ = [
    "UnpackedTooMuchError",
    "decode",
    "encode",
    "from_json",
    "from_saved",
    "to_json",
    "to_saved",
    "unpacking_at_most",
]

T = TypeVar("T")


class UnpackedTooMuchError(Exception):
    """Packed data unpacked to more bytes than allowed."""


_BUDGET: "ContextVar[list[int] | None]" = ContextVar("_BUDGET", default=None)


@contextmanager
def unpacking_at_most(size: int | None) -> Iterator[None]:
    """Limit :func:`from_json` to ``size`` unpacked bytes in total; ``None`` for no limit.

    Beyond that it raises :class:`UnpackedTooMuchError`.
    """
    token = _BUDGET.set(None if size is None else [size])
    try:
        yield
    finally:
        _BUDGET.reset(token)


def to_json(value: Any) -> Any:
    """Return dicts, lists, numbers and strings from which :func:`from_json` makes an equal value."""
    return msgspec.to_builtins(value, enc_hook=_encode, str_keys=True)


def from_json(kind: type[T], data: Any) -> T:
    """Return the value of type ``kind`` that ``data`` describes.

    Raises :class:`msgspec.ValidationError` with the path to the part that does not fit.
    """
    return msgspec.convert(data, kind, dec_hook=_decode)


def to_saved(value: Any) -> Any:
    """Return :func:`to_json` for a file, with ``None`` for numbers that are not finite."""
    return _without_nan(to_json(value))


def from_saved(kind: type[T], data: Any) -> T:
    """Return :func:`from_json` of a file, with NaN where ``kind`` has a number and ``data`` has ``None``."""
    return from_json(kind, _with_nan(_type_of(kind), data))


def encode(value: Any, *, indent: int | None = None) -> bytes:
    """Return ``value`` as the content of a JSON file, or as a line of one."""
    return json.dumps(to_saved(value), indent=indent, allow_nan=False).encode()


def decode(content: bytes) -> Any:
    """Parse a JSON file. Raises :class:`ValueError` for invalid JSON or UTF-8."""
    return json.loads(content)


def _without_nan(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_nan(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_without_nan(each) for each in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


_type_of: Callable[[Any], inspect.Type] = lru_cache(inspect.type_info)


def _with_nan(kind: inspect.Type, data: Any) -> Any:
    """Return ``data`` with NaN for ``None`` wherever ``kind`` has a number."""
    if isinstance(kind, inspect.FloatType):
        return math.nan if data is None else data
    if isinstance(kind, inspect.UnionType) and data is not None:
        known = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
        return _with_nan(known[0], data) if len(known) == 1 else data
    return _with_nan_inside(kind, data)


def _with_nan_inside(kind: inspect.Type, data: Any) -> Any:
    match kind, data:
        case inspect.DataclassType(fields=known), dict():
            given = {each.encode_name: each.type for each in known if each.encode_name in data}
            return {**data, **{name: _with_nan(type_, data[name]) for name, type_ in given.items()}}
        case inspect.VarTupleType(item_type=inspect.IntType() | inspect.StrType()), _:
            return data  # there may be a million of them
        case inspect.VarTupleType(item_type=item), list():
            return [_with_nan(item, each) for each in data]
        case inspect.DictType(value_type=item), dict():
            return {name: _with_nan(item, each) for name, each in data.items()}
    return data


def _encode(value: Any) -> Any:
    if isinstance(value, Path | Reason):
        return str(value)
    if isinstance(value, Readings):
        return dict(value)
    if isinstance(value, Latencies):
        return _encode(value.samples) if value.histogram is None else to_json(value.histogram)
    if isinstance(value, array):
        return base64.b64encode(zlib.compress(_little_endian(value).tobytes(), level=1)).decode("ascii")
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


def _decode(kind: Any, data: Any) -> Any:
    if kind is Path:
        return Path(data)
    if kind is Readings:  # of older versions with null and false
        return Readings(from_json(dict[str, int | float | bool | None], data))
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
    """Return ``values`` as little-endian 64-bit integers, or such integers in native order."""
    if sys.byteorder == "little" and values.typecode == "Q":
        return values
    swapped = array("Q", values)
    if sys.byteorder == "little":
        return swapped
    swapped.byteswap()
    return swapped
