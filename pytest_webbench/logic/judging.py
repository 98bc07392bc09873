"""Whether what came back is the right answer, and if not, why, in one sentence."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_webbench.values.exchange import Answer, BodyRule
from pytest_webbench.values.load import ErrorClass

__all__ = ["Fault", "excerpt", "judge"]

_Difference = tuple[str, ...]

_SHOWN = 80
"""How many characters of a value or of a body a sentence shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a request did not end in a right answer: the class for counting, ``why`` for a person."""

    error: ErrorClass
    why: str


def judge(answer: Answer, status: int, body: bytes) -> Fault | None:
    """``None`` if ``status`` and ``body`` are what ``answer`` asks for, else what is wrong with them.

    ``body`` comes from a server and may be anything: whatever it holds, this returns and does not raise.
    """
    if status != answer.status:
        came = f"; the body is {excerpt(body)}" if body else ""
        return Fault(
            error=ErrorClass.WRONG_STATUS, why=f"the status is {status}, expected {answer.status}{came}"
        )
    match answer.rule:
        case BodyRule.ANY:
            why = ""
        case BodyRule.EMPTY:
            why = f"a body of {len(body)} bytes, expected none: {excerpt(body)}" if body else ""
        case BodyRule.TEXT:
            same = body == answer.text.encode()
            why = "" if same else f"the body is {excerpt(body)}, expected {excerpt(answer.text.encode())}"
        case BodyRule.JSON:
            why = _json_difference(answer, body)
    return Fault(error=ErrorClass.WRONG_BODY, why=why) if why else None


def excerpt(data: bytes, limit: int = _SHOWN) -> str:
    """The first ``limit`` bytes of ``data`` in quotes, safe to print on a terminal."""
    text = _printable(data[:limit].decode("utf-8", "backslashreplace"))
    return f"'{text}…'" if len(data) > limit else f"'{text}'"


def _json_difference(answer: Answer, body: bytes) -> str:
    """The first difference between ``body`` and the JSON of ``answer``; empty if there is none."""
    try:
        actual = _DECODER.decode(body.decode("utf-8"))
        return _sentence(_difference(*_without_generated(actual, answer)))
    except _GeneratedMissingError as exc:
        return str(exc)
    except UnicodeDecodeError as exc:
        return f"the body is not UTF-8 (byte {exc.start}): {excerpt(body)}"
    except ValueError as exc:
        return f"the body is not JSON ({_printable(str(exc))}): {excerpt(body)}"
    except RecursionError:
        return f"the body is nested too deeply: {excerpt(body)}"


class _GeneratedMissingError(Exception):
    """A key that the server was to make up is not there."""


def _without_generated(actual: Any, answer: Answer) -> tuple[Any, Any]:
    """The actual and the expected value, both without the keys that the server makes up."""
    expected = answer.json
    if not answer.generated or not isinstance(actual, dict):
        return actual, expected
    for key in answer.generated:
        if key not in actual:
            raise _GeneratedMissingError(f"{_show(key)} is missing")
    generated = set(answer.generated)
    if isinstance(expected, Mapping):
        expected = {key: value for key, value in expected.items() if key not in generated}
    return {key: value for key, value in actual.items() if key not in generated}, expected


def _difference(actual: Any, expected: Any) -> _Difference:
    """The first difference of two JSON values: the path to it, then what it is; empty if they are equal.

    Equality is by value and strict about types: ``1`` equals ``1.0``, but ``true`` does not equal
    ``1``, and nothing equals NaN or an infinity. Items are counted from 0.
    """
    kind = type(actual)
    if kind is type(expected) and kind in _PLAIN:
        if actual == expected:
            return ()
    elif isinstance(actual, dict) and isinstance(expected, Mapping):
        return _object_difference(actual, expected)
    elif isinstance(actual, list) and isinstance(expected, (list, tuple)):
        return _array_difference(actual, expected)
    elif _same_number(actual, expected):
        return ()
    return (f"is {_show(actual)}, expected {_show(expected)}",)


def _object_difference(actual: dict[str, Any], expected: Mapping[str, Any]) -> _Difference:
    for key, wanted in expected.items():
        if key not in actual:
            return (_show(key), "is missing")
        if difference := _difference(actual[key], wanted):
            return (_show(key), *difference)
    for key, value in actual.items():
        if key not in expected:
            return (_show(key), f"is {_show(value)}, expected to be absent")
    return ()


def _array_difference(actual: list[Any], expected: Sequence[Any]) -> _Difference:
    if len(actual) != len(expected):
        return (f"has {len(actual)} items, expected {len(expected)}",)
    for index, (item, wanted) in enumerate(zip(actual, expected, strict=True)):
        if difference := _difference(item, wanted):
            return (f"item {index}", *difference)
    return ()


def _same_number(actual: Any, expected: Any) -> bool:
    """Whether two values are equal and finite numbers: an infinity less itself is NaN."""
    if isinstance(actual, bool) or isinstance(expected, bool) or not isinstance(actual, (int, float)):
        return False
    return bool(actual == expected) and actual - actual == 0


def _sentence(difference: _Difference) -> str:
    """The words for ``difference``; empty if there is none."""
    if not difference:
        return ""
    *path, what = difference
    return f"{': '.join(path) or 'the body'} {what}"


def _show(value: Any) -> str:
    """``value`` as JSON, cut where it gets long, safe to print on a terminal."""
    text = ""
    for piece in _ENCODER.iterencode(value):
        text += piece[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return _printable(text[:_SHOWN]) + "…"
    return _printable(text)


def _printable(text: str) -> str:
    """``text`` with everything escaped that would not show, or would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of ``pairs``; two values for one key are read differently by different parsers."""
    made = dict(pairs)
    if len(made) != len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {_show(key)} comes more than once")
    return made


_PLAIN = {str, int, bool, type(None)}
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr)
